"""Speech heard back on a real recogniser: clean pieces pass, and each planted fault is found and named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from real_support import write_whisper

from cosmos_workflow.checking.judge import judge
from cosmos_workflow.checking.recogniser import Whisper
from cosmos_workflow.checking.verdict import Verdict
from cosmos_workflow.engines.base import Device, Output
from cosmos_workflow.engines.espeak.engine import EspeakEngine
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.engines.testing.harness import RecordingContext, make_request, run_engine

pytestmark = pytest.mark.real

SAID = {
    "ferry": "After the storm the river was higher than the bridge. The doctor asked him a question about his brother.",
    "dropped": "After the storm the river was than the bridge. The doctor asked him a question about his brother.",
    "doubled": "After the storm the river was higher than the bridge. After the storm the river was higher than the bridge. "
    "The doctor asked him a question about his brother.",
    "german": "Nach dem Sturm war der Fluss höher als die Brücke. Der Arzt fragte ihn nach seinem Bruder.",
    "other": "My grandmother kept all her letters in a painted box.",
}
TEXT = SAID["ferry"]


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Whisper:
    folder = tmp_path_factory.mktemp("heard")
    write_whisper(folder / "whisper-base")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(folder))
        return Whisper("base")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What espeak makes of each text, and the first of them with noise behind it and with its end cut off."""
    folder, spec = tmp_path_factory.mktemp("speech"), find_engine("espeak")
    engine = EspeakEngine()
    engine.load(Device())
    requests = [
        make_request(spec, folder, text, {"voice": "de" if name == "german" else "en-us", "rate": 150}, item_id=name)
        for name, text in SAID.items()
    ]
    outcomes = run_engine(engine, requests, RecordingContext(spec))
    engine.close()
    made: dict[str, Path] = {}
    for request in requests:
        outcome = outcomes[request.id]
        assert isinstance(outcome, Output), outcome
        made[request.id] = request.folder / outcome.files["audio"]
    samples, rate = soundfile.read(made["ferry"])
    noise = 0.02 * np.random.default_rng(3).standard_normal(2 * rate)
    for name, sound in {"noisy": np.concatenate([samples, noise]), "cut": samples[: round(0.75 * len(samples))]}.items():
        made[name] = folder / f"{name}.wav"
        soundfile.write(made[name], sound, rate)
    return made


def verdict(recogniser: Whisper, sound: Path) -> Verdict:
    return judge(sound, TEXT, [TEXT], "en", recogniser)


def test_what_says_its_text_passes_and_its_words_have_times(recogniser: Whisper, sounds: dict[str, Path]) -> None:
    found = verdict(recogniser, sounds["ferry"])
    assert found.passes(0.1), found
    assert found.hearing is not None
    starts = [start for _, _, start, _ in found.hearing.aligned]
    assert starts == sorted(starts)
    assert len(starts) == len(TEXT.split())
    assert 0 <= starts[0] < 0.5 < starts[-1] < found.seconds


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        ("dropped", {"missing words"}),
        ("doubled", {"repeated words", "repeated"}),
        ("noisy", {"after the end"}),
        ("cut", {"missing words", "cut off"}),
        ("german", {"wrong language"}),
        ("other", {"another text"}),
    ],
)
def test_each_planted_fault_is_found_and_named(recogniser: Whisper, sounds: dict[str, Path], name: str, faults: set[str]) -> None:
    found = verdict(recogniser, sounds[name])
    assert not found.passes(0.1)
    assert faults & {fault.name for fault in found.faults}, found


def test_a_recording_is_checked_on_the_command_line(recogniser: Whisper, sounds: dict[str, Path], tmp_path: Path) -> None:
    write_whisper(tmp_path / "whisper-base")
    (tmp_path / "said.txt").write_text(TEXT, encoding="utf-8")
    command = [sys.executable, "-m", "cosmos_workflow", "check-audio", str(sounds["dropped"]), "--text", "said.txt", "--json"]
    environment = {**os.environ, FOLDER_VARIABLE: str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment, timeout=240)
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["passes"] is False
    assert any("higher" in difference["said"] for difference in told["hearing"]["differences"])
