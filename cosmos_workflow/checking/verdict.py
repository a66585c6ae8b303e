"""What was found in a sound: faults with their time spans, the words that were heard, and where they differ from the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter

SERIOUS = 0.25
"""Severity from which a fault alone is worth a person's ear."""

TAIL = 0.25
"""Seconds that a sound keeps behind its last word when the rest is cut: recognisers end words a little early."""

Kind = Literal["missing", "added", "repeated", "replaced"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a sound: its name, how bad from 0 to 1, a sentence, and where it is in seconds, if that is known."""

    name: str
    severity: float
    message: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word as it was heard, with its time in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where what is heard isn't what is said: words of the text, words of the transcript, and the time.

    `first` and `last` are the places of the said words in the text, as a slice; both are where something is missing from the
    text, equal. `weight` is what it counts: 1 for each missing or added word, less for one that is only written differently.
    """

    kind: Kind
    said: str
    heard: str
    first: int
    last: int
    start: float
    end: float
    weight: float


@dataclass(frozen=True, slots=True)
class Hearing:
    """What a recogniser made of a sound, beside the text that should be said. Rates are fractions; they may pass 1.

    `aligned` has for each word of the text its place in the text, and its time where it was heard.
    """

    model: str
    language: str
    said: str
    transcript: str
    words: tuple[HeardWord, ...]
    differences: tuple[Difference, ...]
    word_error_rate: float
    character_error_rate: float
    aligned: tuple[Aligned, ...] = ()

    def timed(self) -> tuple[TimedWord, ...]:
        """The words of the text that were heard, with their times."""
        return tuple((self.said[first:last], start, end) for first, last, start, end in self.aligned)


Aligned = tuple[int, int, float, float]
"""A word's place in its text as a slice, and its time in the sound."""
TimedWord = tuple[str, float, float]
"""A word as it is written, and its seconds from the beginning of the sound."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sound's faults, and what was heard, where a recogniser listened; `value` is 1 without any fault and falls to 0."""

    faults: tuple[Fault, ...] = ()
    hearing: Hearing | None = None
    seconds: float = 0.0

    @property
    def value(self) -> float:
        """1 without a fault; each takes its share of what is left, and so does the word error rate."""
        left = 1.0 if self.hearing is None else max(0.0, 1 - self.hearing.word_error_rate)
        for fault in self.faults:
            left *= 1 - fault.severity
        return round(left, 4)

    def passes(self, most: float) -> bool:
        """Whether nobody needs to listen: the word error rate is at most `most`, and no fault is serious."""
        heard_right = self.hearing is None or self.hearing.word_error_rate <= most
        return heard_right and all(fault.severity < SERIOUS for fault in self.faults)


def without_tail(verdict: Verdict) -> tuple[Verdict, float | None]:
    """A verdict as it would be if the sound ended with its last word, and the second where it would; None where it does.

    Only what comes after the end is cut: not where the last words are missing, which may be there unheard.
    """
    hearing = verdict.hearing
    late = [fault for fault in verdict.faults if fault.start is not None and _comes_last(fault, verdict)]
    if hearing is None or not late or not hearing.aligned:
        return verdict, None
    end = max(end for _, _, _, end in hearing.aligned)
    if any(part.kind == "missing" and part.start >= end for part in hearing.differences):
        return verdict, None
    kept = tuple(part for part in hearing.differences if part.start < end - 0.05)
    words = len(hearing.aligned) + sum(len(part.said.split()) for part in kept if part.kind == "missing")
    rate = round(sum(part.weight for part in kept) / max(1, words), 4)
    faults = tuple(fault for fault in verdict.faults if fault not in late)
    heard = replace(hearing, differences=kept, word_error_rate=min(rate, hearing.word_error_rate))
    return replace(verdict, faults=faults, hearing=heard), min(verdict.seconds, end + TAIL)


def _comes_last(fault: Fault, verdict: Verdict) -> bool:
    if fault.name == "after the end":
        return True
    return fault.name in ("silence", "noise") and fault.end is not None and fault.end > verdict.seconds - 0.1


def verdict_of(row: Mapping[str, Any]) -> Verdict:
    """A verdict from what `dataclasses.asdict` gave, as JSON has it; raises ValueError for anything else."""
    return _verdicts().validate_python(row)


@cache
def _verdicts() -> TypeAdapter[Verdict]:
    return TypeAdapter(Verdict)
