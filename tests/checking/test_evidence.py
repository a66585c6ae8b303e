"""What a recogniser wrote beside what fits the sound: its own slips are no faults, and what isn't in the sound is one."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cosmos_workflow.checking.comparison import compare
from cosmos_workflow.checking.evidence import confirmed
from cosmos_workflow.checking.judge import judge, settled
from cosmos_workflow.checking.recogniser import RATE, Fit, Transcript, Whisper
from cosmos_workflow.checking.verdict import HeardWord, Hearing, Verdict

if TYPE_CHECKING:
    from cosmos_workflow.checking.recogniser import Sound

SAID = "The brickworks had been shut for many years."


def heard_words(transcript: str, seconds: float = 0.4) -> tuple[HeardWord, ...]:
    words = transcript.split()
    return tuple(HeardWord(f" {word}", number * seconds, (number + 1) * seconds) for number, word in enumerate(words))


def fits(text: str, unlikely: dict[str, float] | None = None) -> tuple[Fit, ...]:
    """Each word fits well, but for these."""
    likely = unlikely or {}
    return tuple(
        Fit(word.start(), word.end(), 0.4 * number, 0.4 * number + 0.4, likely.get(word[0].strip('.,"'), -0.2))
        for number, word in enumerate(re.finditer(r"\S+", text))
    )


def told(transcript: str, unlikely: dict[str, float] | None = None) -> Hearing:
    return confirmed(compare(SAID, heard_words(transcript), "en"), fits(SAID, unlikely))


def test_a_word_that_fits_was_said_whatever_was_written_down() -> None:
    found = told("The big words had been shot for years")
    assert (found.differences, found.word_error_rate) == ((), 0)
    assert [word for word, _, _ in found.timed()] == SAID.strip(".").split()


def test_a_word_that_doesnt_fit_is_gone_though_another_was_written_down() -> None:
    found = told("The big words had been shot for years", {"brickworks": -12.0, "many": -5.0})
    assert [(part.kind, part.said) for part in found.differences] == [("missing", "brickworks")]
    assert found.word_error_rate == pytest.approx(1 / 8)


def test_a_word_that_nobody_wrote_down_is_gone_where_no_time_is_left_for_it() -> None:
    hearing, words = compare(SAID, heard_words("The brickworks had been shut for years"), "en"), fits(SAID, {"many": -5.0})
    hurried = tuple(replace(word, end=word.start + 0.02) if word.likely == -5.0 else word for word in words)
    assert confirmed(hearing, words).differences == ()
    assert [part.said for part in confirmed(hearing, hurried).differences] == ["many"]


def test_a_word_that_sounds_like_another_counts_a_little() -> None:
    found = told("The brickworks had been sold for many years", {"shut": -6.5})
    (part,) = found.differences
    assert (part.kind, part.said, part.heard) == ("replaced", "shut", "sold")
    assert 0 < found.word_error_rate < 0.05


def test_two_doubted_words_of_a_short_text_ask_nobody_to_listen_and_a_missing_one_does() -> None:
    said, unlikely = "Mrs. Harrow laughed aloud.", {"Mrs": -6.0, "laughed": -7.0}
    doubted = confirmed(compare(said, heard_words("missing Harrow left aloud"), "en"), fits(said, unlikely))
    assert [part.kind for part in doubted.differences] == ["replaced", "replaced"]
    assert 0 < doubted.word_error_rate < 0.1
    gone = confirmed(compare(said, heard_words("Mrs. Harrow aloud"), "en"), fits(said, {"laughed": -12.0}))
    assert gone.word_error_rate == 0.25


def test_words_that_took_no_time_were_never_said() -> None:
    words = (*heard_words(SAID), HeardWord(" wonderful", 3.2, 3.25), HeardWord(" everywhere", 3.25, 3.9))
    found = confirmed(compare(SAID, words, "en"), fits(SAID))
    assert [part.heard for part in found.differences] == ["wonderful everywhere"]
    short = (*heard_words(SAID), HeardWord(" wonderful", 3.2, 3.25))
    assert confirmed(compare(SAID, short, "en"), fits(SAID)).differences == ()


class Ear(Whisper):
    """Hears what it is told to: the whole sound, and then what is left of it."""

    name = "base"

    def __init__(
        self,
        *transcripts: str,
        expected: float = 0.9,
        thoroughly: float | None = None,
        unlikely: dict[str, float] | None = None,
        fits: bool = True,
    ) -> None:
        self._transcripts = list(transcripts)
        self._thoroughly = expected if thoroughly is None else thoroughly
        self._fits = fits
        self._expected = expected
        self._unlikely = unlikely

    def hear(self, sound: Sound, language: str, thorough: bool = False) -> Transcript:
        words = heard_words(self._transcripts.pop(0) if self._transcripts else "")
        expected = self._thoroughly if thorough else self._expected
        return Transcript(words, "en" if expected > 0.5 else "fr", expected)

    def fit(self, sound: Sound, language: str, text: str) -> tuple[Fit, ...]:
        return fits(text, self._unlikely) if self._fits else ()


def verdict(folder: Path, ear: Ear, seconds: float = 3.3) -> Verdict:
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 2 * np.pi * (110 * time + 8 * time**2)
    buzz = sum(np.sin(number * pitch) / number for number in range(1, 12)) * np.abs(np.sin(np.pi * 3 * time))
    soundfile.write(folder / "take.wav", 0.15 * buzz, RATE)
    return judge(folder / "take.wav", SAID, [SAID], "en", ear)


def names(found: Verdict) -> set[str]:
    return {fault.name for fault in found.faults}


def test_a_sentence_that_a_recogniser_leaves_out_the_second_time_is_heard_alone(tmp_path: Path) -> None:
    found = verdict(tmp_path, Ear(SAID, "the brickworks had been shut"), seconds=6)
    assert "repeated words" in names(found)
    assert "after the end" not in names(found)
    assert found.hearing is not None
    assert found.hearing.differences[-1].start == pytest.approx(3.2, abs=0.1)
    assert "after the end" in names(verdict(tmp_path, Ear(SAID, "thank you"), seconds=6))


def test_another_text_is_one_of_which_no_word_fits_and_another_language_is_told_first(tmp_path: Path) -> None:
    nothing: dict[str, float] = dict.fromkeys(SAID.strip(".").split(), -7.0)
    assert "another text" in names(verdict(tmp_path, Ear("a bird got up and went over the water", unlikely=nothing)))
    foreign = verdict(tmp_path, Ear("the brick works were shut", expected=0.01, unlikely=nothing))
    assert "wrong language" in names(foreign)
    assert "another text" not in names(foreign)
    assert "another text" not in names(verdict(tmp_path, Ear("The big words had been shot for many years")))


def test_an_accent_is_no_other_language(tmp_path: Path) -> None:
    near, far = "The brick works have been shot for many year", "Zeb rigs wagzard bin chat for man ears"
    assert "wrong language" not in names(verdict(tmp_path, Ear(near, expected=0.01)))
    assert "wrong language" not in names(verdict(tmp_path, Ear(far, expected=0.01, thoroughly=0.4)))
    assert "wrong language" in names(verdict(tmp_path, Ear(far, expected=0.01, thoroughly=0.03)))


def test_what_cant_be_held_against_its_text_is_heard_twice(tmp_path: Path) -> None:
    gone = "The had been shut for many years"
    assert "missing words" not in names(verdict(tmp_path, Ear(gone, SAID, fits=False)))
    assert "missing words" in names(verdict(tmp_path, Ear(gone, gone, fits=False)))
    other = "a bird got up and went over the water"
    assert "another text" in names(verdict(tmp_path, Ear(other, other, fits=False)))


def test_a_word_ends_where_it_is_quiet(tmp_path: Path) -> None:
    """Three words of 0.4 s with pauses of 0.1 s, of which a recogniser told the borders wrongly."""
    time = np.arange(round(0.4 * RATE)) / RATE
    word = (0.2 * np.sin(2 * np.pi * 200 * time)).astype(np.float32)
    pause = np.zeros(round(0.1 * RATE), dtype=np.float32)
    sound = np.concatenate([word, pause, word, pause, word])
    told = [(0, 1, 0.0, 0.55), (2, 3, 0.55, 0.8), (4, 5, 0.8, 1.4)]
    found = [(start, end) for _, _, start, end in settled(told, sound, RATE)]
    assert [time for span in found for time in span] == pytest.approx([0.0, 0.4, 0.5, 0.9, 1.0, 1.4], abs=0.03)
    assert settled([], sound, RATE) == ()
