"""What is kept of a book that was put together: its files with their chapters, and what it was made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RECORD = "book.json"
MADE = "made"
"""The folder of its files, beside the record."""


@dataclass(frozen=True, slots=True)
class BookChapter:
    """A chapter in a file of the book: its task's key, its title, where it begins and ends in seconds."""

    key: str
    title: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class BookFile:
    """A file of the book with its chapters."""

    path: Path
    seconds: float
    chapters: tuple[BookChapter, ...]


@dataclass(frozen=True, slots=True)
class BookFinal:
    """A book as it was put together last: its files, the titles of chapters that aren't in it, and those that are in it as they
    were before their last change. `state` tells what it was made of."""

    title: str
    authors: tuple[str, ...]
    narrator: str
    files: tuple[BookFile, ...]
    missing: tuple[str, ...]
    stale: tuple[str, ...]
    cover: Path | None
    state: str
    created_at: float

    @property
    def seconds(self) -> float:
        """How long all of it lasts."""
        return sum(file.seconds for file in self.files)

    @property
    def note(self) -> str:
        """What a listener should know; empty for a whole book."""
        missing = f"Not in it yet: {', '.join(self.missing[:5])}{_more(self.missing)}." if self.missing else ""
        stale = f"From before the last change: {', '.join(self.stale[:5])}{_more(self.stale)}." if self.stale else ""
        return " ".join(part for part in (missing, stale) if part)


def read_record(folder: Path) -> BookFinal | None:
    """The book that was put together last in a folder; None before that, or where its files were deleted."""
    try:
        told = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        files = tuple(
            BookFile(
                folder / MADE / str(file["file"]),
                float(file["seconds"]),
                tuple(BookChapter(str(key), str(title), float(start), float(end)) for key, title, start, end in file["chapters"]),
            )
            for file in told["files"]
        )
        cover = folder / MADE / "cover.jpg"
        found = BookFinal(
            title=str(told["title"]),
            authors=tuple(told["authors"]),
            narrator=str(told["narrator"]),
            files=files,
            missing=tuple(told["missing"]),
            stale=tuple(told["stale"]),
            cover=cover if cover.is_file() else None,
            state=str(told["state"]),
            created_at=float(told["created_at"]),
        )
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None
    return found if files and all(file.path.is_file() for file in files) else None


def described(final: BookFinal) -> str:
    """A book as its record."""
    content = {
        "title": final.title,
        "authors": final.authors,
        "narrator": final.narrator,
        "files": [
            {
                "file": file.path.name,
                "seconds": file.seconds,
                "chapters": [[one.key, one.title, one.start, one.end] for one in file.chapters],
            }
            for file in final.files
        ],
        "missing": final.missing,
        "stale": final.stale,
        "state": final.state,
        "created_at": final.created_at,
    }
    return json.dumps(content, ensure_ascii=False, indent=1)


def _more(titles: Sequence[str]) -> str:
    return f" and {len(titles) - 5} more" if len(titles) > 5 else ""
