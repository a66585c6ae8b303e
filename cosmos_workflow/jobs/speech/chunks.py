"""Long text cut into pieces that an engine can take. Pure: the same text and limits give the same pieces.

Paragraphs are kept: no piece spans two, so a change in one leaves the pieces of the others as they were. (One of a letter or
two, which an engine can't say alone, is said with its neighbour.) Nothing is lost: the pieces, put together, are the text but for
white space, for the speakers' marks, and for paragraphs without a letter or digit ("* * *"), which aren't spoken.
"""

# ruff: noqa: RUF001 - the marks of many scripts look alike

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cosmos_workflow.checking.verdict import TimedWord
from cosmos_workflow.engines.speech_text.marks import PAUSE, split_pauses
from cosmos_workflow.errors import did_you_mean, list_choices, shorten
from cosmos_workflow.jobs.speech.paragraphs import Paragraphs, Rule, paragraphs_of, rule_for
from cosmos_workflow.jobs.speech.sentences import split_sentences, whole_signs

Break = Literal["", "clause", "sentence", "paragraph", "speaker"]

DEFAULT_SPEAKER = "default"
"""The id in `<speaker:default>` that gives the word back to the task's own voice."""

_AHEAD = 80
"""Characters beside those in question that a border is recognised by."""

TARGET, MAX, MIN = 380, 460, 80
"""Characters of a piece, where a job says nothing: what speech models of our kind read well in one go."""

_TAG = re.compile(r"<speaker:([A-Za-z0-9_-]+)>")
_TAG_LIKE = re.compile(r"<\s*/?\s*speaker\b[^>\n]*>?", re.IGNORECASE)
_CLAUSE = re.compile(r"[,;:،؛][\"'”’»)\]]*\s+|\s[–—-]\s+|—|[、，；：]|[.!?…。！？][\"'”’»)\]]*\s+")
_ENDING = re.compile(r"[.!?…。！？؟।][\"'”’»」』)\]]*$")


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes of a piece in characters: never above `max`, near `target`, and not below `min` where its paragraph allows."""

    target: int = TARGET
    max: int = MAX
    min: int = MIN


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a text: what is said, by whom ("" is the task's own voice), and the break behind it ("" for the last).

    `line` is the line of the text, from 1, in which its paragraph begins. `pause` is the silence behind it in seconds where the
    text states it; None leaves that to the break. `borders` are the places of `text` where a further paragraph begins, in a piece
    that says several since one was too short.
    """

    text: str
    speaker: str = ""
    break_after: Break = ""
    line: int = 1
    pause: float | None = None
    borders: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A made piece: the run that made it, its sound, its text, its speaker, the break behind it, and the pause that the text
    states there.

    `until` is the second at which it is cut, None where it isn't; `words` are the words that were heard in it, with their times;
    `borders` are the places of its text where a further paragraph begins.
    """

    run_id: str
    path: Path
    text: str
    speaker: str = ""
    break_after: Break = ""
    pause: float | None = None
    until: float | None = None
    words: tuple[TimedWord, ...] = ()
    borders: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TextProblem:
    """Something wrong in a text: the line, from 1, and a sentence."""

    line: int
    message: str


def cut_text(
    text: str,
    limits: Limits,
    language: str = "en",
    speakers: Collection[str] = (),
    paragraphs: Paragraphs = "blank_line",
    shortest: int = 1,
) -> tuple[list[Chunk], list[TextProblem]]:
    """The pieces of a text, and what is wrong with its speaker tags; a tag that is wrong doesn't switch the voice.

    A paragraph of fewer than `shortest` letters and digits ("I", "V") is said together with a neighbour of its speaker.
    """
    problems = list(_wrong_tags(text, speakers))
    rule = rule_for(_TAG.sub("", text) if paragraphs == "auto" else "", paragraphs)
    chunks: list[Chunk] = []
    for speaker, part, line in _turns(text, speakers):
        turn = list(_cut_turn(part, line, speaker, limits, language, rule))
        if not turn:
            continue
        if chunks:
            chunks[-1] = replace(chunks[-1], break_after="speaker" if chunks[-1].speaker != speaker else "paragraph")
        chunks.extend(turn)
    return _with_short_ones(chunks, shortest, limits) if shortest > 1 else chunks, problems


def split_long(sentence: str, limits: Limits) -> list[str]:
    """A sentence in parts that fit, cut at a clause border where there is one, else between words, else between letters.

    The white space between two parts stays behind the first of them.
    """
    parts: list[str] = []
    start, end = 0, len(sentence.rstrip())
    while end - start > limits.max:
        place = start + _cut_place(sentence[start : start + limits.max + _AHEAD], end - start, limits.max)
        parts.append(sentence[start:place])
        start = place
    return [*parts, sentence[start:]]


def _cut_place(text: str, length: int, most: int) -> int:
    """Where to cut what begins with `text`, whose length is `length` in all: at most `most` characters in."""
    # Parts of nearly equal length read better than a full one and a rest of two words.
    ideal = length / -(-length // most)
    clauses = [match.end() for match in _CLAUSE.finditer(text) if len(text[: match.end()].rstrip()) <= most]
    words = [match.end() for match in re.finditer(r"\s+", text[: most + 1])]
    for places in ([place for place in clauses if place >= ideal / 2], words):
        if places:
            return min(places, key=lambda place: abs(place - ideal))
    return whole_signs(text, most)


def _line_finder(text: str, first: int = 1) -> Callable[[int], int]:
    """Tells the line of each place of a text."""
    ends = [match.start() for match in re.finditer("\n", text)]
    return lambda place: first + bisect_left(ends, place)


def _with_short_ones(chunks: Sequence[Chunk], shortest: int, limits: Limits) -> list[Chunk]:
    """The pieces, those that are too short said with the next one of their speaker, or with the one before."""
    joined: list[Chunk] = []
    waiting: Chunk | None = None
    for chunk in [*chunks, None]:
        now = chunk
        if waiting is not None:
            if chunk and _go_together(waiting, chunk, limits):
                now = _together(waiting, chunk)
            elif joined and _go_together(joined[-1], waiting, limits):
                joined[-1] = _together(joined[-1], waiting)
            else:  # without a neighbour: as a sentence, so that it is read and not spelt
                joined.append(replace(waiting, text=_ended(waiting.text)))
        waiting = now if now and _letters(now) < shortest else None
        if now and waiting is None:
            joined.append(now)
    return joined


def _letters(chunk: Chunk) -> int:
    return sum(letter.isalnum() for letter in PAUSE.sub("", chunk.text))


def _go_together(first: Chunk, second: Chunk, limits: Limits) -> bool:
    return first.pause is None and first.speaker == second.speaker and len(_together(first, second).text) <= limits.max


def _together(first: Chunk, second: Chunk) -> Chunk:
    """Both texts, the first one ended so that a pause is heard."""
    text = f"{_ended(first.text)} "
    borders = (*first.borders, len(text), *(len(text) + place for place in second.borders))
    return replace(second, text=text + second.text, line=first.line, borders=borders)


def _ended(text: str) -> str:
    """With a full stop where it has no end."""
    return text if _ENDING.search(text) or text[-1] in ",;:" or not text[-1].isalnum() else f"{text}."


def _cut_turn(text: str, line: int, speaker: str, limits: Limits, language: str, rule: Rule) -> Iterator[Chunk]:
    paragraphs: list[tuple[str, int]] = []
    line_of = _line_finder(text, line)
    for start, end in paragraphs_of(text, rule):
        raw = text[start:end]
        lead = len(raw) - len(raw.lstrip())
        if any(letter.isalnum() for letter in PAUSE.sub("", raw)):
            paragraphs.append((" ".join(raw.split()), line_of(start + lead)))
    for number, (paragraph, at) in enumerate(paragraphs, 1):
        pieces = list(_between_pauses(paragraph, limits, language))
        for index, (piece, pause) in enumerate(pieces, 1):
            after: Break = "sentence" if _ENDING.search(piece) else "clause"
            if index == len(pieces):
                after = "paragraph" if number < len(paragraphs) else ""
            yield Chunk(piece, speaker, after, at, pause)


def _between_pauses(paragraph: str, limits: Limits, language: str) -> Iterator[tuple[str, float | None]]:
    """The pieces of a paragraph with the pause that the text states behind each; one before the first word stays in its text."""
    lead = ""
    held: list[tuple[str, float | None]] = []
    for segment in split_pauses(paragraph):
        mark = f"[pause:{segment.pause:g}]" if segment.pause else ""
        if not any(letter.isalnum() for letter in segment.text):
            if held:
                held[-1] = (held[-1][0], (held[-1][1] or 0.0) + segment.pause)
            else:
                lead += mark
            continue
        yield from held
        pieces = _pack(lead + segment.text, limits, language)
        held = [*((piece, None) for piece in pieces[:-1]), (pieces[-1], segment.pause or None)]
        lead = ""
    yield from held


def _pack(paragraph: str, limits: Limits, language: str) -> list[str]:
    parts = [part for sentence in split_sentences(paragraph, language) for part in split_long(sentence, limits)]
    pieces: list[str] = []
    for part in parts:
        together = len((pieces[-1] + part).rstrip()) if pieces else limits.max + 1
        too_short = bool(pieces) and min(len(pieces[-1].rstrip()), len(part.rstrip())) < limits.min
        if together <= limits.target or (too_short and together <= limits.max):
            pieces[-1] += part
        else:
            pieces.append(part)
    return [piece.strip() for piece in pieces if piece.strip()]


def _turns(text: str, speakers: Collection[str]) -> Iterator[tuple[str, str, int]]:
    line_of, speaker, start = _line_finder(text), "", 0
    for match in _TAG.finditer(text):
        if match[1] in speakers or match[1] == DEFAULT_SPEAKER:
            yield speaker, text[start : match.start()], line_of(start)
            speaker = match[1] if match[1] in speakers else ""
            start = match.end()
    yield speaker, text[start:], line_of(start)


def _wrong_tags(text: str, speakers: Collection[str]) -> Iterator[TextProblem]:
    known, line_of = sorted({*speakers, DEFAULT_SPEAKER}), _line_finder(text)
    for match in _TAG_LIKE.finditer(text):
        line = line_of(match.start())
        tag = _TAG.fullmatch(match[0])
        if tag is None:
            yield TextProblem(line, f"{shorten(match[0])} isn't a speaker's mark; write <speaker:id>.")
        elif tag[1] not in known:
            hint = did_you_mean(tag[1], known)
            yield TextProblem(
                line,
                f"the speaker {shorten(tag[1])} isn't defined{hint}; define it under speakers, or use {list_choices(known)}.",
            )
