"""What a book is once it was read: chapters of plain text with light marks, and what a player shows of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Treatment = Literal["read", "skip", "end"]
"""What becomes of something beside the text: it is read where it belongs, left out, or moved to the end of its chapter."""

MAX_TITLE = 500
"""Characters of a title that are kept."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of a book beside its text. A note is read behind the paragraph that refers to it, never inside a sentence.

    `pattern` is a regular expression for the lines that begin a chapter of a plain text; empty for the usual words.
    """

    footnotes: Treatment = "skip"
    page_numbers: Treatment = "skip"
    captions: Treatment = "read"
    tables: Treatment = "skip"
    code: Treatment = "skip"
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter: its title, and its text, paragraphs divided by blank lines.

    `[pause:1.5]` in it is silence where the book has a break in its scene.
    """

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Book:
    """A book. `language` is a code such as "en" ("" where the book doesn't say), `cover` a JPEG (b"" for none)."""

    title: str
    authors: tuple[str, ...] = ()
    language: str = ""
    year: int | None = None
    chapters: tuple[Chapter, ...] = ()
    cover: bytes = field(default=b"", repr=False)
