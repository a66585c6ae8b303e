"""What any book is read into first: blocks in their order. From blocks come chapters, and their text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from cosmos_workflow.books.book import MAX_TITLE, Chapter, Reading

Kind = Literal["paragraph", "heading", "break", "note", "page", "caption", "table", "code", "anchor"]

BREAK = "[pause:1.5]"
"""A break in the scene, as its paragraph's last mark."""

_SPEAKER_LIKE = re.compile(r"<(?=\s*/?\s*speaker\b|\s*\?xml|\s*speak[\s>])", re.IGNORECASE)
_PAUSE_LIKE = re.compile(r"\[(?=\s*/?\s*(?:pause|break)\b)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\u200b\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph or the like. `level` is a heading's, from 1; `notes` are those that the block refers to.

    An anchor has no text of its own: `text` is what a table of contents calls the place.
    """

    kind: Kind
    text: str = ""
    level: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """Where a chapter begins: the place of its first block, and its title ("" for that of its first heading)."""

    place: int
    title: str = ""


def tidy(text: str) -> str:
    """Text of one paragraph: white space runs are one space, lines stay lines, and nothing in it is a mark of ours."""
    text = _CONTROL.sub("", text).replace("\u00ad", "")
    lines = (" ".join(line.split()) for line in text.split("\n"))
    plain = "\n".join(line for line in lines if line)
    # A book that shows such marks means their letters.
    return _PAUSE_LIKE.sub("(", _SPEAKER_LIKE.sub("‹", plain))  # noqa: RUF001


def one_line(text: str, most: int = MAX_TITLE) -> str:
    """A title on one line."""
    line = " ".join(tidy(text).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def has_words(text: str) -> bool:
    """Whether there is anything to say."""
    return any(letter.isalnum() for letter in text)


def heading_starts(blocks: Sequence[Block]) -> list[Start]:
    """Chapters by headings: those of the highest level that stands there twice, and any above it; one chapter without."""
    levels = [block.level for block in blocks if block.kind == "heading"]
    repeated = [level for level in sorted(set(levels)) if levels.count(level) > 1]
    if not repeated:
        return [Start(0)]
    return [
        Start(place, one_line(block.text))
        for place, block in enumerate(blocks)
        if block.kind == "heading" and block.level <= repeated[0]
    ]


def chapters_of(blocks: Sequence[Block], starts: Sequence[Start], reading: Reading) -> tuple[Chapter, ...]:
    """The chapters that begin at `starts`, in order, and what comes before. One without words is left out; one of headings alone
    begins the next."""
    if not starts or starts[0].place:
        starts = [Start(0), *starts]
    chapters: list[Chapter] = []
    carried: list[Block] = []
    for number, start in enumerate(starts):
        end = starts[number + 1].place if number + 1 < len(starts) else len(blocks)
        own = [*carried, *blocks[start.place : end]]
        carried = []
        if not any(block.kind not in ("heading", "anchor", "break") and has_words(block.text) for block in own):
            carried = [block for block in own if block.kind == "heading"] if number + 1 < len(starts) else []
            continue
        text = text_of(own, reading)
        if has_words(text):
            title = start.title or next((one_line(block.text) for block in own if block.kind == "heading"), "")
            chapters.append(Chapter(title or f"Chapter {len(chapters) + 1}", text))
    return tuple(chapters)


def text_of(blocks: Iterable[Block], reading: Reading) -> str:
    """The text of a chapter: what is read where it belongs, and at the end what was moved there."""
    treatments = {
        "note": reading.footnotes,
        "page": reading.page_numbers,
        "caption": reading.captions,
        "table": reading.tables,
        "code": reading.code,
    }
    lines: list[str] = []
    moved: list[str] = []
    for block in blocks:
        if block.kind == "anchor":
            continue
        if block.kind == "break":
            if lines and not lines[-1].endswith("]"):
                lines[-1] += f" {BREAK}"
            continue
        treatment = treatments.get(block.kind, "read")
        notes = [note for note in map(tidy, block.notes) if has_words(note)]
        if treatment != "skip" and (text := tidy(block.text)):
            (lines if treatment == "read" else moved).append(text)
        if reading.footnotes != "skip":
            (lines if reading.footnotes == "read" and treatment != "end" else moved).extend(notes)
    return "\n\n".join([*lines, *moved])
