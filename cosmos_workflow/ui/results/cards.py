"""The cards of the shelf: a job's book with its chapters, or the results of its tasks, and its pieces folded away below."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from urllib.parse import quote

from cosmos_workflow.jobs.books.final import BookChapter, BookFile, BookFinal
from cosmos_workflow.jobs.speech.assembly import Final
from cosmos_workflow.jobs.state import TaskReport, TaskStatus
from cosmos_workflow.ui import markup
from cosmos_workflow.ui.markup import Row
from cosmos_workflow.ui.results.shelf import Shelved
from cosmos_workflow.ui.text import clock, count, precise_seconds, shorten_text

MOST = 100
"""Results of a job that have a player of their own; the rest are played in Jobs."""
_OPEN = 2
"""Results up to which all are unfolded."""


def shelf_card(one: Shelved, opened: bool) -> Row:
    """A job on the shelf; `opened` says that its pieces are shown below."""
    book, report = one.book, one.report
    title = book.title if book else report.job.name
    chip = ""
    if report.status is not TaskStatus.COMPLETED:
        tone = {TaskStatus.RUNNING: "running", TaskStatus.FAILED: "failed"}.get(report.status, "partial")
        chip = markup.chip(report.label, tone)
    cover = ""
    if book and book.cover:
        cover = f'<img class="cw-cover" alt="Cover" src="{escape(book_url(one.job_id, book, book.cover.name))}">'
    authors = f'<span class="cw-sub">{escape(", ".join(book.authors))}</span>' if book and book.authors else ""
    words = f"{markup.card_head(shorten_text(title, 140), chip)}{authors}{markup.sub(' · '.join(_facts(one)))}"
    words += markup.note(" ".join(_notes(one)))
    button = (
        f'<button type="button" data-action="pieces" aria-expanded="{str(opened).lower()}">'
        f"{'Hide its pieces' if opened else 'Show its pieces'}</button>"
    )
    parts = [_book_file(one, book, file) for file in book.files] if book else _results(one)
    head = f'<div class="cw-book">{cover}<div class="cw-book-words">{words}</div></div>'
    return {"id": one.job_id, "html": f'{head}{"".join(parts)}<div class="cw-actions">{button}</div>'}


def book_url(job_id: str, book: BookFinal, name: str) -> str:
    """Where a file of a book is served; one that is put together later has another address."""
    return f"book-files/{quote(job_id)}/{quote(name)}?made={book.created_at:.3f}"


def _facts(one: Shelved) -> Iterator[str]:
    book = one.book
    if book:
        yield count(sum(len(file.chapters) for file in book.files), "chapter")
        yield precise_seconds(book.seconds)
    else:
        seconds = sum(task.final.seconds for task in one.made if task.final)
        made, tasks = len(one.made), len(one.report.tasks)
        yield count(made, "result") if made == tasks else f"{made:,} of {count(tasks, 'result')}"
        if seconds:
            yield precise_seconds(seconds)
    yield clock(one.created_at)
    if book and book.narrator:
        yield f"read by {book.narrator}"


def _notes(one: Shelved) -> Iterator[str]:
    if one.book and one.book.note:
        yield one.book.note
    if not one.book and not one.made:
        heard = sum(run is not None for task in one.report.tasks for run in task.chosen)
        yield f"Nothing is put together yet; {count(heard, 'piece')} can be heard."
    if listen := sum(len(task.listen) for task in one.report.tasks):
        yield f"{count(listen, 'piece')} to listen to, in Jobs."


def _results(one: Shelved) -> Iterator[str]:
    made = one.made
    yield from (_result(task, alone=len(made) == 1, opened=len(made) <= _OPEN) for task in made[:MOST])
    if len(made) > MOST:
        yield markup.sub(f"and {count(len(made) - MOST, 'more result')}, in Jobs")


def _result(report: TaskReport, alone: bool, opened: bool) -> str:
    final, run = report.final, report.chosen[0]
    preload = "metadata" if opened else "none"
    if final:
        notes = [final.note, "" if report.current else "It is from before the last change."]
        source = markup.final_url(report.task.id, final, "sound")
        player = markup.sound(source, shorten_text(report.task.title, 60), preload)
        files = markup.files(_along([(0.0, report.task.id, final)]), markup.final_downloads(report.task.id, final))
        body = f"{player}{markup.note(' '.join(note for note in notes if note))}{files}"
        length = precise_seconds(final.seconds)
    elif run:
        key, _medium = markup.main_output(run)
        save = markup.output_download(run, key, "Download") if key else ""
        body, length = f"{markup.player(run, preload)}{markup.files(save)}", ""
    else:
        return ""
    result = f'<div class="cw-book-file" data-player>{body}</div>'
    if alone:
        return result
    title = f"<span>{escape(shorten_text(report.task.title, 90))}</span>{markup.sub(length)}"
    is_open = " open" if opened else ""
    return f'<details class="cw-entry"{is_open}><summary>{title}</summary>{result}</details>'


def _book_file(one: Shelved, book: BookFinal, file: BookFile) -> str:
    source = book_url(one.job_id, book, file.path.name)
    label = shorten_text(file.chapters[0].title if len(book.files) > 1 else book.title, 60)
    finals = [(chapter, *_final_of(one, book, chapter)) for chapter in file.chapters]
    along = _along([(chapter.start, task_id, final) for chapter, task_id, final in finals if final])
    marks = "".join(_chapter(chapter, task_id, final) for chapter, task_id, final in finals)
    chapters = ""
    if len(file.chapters) > 1:
        is_open = " open" if len(file.chapters) <= 12 else ""
        summary = count(len(file.chapters), "chapter")
        chapters = f'<details class="cw-chapters"{is_open}><summary>{summary}</summary><ol>{marks}</ol></details>'
    save = markup.download(f"{source}&download=1", file.path.name)
    if file.path.suffix == ".epub":  # no player of a browser plays it, but the sounds of its chapters
        heard = "".join(_result(report, False, False) for report in one.made)
        return f'<div class="cw-book-file">{markup.files(save)}{heard}</div>'
    return f'<div class="cw-book-file" data-player>{markup.sound(source, label)}{chapters}{markup.files(along, save)}</div>'


def _chapter(chapter: BookChapter, task_id: str, final: Final | None) -> str:
    subtitles = ""
    if final and "subtitles" in final.files:
        address = f"{markup.final_url(task_id, final, 'subtitles')}&download=1"
        subtitles = markup.download(address, "subtitles", f"Subtitles of {shorten_text(chapter.title, 60)}")
    return (
        f'<li><button type="button" data-seek="{chapter.start:.3f}"><span>{escape(shorten_text(chapter.title, 90))}</span>'
        f'<span class="cw-sub">{precise_seconds(chapter.end - chapter.start)}</span></button>{subtitles}</li>'
    )


def _final_of(one: Shelved, book: BookFinal, chapter: BookChapter) -> tuple[str, Final | None]:
    """The final that a chapter of the book was bound from."""
    report = next((task for task in one.report.tasks if task.task.key == chapter.key), None)
    if report is None:
        return "", None
    return report.task.id, next((final for final in reversed(report.finals) if final.created_at <= book.created_at), None)


def _along(chapters: list[tuple[float, str, Final]]) -> str:
    """The button that shows what is said while it plays; empty where nobody measured when."""
    if not any(final.timed for _, _, final in chapters):
        return ""
    timed = [[round(start, 3), markup.final_url(task_id, final, "words")] for start, task_id, final in chapters]
    return f'<button type="button" data-along="{escape(json.dumps(timed))}" aria-expanded="false">Read along</button>'
