"""Books read from files by well-kept libraries. Whatever such a file holds, nothing in it is run, fetched or followed."""

from __future__ import annotations

import pkgutil
import re
from dataclasses import replace
from pathlib import Path

from cosmos_workflow.books.book import Book, Reading
from cosmos_workflow.errors import InputError, list_choices

MAX_FILE = 500_000_000
"""Bytes of a book's file."""

ENDINGS = (".epub", ".docx", ".html", ".htm", ".xhtml", ".md", ".markdown", ".txt", ".pdf", ".fb2", ".fb2.zip", ".srt", ".vtt")

_READERS = {
    **dict.fromkeys((".html", ".htm", ".xhtml"), "documents:read_web_page"),
    **dict.fromkeys((".md", ".markdown"), "documents:read_markdown"),
    ".txt": "plain:read_plain",
    **dict.fromkeys((".srt", ".vtt"), "plain:read_subtitles"),
}
"""Who reads a file whose content doesn't say what it is; each is imported when it is needed."""
_LOCKED = {".azw": "Kindle", ".azw3": "Kindle", ".kfx": "Kindle", ".mobi": "Mobipocket", ".acsm": "Adobe", ".lcpl": "Readium LCP"}
_ADVICE = {
    ".acsm": "It is a voucher and holds no text",
    ".lcpl": "It is a licence and holds no text",
    **dict.fromkeys((".doc", ".rtf", ".odt"), "Save it as .docx"),
}


def read_book(path: Path, reading: Reading | None = None) -> Book:
    """The book in a file; raises InputError with a sentence where there is none that can be read."""
    if not path.is_file():
        raise InputError(f"There is no file {path}; check the name.")
    if path.stat().st_size > MAX_FILE:
        raise InputError(f"{path.name} is too large for a book; use a file of at most {MAX_FILE // 1_000_000} MB.")
    read = pkgutil.resolve_name(f"{__name__}.{_reader(path)}")
    book: Book = read(path, reading or Reading())
    if not book.chapters:
        raise InputError(f"{path.name} holds no text that can be read.")
    return replace(book, language=_code(book.language))


def _reader(path: Path) -> str:
    """Which reader takes a file: by its content where that says it, else by its ending."""
    with path.open("rb") as file:
        head = file.read(4096)
    ending = path.suffix.lower()
    if head.startswith(b"%PDF"):
        return "pdf:read_pdf"
    if head.startswith(b"PK"):
        if ending == ".docx":
            return "documents:read_docx"
        return "fb2:read_fb2" if path.name.lower().endswith((".fb2.zip", ".fb2")) else "epub:read_epub"
    if b"<FictionBook" in head or ending == ".fb2":
        return "fb2:read_fb2"
    if ending in _READERS:
        return _READERS[ending]
    if ending in ENDINGS:
        raise InputError(f"{path.name} is damaged: what is in it isn't {ending[1:].upper()}; get it anew.")
    if ending in _LOCKED:
        hint = _ADVICE.get(ending, "Such files are mostly protected (DRM)")
        raise InputError(f"{path.name} is {_LOCKED[ending]}'s own format. {hint}; get the book as an EPUB without protection.")
    hint = f" {_ADVICE[ending]}." if ending in _ADVICE else ""
    raise InputError(f"{path.name} isn't a book that can be read; use {list_choices(ENDINGS, 20)}.{hint}")


def _code(language: str) -> str:
    """A language's code in small letters, as "en" or "pt-br"; empty for what isn't one."""
    tidied = language.strip().lower().replace("_", "-")
    found = re.match(r"([a-z]{2,3})(?:-([a-z]{2}))?(?:-|$)", tidied)
    if not found or found[1] == "und":
        return ""
    return f"{found[1]}-{found[2]}" if found[2] else found[1]
