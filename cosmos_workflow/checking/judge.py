"""From a sound and its text to a verdict: faults of the sound itself, and what a recogniser hears beside the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cosmos_workflow.checking.comparison import compare
from cosmos_workflow.checking.recogniser import RATE, Recogniser, Transcript
from cosmos_workflow.checking.sound import read_mono, sound_faults
from cosmos_workflow.checking.verdict import Difference, Fault, Hearing, Verdict
from cosmos_workflow.checking.words import divides_words, letters
from cosmos_workflow.errors import shorten
from cosmos_workflow.media import resampled

ANOTHER = 0.6
"""Word error rate above which a sound says another text, or says it in another language."""
SMALL = 0.05
"""Word error rate up to which the quick way of listening is good enough."""
_UNLIKELY, _IMPOSSIBLE = 0.05, 0.02
"""How likely the expected language is at most where another one is spoken; accents are heard as 0.04 and more."""
_MISSING, _ADDED = 4, 5
"""Letters from which words that are missing, or too many, are a fault and not a recogniser's slip over a small word."""


def judge_sound(path: Path, text: str, letters_per_second: float | None = None) -> Verdict:
    """A sound's faults, without a recogniser; raises InputError where the file isn't a sound."""
    sound, rate = read_mono(path)
    return Verdict(sound_faults(sound, rate, text, letters_per_second), None, round(len(sound) / rate, 3))


def judge(path: Path, text: str, said: Sequence[str], language: str, recogniser: Recogniser) -> Verdict:
    """What is wrong with a sound of `text`, of which `said` are the words without marks: as written, and as they are spoken.

    What is more than a slip counts only where the recogniser hears it both ways, the quick one and the thorough one. Raises
    InputError where the file isn't a sound, or the recogniser doesn't know the language.
    """
    sound, rate = read_mono(path)
    samples = resampled(sound[:, None], rate, RATE)[:, 0]
    heard = recogniser.hear(samples, language)
    hearing = _nearest(said, heard, language, recogniser.name)
    if (
        _foreign(heard, hearing)
        or hearing.word_error_rate > SMALL
        or any(_name(difference, hearing) for difference in hearing.differences)
    ):
        heard = recogniser.hear(samples, language, thorough=True)
        again = _nearest(said, heard, language, recogniser.name)
        hearing = min(hearing, again, key=lambda one: one.word_error_rate)
    last_word = max((end for _, _, _, end in hearing.aligned), default=None)
    faults = {fault.name: fault for fault in sound_faults(sound, rate, text, last_word=last_word)}
    seconds = round(len(sound) / rate, 3)
    if _foreign(heard, hearing):
        message = f"It is spoken in {heard.language}, not in {language}."
        faults["wrong language"] = Fault("wrong language", 1.0, message, 0.0, seconds)
    else:
        faults |= {fault.name: fault for fault in _word_faults(hearing, seconds)}
    return Verdict(tuple(faults.values()), hearing, seconds)


def _nearest(said: Sequence[str], heard: Transcript, language: str, model: str) -> Hearing:
    """The comparison with the way to write the text that comes nearest; the first among equals."""
    return min((compare(one, heard.words, language, model) for one in said), key=lambda one: one.word_error_rate)


def _foreign(heard: Transcript, hearing: Hearing) -> bool:
    """Whether another language is spoken: surely, or where words are wrong, probably."""
    return heard.expected < (_UNLIKELY if hearing.word_error_rate > SMALL else _IMPOSSIBLE)


def _word_faults(hearing: Hearing, seconds: float) -> Iterator[Fault]:
    by_name: dict[str, list[Difference]] = {}
    for difference in hearing.differences:
        if name := _name(difference, hearing):
            by_name.setdefault(name, []).append(difference)
    for name, differences in by_name.items():
        words = "; ".join(shorten(difference.said or difference.heard, 80) for difference in differences[:4])
        weight = sum(difference.weight for difference in differences)
        fault = Fault(
            name, min(1.0, 0.25 + weight / 10), f"{name.capitalize()}: {words}.", differences[0].start, differences[0].end
        )
        yield fault
    if hearing.word_error_rate > ANOTHER and hearing.words:
        message = f"It says something else: {shorten(hearing.transcript, 80)}."
        yield Fault("another text", 1.0, message, 0.0, seconds)


def _name(difference: Difference, hearing: Hearing) -> str:
    """The fault that a difference is; empty for one that may be a slip of the recogniser."""
    share = 1 if divides_words(hearing.language) else 2
    count = len(letters(difference.said or difference.heard)) * share
    several = difference.weight >= 2
    if difference.kind == "missing":
        return "missing words" if count >= _MISSING or several else ""
    if difference.kind == "repeated":
        return "repeated words" if count >= _MISSING or several else ""
    if difference.kind == "added" and (count >= _ADDED or several):
        after = all(difference.start >= end - 0.05 for _, _, _, end in hearing.aligned)
        return "after the end" if after else "added words"
    return ""
