"""The sentences of a chapter with the seconds at which they begin: where they were heard, else where their piece begins."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from cosmos_workflow.books.output.read_along import Sentence
from cosmos_workflow.jobs.speech.along import read_along
from cosmos_workflow.jobs.speech.assembly import Final
from cosmos_workflow.jobs.speech.sentences import split_sentences


def sentences_of(final: Final, language: str) -> list[Sentence]:
    """What is said in a final, in order. A sentence that nobody heard the beginning of is part of the one before."""
    found: list[Sentence] = []
    begins = True
    for piece in read_along(final):
        timed = _timed(piece["words"], language)
        found += [Sentence(text, start, begins and not number) for number, (text, start) in enumerate(timed)]
        begins = piece["break"] in ("paragraph", "speaker")
    return found


def _timed(words: Sequence[tuple[str, float]], language: str) -> list[tuple[str, float]]:
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
