"""From a sound and its text to a verdict: faults of the sound itself, and what a recogniser hears beside the text."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cosmos_workflow.checking.comparison import compare, repetition
from cosmos_workflow.checking.evidence import confirmed, fitness
from cosmos_workflow.checking.recogniser import RATE, Transcript, Whisper
from cosmos_workflow.checking.sound import Sound, levels, read_mono, sound_faults, threshold
from cosmos_workflow.checking.verdict import Aligned, Difference, Fault, Hearing, Verdict
from cosmos_workflow.checking.words import divides_words, letters
from cosmos_workflow.errors import shorten
from cosmos_workflow.media import resampled

ANOTHER = 0.6
"""Word error rate above which a sound says another text, where it can't be held against its text."""
UNFIT = -4.0
"""Mean logarithm of the likelihood of a text's words below which a sound says another text; the mean of few words varies more,
so it is lower for them."""
SMALL = 0.05
"""Word error rate up to which the quick way of listening is good enough."""
_SUSPECT, _UNLIKELY = 0.3, 0.08
"""How likely the expected language is at most, as the quick way hears it and then as the thorough way does, where another one is
spoken; accents are heard as little more than the first by the one, but as more than the second by the other."""
_NEARLY = 0.3
"""Character error rate up to which the text itself was written down, whatever language an accent is taken for."""
_TAIL = 0.5
"""Seconds after the last word from which they are listened to alone: recognisers leave out what is said twice."""
_MISSING, _ADDED = 4, 5
"""Letters from which words that are missing, or too many, are a fault and not a recogniser's slip over a small word."""
_FRAME = 0.01
_REACH = 0.25
"""Seconds around a border in which the quietest place is looked for, never beyond the middle of either word."""


def judge(path: Path, text: str, said: Sequence[str], language: str, recogniser: Whisper) -> Verdict:
    """What is wrong with a sound of `text`, of which `said` are the words without marks: as written, and as they are spoken.

    The recogniser writes down what it hears, and where that differs is asked how well the sound fits the text: what does is its
    own slip. Raises InputError where the file isn't a sound, or the recogniser doesn't know the language.
    """
    sound, rate = read_mono(path)
    samples = resampled(sound[:, None], rate, RATE)[:, 0]
    heard = recogniser.hear(samples, language)
    hearing = _nearest(said, heard, language, recogniser.name)
    fits = recogniser.fit(samples, language, hearing.said)
    if fits:
        hearing, fit = confirmed(hearing, fits), fitness(fits, hearing.said)
        hearing = replace(hearing, aligned=settled(hearing.aligned, sound, rate))
    else:
        heard, hearing = _again(samples, said, language, recogniser, heard, hearing)
        fit = 2 * UNFIT if hearing.word_error_rate > ANOTHER else 0.0
    last_word = max((end for _, _, _, end in hearing.aligned), default=None)
    faults = {fault.name: fault for fault in sound_faults(sound, rate, text, last_word=last_word)}
    seconds = round(len(sound) / rate, 3)
    if "after the end" in faults and last_word is not None and seconds - last_word > _TAIL:
        hearing = _with_tail(hearing, samples, last_word, language, recogniser)
    if foreign := _foreign(samples, language, recogniser, heard, hearing, fit):
        message = f"It is spoken in {foreign}, not in {language}."
        faults["wrong language"] = Fault("wrong language", 1.0, message, 0.0, seconds)
    elif hearing.said and fit < UNFIT * (1 + 1 / max(1, len(hearing.said.split()))):
        message = f"It says something else: {shorten(hearing.transcript, 80)}."
        faults["another text"] = Fault("another text", 1.0, message, 0.0, seconds)
    else:
        named = {fault.name: fault for fault in _word_faults(hearing)}
        if "repeated words" in named:
            faults.pop("after the end", None)
        faults |= named
    return Verdict(tuple(faults.values()), hearing, seconds)


def settled(aligned: Sequence[Aligned], sound: Sound, rate: int) -> tuple[Aligned, ...]:
    """Words with each border between two moved to the quietest place nearby; where that is silence, it belongs to neither.

    A recogniser tells a border within a few tenths of a second, the sound more exactly.
    """
    level = levels(sound, rate, _FRAME)
    if len(level) < 3:
        return tuple(aligned)
    quiet = level < threshold(level)
    smooth = np.convolve(level, np.ones(3) / 3, "same")
    words = [list(word) for word in aligned]
    for before, after in itertools.pairwise(words):
        border = (before[3] + after[2]) / 2
        low = max(border - _REACH, (before[2] + before[3]) / 2)
        high = min(border + _REACH, (after[2] + after[3]) / 2, len(level) * _FRAME)
        first, last = round(low / _FRAME), round(high / _FRAME)
        if last - first < 2:
            continue
        left = right = first + int(np.argmin(smooth[first:last]))
        while quiet[left] and left > first and quiet[left - 1]:
            left -= 1
        while quiet[right] and right < last - 1 and quiet[right + 1]:
            right += 1
        before[3] = round(left * _FRAME, 3)
        after[2] = round((right + 1 if quiet[right] else right) * _FRAME, 3)
    return tuple((int(first), int(last), float(start), float(max(start, end))) for first, last, start, end in words)


def _nearest(said: Sequence[str], heard: Transcript, language: str, model: str) -> Hearing:
    """The comparison with the way to write the text that comes nearest; the first among equals."""
    return min((compare(one, heard.words, language, model) for one in said), key=lambda one: one.word_error_rate)


def _again(
    samples: Sound, said: Sequence[str], language: str, recogniser: Whisper, heard: Transcript, hearing: Hearing
) -> tuple[Transcript, Hearing]:
    """What the thorough way hears, where that is nearer: for a sound that can't be held against its text."""
    if hearing.word_error_rate <= SMALL and not any(_name(difference, hearing) for difference in hearing.differences):
        return heard, hearing
    again = recogniser.hear(samples, language, thorough=True)
    return again, min(hearing, _nearest(said, again, language, recogniser.name), key=lambda one: one.word_error_rate)


def _with_tail(hearing: Hearing, samples: Sound, last_word: float, language: str, recogniser: Whisper) -> Hearing:
    """The comparison with what is said after the last word, where that is the text again."""
    if any(difference.start >= last_word - 0.05 and difference.heard for difference in hearing.differences):
        return hearing
    tail = recogniser.hear(samples[round(last_word * RATE) :], language)
    words = [replace(word, start=word.start + last_word, end=word.end + last_word) for word in tail.words]
    found = repetition(hearing.said, hearing.words, words, language)
    if found is None:
        return hearing
    rate = hearing.word_error_rate + found.weight / max(1, len(hearing.aligned))
    return replace(hearing, differences=(*hearing.differences, found), word_error_rate=round(rate, 4))


def _foreign(samples: Sound, language: str, recogniser: Whisper, heard: Transcript, hearing: Hearing, fit: float) -> str:
    """The other language that is spoken; empty where it is the expected one.

    What was written down counts, not how well the words fit: an accent is easily taken for another language, and speech in
    another language fits a text that is its translation. Before it is said, somebody listens thoroughly; twice as much is
    enough where no word fits.
    """
    if hearing.character_error_rate <= _NEARLY or heard.expected >= _SUSPECT:
        return ""
    again = recogniser.hear(samples, language, thorough=True)
    return again.language if again.expected < (2 * _UNLIKELY if fit < UNFIT else _UNLIKELY) else ""


def _word_faults(hearing: Hearing) -> Iterator[Fault]:
    by_name: dict[str, list[Difference]] = {}
    for difference in hearing.differences:
        if name := _name(difference, hearing):
            by_name.setdefault(name, []).append(difference)
    for name, differences in by_name.items():
        words = "; ".join(shorten(difference.said or difference.heard, 80) for difference in differences[:4])
        severity = min(1.0, 0.25 + sum(difference.weight for difference in differences) / 10)
        yield Fault(name, severity, f"{name.capitalize()}: {words}.", differences[0].start, differences[0].end)


def _name(difference: Difference, hearing: Hearing) -> str:
    """The fault that a difference is; empty for one that may be a slip of the recogniser."""
    share = 1 if divides_words(hearing.language) else 2
    count = len(letters(difference.said or difference.heard)) * share
    several = difference.weight >= 2
    if difference.kind in ("missing", "repeated"):
        return f"{difference.kind} words" if count >= _MISSING or several else ""
    if difference.kind == "added" and ((count >= _ADDED and difference.weight >= 1) or several):
        after = all(difference.start >= end - 0.05 for _, _, _, end in hearing.aligned)
        return "after the end" if after else "added words"
    return ""
