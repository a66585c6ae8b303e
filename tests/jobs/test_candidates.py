"""A take's faults: none in good speech, and each where it was put."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from cosmos_workflow.checking.sound import expected_seconds, judge_sound
from cosmos_workflow.checking.verdict import Fault, Verdict
from cosmos_workflow.engines.base import Device, Output
from cosmos_workflow.engines.espeak.engine import EspeakEngine
from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.engines.testing.harness import RecordingContext, make_request, run_engine
from cosmos_workflow.jobs.speech.hearing import best
from cosmos_workflow.jobs.takes import take_seeds

SENTENCES = {
    "en-us": "The last ferry had gone, and two people were left on the pier.",
    "en-us+f2": "When the rain had stopped, and the last of the carts had gone, we went down to the river; nobody spoke.",
    "de": "Am dritten Mai ging der alte Mann nach Berlin, um dort seine Schwester zu besuchen.",
    "fr": "Elle ouvrit la porte du jardin, et personne ne vint lui demander ce qu'elle cherchait.",
    "es": "La casa estaba vacía desde hacía muchos años, pero alguien había encendido una luz.",
    "cmn": "今天早上我去河边散步，看见一只白色的鸟站在水里。",  # noqa: RUF001
}


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, int]]:
    """Each sentence as samples and rate."""
    spec, folder = find_engine("espeak"), tmp_path_factory.mktemp("speech")
    requests = [
        make_request(spec, folder, text, {"voice": voice}, item_id=f"qi_{number}")
        for number, (voice, text) in enumerate(SENTENCES.items())
    ]
    engine = EspeakEngine()
    engine.load(Device())
    outcomes = run_engine(engine, requests, RecordingContext(spec))
    engine.close()
    made: dict[str, tuple[Any, int]] = {}
    for request, voice in zip(requests, SENTENCES, strict=True):
        outcome = outcomes[request.id]
        assert isinstance(outcome, Output)
        made[voice] = soundfile.read(request.folder / outcome.files["audio"], dtype="float32")
    return made


def faults(folder: Path, samples: Any, rate: int, text: str) -> list[str]:
    """The names of a take's faults."""
    soundfile.write(folder / "take.wav", samples, rate, subtype="PCM_16")
    return [fault.name for fault in judge_sound(folder / "take.wav", text).faults]


@pytest.mark.parametrize("voice", SENTENCES)
def test_good_speech_has_no_fault(tmp_path: Path, speech: dict[str, tuple[Any, int]], voice: str) -> None:
    assert faults(tmp_path, *speech[voice], SENTENCES[voice]) == []


@pytest.mark.parametrize("voice", ["en-us", "de"])
def test_each_fault_is_found_where_it_is(tmp_path: Path, speech: dict[str, tuple[Any, int]], voice: str) -> None:
    samples, rate = speech[voice]
    text = SENTENCES[voice]
    start, end = len(samples) // 3, len(samples) // 3 + round(0.8 * rate)
    # A vowel is the loudest place: cut there.
    loudest = int(np.argmax(np.abs(samples[: len(samples) // 2])))
    takes = {
        "clipping": np.clip(samples * 15, -1, 1),
        "silence": np.concatenate([samples[:start], np.zeros(3 * rate), samples[start:]]),
        "length": samples[: len(samples) // 5],
        "cut off": samples[: loudest + 40],
        "repeated": np.concatenate([samples[:end], samples[start:end], samples[end:]]),
    }
    assert {name for name, take in takes.items() if name not in faults(tmp_path, take, rate, text)} == set()


def test_silence_is_the_worst(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "take.wav", np.zeros(22050), 22050)
    assert judge_sound(tmp_path / "take.wav", "Hello.").value == 0


def test_a_text_that_says_it_twice_may_be_said_twice(tmp_path: Path, speech: dict[str, tuple[Any, int]]) -> None:
    samples, rate = speech["en-us"]
    text = SENTENCES["en-us"]
    assert "repeated" not in faults(tmp_path, np.concatenate([samples, samples]), rate, f"{text} {text}")


def test_the_earliest_of_the_best_is_used() -> None:
    bad, good = Verdict((Fault("silence", 0.5, ""), Fault("length", 0.5, ""))), Verdict()
    assert bad.value == 0.25
    assert best([bad, good, good]) == 1


def test_seeds_are_the_same_everywhere_and_differ_from_piece_to_piece() -> None:
    assert take_seeds(5, "a", 3) == take_seeds(5, "a", 4)[:3]
    assert take_seeds(5, "a", 1) == [5]
    assert take_seeds(5, "a", 3) == [5, 940694543, 243032283]
    assert len({*take_seeds(5, "a", 20), *take_seeds(5, "b", 20)}) == 39
    assert all(0 <= seed < 2**31 for seed in take_seeds(5, "a", 20))


def test_a_text_takes_as_long_as_its_letters() -> None:
    assert expected_seconds("a" * 140) == pytest.approx(10)
    assert expected_seconds("!?") == 0
    assert expected_seconds("你好吗朋友们今天") == pytest.approx(8 / 4.5)
