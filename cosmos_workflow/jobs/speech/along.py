"""The words of a final with their times, for somebody who reads along while it plays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cosmos_workflow.checking.verdict import TimedWord
from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.speech.assembly import Final
from cosmos_workflow.jobs.speech.subtitles import readable


def read_along(final: Final) -> list[dict[str, Any]]:
    """What is said in a final, piece by piece as plain JSON: `start`, `break` (the one behind it), and `words` as pairs of a
    stretch of text and the second at which it begins. The stretches of a piece put together are its text; one that wasn't heard
    is part of the one before.

    Raises InputError where the final's description is gone.
    """
    try:
        told = json.loads(final.path.with_suffix(".json").read_text(encoding="utf-8"))["pieces"]
        return [_piece(piece) for piece in told]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"What is said in {final.path.name} can't be read any more; put it together again.") from error


def _piece(told: dict[str, Any]) -> dict[str, Any]:
    start, said = float(told["start"]), readable(str(told["text"]))
    begun = [(0, start), *((place, start + first) for place, first in _placed(said, told.get("words", ())))]
    if len(begun) > 1 and begun[1][0] == 0:
        del begun[0]
    ends = [*(place for place, _ in begun[1:]), len(said)]
    words = [[said[place:end], round(second, 3)] for (place, second), end in zip(begun, ends, strict=True)]
    return {"start": round(start, 3), "break": str(told.get("break", "")), "words": words}


def _placed(said: str, words: Sequence[TimedWord]) -> list[tuple[int, float]]:
    """The place of each word in what is said, in order, and its second; one that isn't found is left out."""
    found: list[tuple[int, float]] = []
    at = 0
    for word, first, _ in words:
        place = said.find(str(word), at)
        if place >= 0:
            found.append((place, float(first)))
            at = place + len(str(word))
    return found
