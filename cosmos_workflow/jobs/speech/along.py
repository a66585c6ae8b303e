"""What is said in a final with its times, for somebody who reads along while it plays: words, and sentences."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

from cosmos_workflow.books.output.read_along import Sentence
from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.speech.assembly import Final
from cosmos_workflow.jobs.speech.sentences import split_sentences
from cosmos_workflow.jobs.speech.subtitles import placed, readable


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


def sentences_of(final: Final, language: str) -> list[Sentence]:
    """The sentences in a final. One that nobody heard the beginning of is part of the one before."""
    found: list[Sentence] = []
    begins = True
    for piece in read_along(final):
        timed = _timed(piece["words"], language)
        found += [Sentence(text, start, begins and not number) for number, (text, start) in enumerate(timed)]
        begins = piece["break"] in ("paragraph", "speaker")
    return found


def _piece(told: dict[str, Any]) -> dict[str, Any]:
    start, said = float(told["start"]), readable(str(told["text"]))
    begun = [(0, start), *((place, start + first) for place, _, first, _ in placed(said, told.get("words", ())))]
    if len(begun) > 1 and begun[1][0] == 0:
        del begun[0]
    ends = [*(place for place, _ in begun[1:]), len(said)]
    words = [[said[place:end], round(second, 3)] for (place, second), end in zip(begun, ends, strict=True)]
    return {"start": round(start, 3), "break": str(told.get("break", "")), "words": words}


def _timed(words: Sequence[tuple[str, float]], language: str) -> list[tuple[str, float]]:
    """Sentences, each with the second at which it begins: where that was heard, else where the piece begins."""
    text = "".join(stretch for stretch, _ in words)
    ends = list(itertools.accumulate(len(stretch) for stretch, _ in words))
    places = {place: second for place, (_, second) in zip([0, *ends[:-1]], words, strict=True)}
    found: list[tuple[str, float]] = []
    place = 0
    for sentence in split_sentences(text, language):
        if place in places or not found:
            found.append((sentence, places.get(place, words[0][1])))
        else:
            found[-1] = (found[-1][0] + sentence, found[-1][1])
        place += len(sentence)
    return [(sentence.strip(), start) for sentence, start in found if sentence.strip()]
