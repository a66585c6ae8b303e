"""Speech heard back on a real recogniser: clean pieces pass, and each planted fault is found and named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from real_support import write_whisper

from cosmos_workflow.bench.planted import Line, Planted, speak, spoilt_sound
from cosmos_workflow.checking.judge import judge
from cosmos_workflow.checking.recogniser import Whisper
from cosmos_workflow.checking.sound import read_mono
from cosmos_workflow.checking.verdict import Verdict
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE

pytestmark = pytest.mark.real

SAID = {
    "clean": "Dr. Strand retired to a place with a better view. There was a boy called Finch who ran to the printer.",
    "dropped": "Dr. Strand to a place with a better view. There was a boy called Finch who ran to the printer.",
    "doubled": "Dr. Strand retired to a place with a better view. Dr. Strand retired to a place with a better view. "
    "There was a boy called Finch who ran to the printer.",
    "spanish": "Después de la tormenta el río estaba más alto que el puente. El médico le preguntó por su hermano.",
    "other": "My grandmother kept all her letters in a painted box.",
}
TEXT = SAID["clean"]


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of model files with Whisper base in it."""
    folder = tmp_path_factory.mktemp("heard")
    write_whisper(folder / "whisper-base")
    return folder


@pytest.fixture(scope="module")
def recogniser(whisper: Path) -> Whisper:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(whisper))
        return Whisper("base")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What espeak makes of each text, and the first of them with noise behind it and with its end cut off."""
    folder = tmp_path_factory.mktemp("speech")
    lines = [Line(text, "espeak", {"voice": "es" if name == "spanish" else "en-us", "rate": 140}) for name, text in SAID.items()]
    made = dict(zip(SAID, speak(lines, folder), strict=True))
    samples, rate = read_mono(made["clean"])
    faults: dict[str, Planted] = {"noisy": "noise", "cut": "cut end"}
    for name, fault in faults.items():
        made[name] = folder / f"{name}.wav"
        soundfile.write(made[name], spoilt_sound(fault, samples, rate, 3), rate)
    return made


def verdict(recogniser: Whisper, sound: Path) -> Verdict:
    return judge(sound, TEXT, [TEXT], "en", recogniser)


def test_what_says_its_text_passes_and_its_words_have_times(recogniser: Whisper, sounds: dict[str, Path]) -> None:
    found = verdict(recogniser, sounds["clean"])
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
        ("spanish", {"wrong language"}),
        ("other", {"another text"}),
    ],
)
def test_each_planted_fault_is_found_and_named(recogniser: Whisper, sounds: dict[str, Path], name: str, faults: set[str]) -> None:
    found = verdict(recogniser, sounds[name])
    assert not found.passes(0.1)
    assert faults & {fault.name for fault in found.faults}, found


def test_a_recording_is_checked_on_the_command_line(whisper: Path, sounds: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "said.txt").write_text(TEXT, encoding="utf-8")
    command = [sys.executable, "-m", "cosmos_workflow", "check-audio", str(sounds["dropped"]), "--text", "said.txt", "--json"]
    environment = {**os.environ, FOLDER_VARIABLE: str(whisper)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment, timeout=240)
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["passes"] is False
    assert any("retired" in difference["said"] for difference in told["hearing"]["differences"])
