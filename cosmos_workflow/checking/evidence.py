"""Which differences between a text and a transcript are the sound's, and which the recogniser's own. Pure.

A recogniser that writes freely mistakes words that are there, most of all small models and synthetic voices. Told the text, it
says of each word how likely the sound makes it: a word that was said is likely even where another one was written down, one
that was dropped is not.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import replace

from cosmos_workflow.checking.recogniser import Fit
from cosmos_workflow.checking.sound import expected_seconds
from cosmos_workflow.checking.verdict import Aligned, Difference, Hearing

GONE = -10.0
"""Logarithm of the likelihood below which a word isn't in the sound, whatever was written down."""
MISSING = -3.5
"""The same where nothing was written down in its place, and no time is left for it."""
UNWRITTEN = -8.5
"""The same where nothing was written down in its place, whatever time is left."""
DOUBTED = -4.0
"""Above it a word was said, though another one was written down; from there to `GONE` it counts more and more."""
REPLACED = 0.5
"""What a word counts at most that sounds like something else, beside one that is gone."""

_FEW = 8
"""Words against which doubts count at least: in a text of four, two that sound like something else are no more than elsewhere."""
_HURRIED = 0.4
"""Share of the usual time that nobody speaks faster than."""


def fitness(fits: Sequence[Fit], said: str) -> float:
    """The mean over the words of a text."""
    return statistics.fmean([fit.likely for fit in _words(fits, said)] or [0.0])


def confirmed(hearing: Hearing, fits: Sequence[Fit]) -> Hearing:
    """A comparison without the differences that only the recogniser made, and with the times of the words that were said.

    `fits` are those of the same text.
    """
    words = _words(fits, hearing.said)
    found: list[Difference] = []
    times = {(first, last): (start, end) for first, last, start, end in hearing.aligned}
    for difference in hearing.differences:
        inside = [word for word in words if word.first < difference.last and word.last > difference.first]
        if difference.kind not in ("missing", "replaced"):
            # Words that are too many take the time that saying them takes, or at least a good part of it.
            if difference.end - difference.start > _HURRIED * expected_seconds(difference.heard):
                # One alone counts half: recognisers like to put one in.
                alone = difference.kind == "added" and difference.weight <= 1
                found.append(replace(difference, weight=REPLACED * difference.weight) if alone else difference)
            continue
        if not inside:
            found.append(difference)
            continue
        times = {place: time for place, time in times.items() if not difference.first <= place[0] < difference.last}
        states = [(_state(difference, word, hearing.said), word) for word in inside]
        for state, group in itertools.groupby(states, lambda pair: pair[0]):
            part = [word for _, word in group]
            if state != "gone":
                times |= {(word.first, word.last): (word.start, word.end) for word in part}
            if state != "said":
                found.append(_narrowed(difference, state, part, len(inside), hearing.said))
    count = max(1, len(words))
    aligned: list[Aligned] = []
    for (first, last), (start, end) in sorted(times.items()):
        # Two ways to measure: words follow one another all the same.
        begun = max(start, aligned[-1][2] if aligned else 0.0)
        aligned.append((first, last, begun, max(begun, end)))
    doubts = sum(difference.weight for difference in found if difference.kind == "replaced")
    sure = sum(difference.weight for difference in found if difference.kind != "replaced")
    rate = round(sure / count + doubts / max(_FEW, count), 4)
    return replace(hearing, differences=tuple(found), aligned=tuple(aligned), word_error_rate=rate)


def _words(fits: Sequence[Fit], said: str) -> list[Fit]:
    return [fit for fit in fits if any(letter.isalnum() for letter in said[fit.first : fit.last])]


def _state(difference: Difference, word: Fit, said: str) -> str:
    """Whether a word is gone, doubted, or was said."""
    usual = expected_seconds(said[word.first : word.last])
    least = GONE
    if difference.kind == "missing":
        least = MISSING if word.end - word.start < _HURRIED * usual else UNWRITTEN
    if word.likely < least:
        return "gone"
    return "doubted" if difference.kind == "replaced" and word.likely < DOUBTED else "said"


def _narrowed(difference: Difference, state: str, part: Sequence[Fit], words: int, said: str) -> Difference:
    """A difference about some of its words."""
    first, last = max(difference.first, part[0].first), min(difference.last, part[-1].last)
    if state == "gone":
        weight = float(len(part))
    else:
        doubt = sum(min(1.0, (DOUBTED - word.likely) / (DOUBTED - GONE)) for word in part)
        weight = REPLACED * doubt * min(1.0, difference.weight / words)
    return Difference(
        kind="missing" if state == "gone" else "replaced",
        said=said[first:last],
        heard="" if state == "gone" else difference.heard,
        first=first,
        last=last,
        start=part[0].start,
        end=part[-1].end,
        weight=round(weight, 3),
    )
