"""Faults that are measured in a sound, each where it was put; and what a verb says without the extra."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cosmos_workflow.checking.models import MODELS, recogniser_files, require_recogniser
from cosmos_workflow.checking.sound import judge_sound, sound_faults
from cosmos_workflow.cli import main
from cosmos_workflow.errors import InputError, UnavailableError

RATE = 16_000
TEXT = "The last ferry had gone, and two people were left on the pier."


def voiced(seconds: float) -> np.ndarray:
    """Something like speech: a buzz of harmonics in syllables, which glides, so that nothing comes twice."""
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 2 * np.pi * (110 * time + 8 * time**2)
    buzz = sum(np.sin(number * pitch) / number for number in range(1, 12))
    return (0.15 * buzz * np.abs(np.sin(np.pi * 3 * time))).astype(np.float32)


def noise(seconds: float) -> np.ndarray:
    return (0.02 * np.random.default_rng(1).standard_normal(round(seconds * RATE))).astype(np.float32)


def names(sound: np.ndarray, text: str = TEXT, last_word: float | None = None) -> dict[str, tuple[float | None, float | None]]:
    return {fault.name: (fault.start, fault.end) for fault in sound_faults(sound, RATE, text, last_word=last_word)}


def test_noise_after_speech_is_found_and_where() -> None:
    found = names(np.concatenate([voiced(4), noise(2)]))
    start, end = found["noise"]
    assert start == pytest.approx(4, abs=0.3)
    assert end == pytest.approx(6, abs=0.3)
    assert "noise" not in names(voiced(4))


def test_what_comes_after_the_last_word_is_found_whatever_it_is() -> None:
    babble = np.concatenate([voiced(4), np.zeros(8_000, dtype=np.float32), voiced(1.5)])
    assert names(babble, last_word=4.0)["after the end"][1] == pytest.approx(6, abs=0.1)
    assert "after the end" not in names(voiced(4), last_word=3.9)


def test_a_pause_that_the_text_states_is_no_fault() -> None:
    sound = np.concatenate([voiced(2), np.zeros(3 * RATE, dtype=np.float32), voiced(2)])
    assert names(sound)["silence"] == (pytest.approx(2, abs=0.2), pytest.approx(5, abs=0.2))
    assert "silence" not in names(sound, TEXT.replace(",", ", [pause:3]"))


def test_a_file_that_is_no_sound_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "take.wav").write_text("nothing")
    with pytest.raises(InputError, match=r"take\.wav isn't a sound"):
        judge_sound(tmp_path / "take.wav", TEXT)


def test_without_the_extra_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cosmos_workflow.checking.models.NEEDED", ("a_package_that_nobody_has",))
    with pytest.raises(UnavailableError, match=r"needs faster-whisper; install it with `.*check"):
        require_recogniser("base")
    soundfile.write(tmp_path / "a.wav", voiced(1), RATE)
    (tmp_path / "a.txt").write_text(TEXT)
    monkeypatch.setattr(sys, "argv", ["x", "check-audio", str(tmp_path / "a.wav"), "--text", str(tmp_path / "a.txt")])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.wav", "--text", "a.txt"], "There is no file nowhere.wav"),
        (["a.wav", "--text", "nowhere.txt"], "There is no file nowhere.txt"),
        (["a.wav", "--text", "empty.txt"], "holds no word"),
        (["a.wav", "--text", "a.txt", "--model", "huge"], "There is no recogniser 'huge'; use tiny, base"),
    ],
)
def test_wrong_input_is_one_sentence(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    soundfile.write("a.wav", voiced(1), RATE)
    Path("a.txt").write_text(TEXT)
    Path("empty.txt").write_text("...")
    monkeypatch.setattr(sys, "argv", ["x", "check-audio", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert said in capsys.readouterr().err


def test_each_recogniser_has_its_files_under_its_own_name() -> None:
    assert list(MODELS) == ["tiny", "base", "small", "medium", "large-v3-turbo"]
    assert list(recogniser_files()) == [f"whisper-{size}" for size in MODELS]
    assert len({model.folder_name for model in MODELS.values()}) == len(MODELS)
    assert all("model.bin" in model.files for model in MODELS.values())
