"""Marks inside a text: `[pause:1.5]` for silence, and `[word](/ipa/)` for a word's own phonemes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cosmos_workflow.errors import InputError, shorten

MAX_PAUSE = 60.0
"""Seconds."""

PAUSE = re.compile(r"\[pause:\s*(?P<seconds>\d{1,4}(?:\.\d{1,3})?)\s*s?\s*\]", re.IGNORECASE)
_PAUSE_LIKE = re.compile(r"\[\s*/?\s*(?:pause|break)\b[^\]\n]*\]?", re.IGNORECASE)
IPA = re.compile(r"\[(?P<word>[^\[\]\n]+)\]\(/(?P<ipa>[^/\n]+)/\)")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text without a pause in it, and the seconds of silence behind it."""

    text: str
    pause: float = 0.0


def split_pauses(text: str) -> list[Segment]:
    """The stretches of a text between its pauses; the text of one may be empty, where pauses follow one another or come first."""
    if "[" not in text:
        return [Segment(text.strip())]
    segments: list[Segment] = []
    start = 0
    for match in PAUSE.finditer(text):
        segments.append(Segment(text[start : match.start()].strip(), float(match["seconds"])))
        start = match.end()
    rest = text[start:].strip()
    return [*segments, Segment(rest)] if rest or not segments else segments


def without_marks(text: str) -> str:
    """The text as a person reads it: pauses away, words in the place of their phonemes."""
    return " ".join(IPA.sub(lambda match: match["word"], PAUSE.sub(" ", text)).split())


def check_pauses(text: str) -> None:
    """Raise InputError for a pause that is none, or is too long."""
    for match in _PAUSE_LIKE.finditer(text):
        pause = PAUSE.fullmatch(match[0])
        if pause is None:
            raise InputError(f"{shorten(match[0])} isn't a pause; write [pause:1.5], in seconds.")
        if float(pause["seconds"]) > MAX_PAUSE:
            raise InputError(f"{shorten(match[0])} is too long; a pause lasts at most {MAX_PAUSE:g} seconds.")
