"""Books among the results: a card each, with cover, player and chapters, and their pieces folded away below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from cosmos_workflow.jobs.books.final import BookFile, BookFinal
from cosmos_workflow.jobs.plan import TakeRef
from cosmos_workflow.ui import markup
from cosmos_workflow.ui.markup import Row
from cosmos_workflow.ui.text import clock, count, precise_seconds, shorten_text

BOOKS = "results-books"
Books = Callable[[str], Sequence[tuple[str, BookFinal]]]
"""An owner's books, each with its job's id."""


def jobs_with_books(books: Sequence[tuple[str, BookFinal]]) -> list[str]:
    """The jobs whose pieces are shown below their books."""
    return [job_id for job_id, _ in books]


def shown_runs(folded: Sequence[str], job: str = "") -> dict[str, Any]:
    """Which runs are shown, as the store takes it: the pieces of one job, or all but those of the jobs that are folded away."""
    if job:
        return {"source": TakeRef.all_of(job), "without": ()}
    return {"source": None, "without": [TakeRef.all_of(job_id).removesuffix("*") for job_id in folded]}


def shelf(books: Sequence[tuple[str, BookFinal]], opened: str = "") -> dict[str, Any]:
    """The books' cards; `opened` is the job whose pieces are shown below."""
    return {"rows": [_card(job_id, book, job_id == opened) for job_id, book in books]}


def book_url(job_id: str, book: BookFinal, name: str) -> str:
    """Where a file of a book is served; one that is put together later has another address."""
    return f"book-files/{quote(job_id)}/{quote(name)}?made={book.created_at:.3f}"


def _card(job_id: str, book: BookFinal, opened: bool) -> Row:
    cover = ""
    if book.cover:
        cover = f'<img class="cw-cover" alt="Cover" src="{escape(book_url(job_id, book, book.cover.name))}">'
    authors = f'<span class="cw-sub">{escape(", ".join(book.authors))}</span>' if book.authors else ""
    chapters = sum(len(file.chapters) for file in book.files)
    read = f" · read by {book.narrator}" if book.narrator else ""
    facts = f"{count(chapters, 'chapter')} · {precise_seconds(book.seconds)} · {clock(book.created_at)}{read}"
    words = f"{markup.card_head(escape(shorten_text(book.title, 140)))}{authors}{markup.sub(facts)}{markup.note(book.note)}"
    files = "".join(_file(job_id, book, file) for file in book.files)
    button = (
        f'<button type="button" data-action="pieces" aria-expanded="{str(opened).lower()}">'
        f"{'Hide its pieces' if opened else 'Show its pieces'}</button>"
    )
    html = (
        f'<div class="cw-book">{cover}<div class="cw-book-words">{words}</div></div>{files}<div class="cw-actions">{button}</div>'
    )
    return {"id": job_id, "html": html}


def _file(job_id: str, book: BookFinal, file: BookFile) -> str:
    source = escape(book_url(job_id, book, file.path.name))
    label = escape(shorten_text(file.chapters[0].title if len(book.files) > 1 else book.title, 60))
    marks = "".join(
        f'<li><button type="button" data-seek="{chapter.start:.3f}"><span>{escape(shorten_text(chapter.title, 90))}</span>'
        f'<span class="cw-sub">{precise_seconds(chapter.end - chapter.start)}</span></button></li>'
        for chapter in file.chapters
    )
    chapters = ""
    if len(file.chapters) > 1:
        is_open = " open" if len(file.chapters) <= 12 else ""
        summary = count(len(file.chapters), "chapter")
        chapters = f'<details class="cw-chapters"{is_open}><summary>{summary}</summary><ol>{marks}</ol></details>'
    save = f'<a class="cw-download" href="{source}&download=1" download>{escape(file.path.name)}</a>'
    return (
        f'<div class="cw-book-file"><audio controls preload="metadata" aria-label="{label}" src="{source}"></audio>{chapters}'
        f'<div class="cw-files">{save}</div></div>'
    )
