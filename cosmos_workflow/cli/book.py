"""The verb `book`: a book becomes a job, a task a chapter, and with --run the job is made."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosmos_workflow.cli.options import Executor as _Executor
from cosmos_workflow.cli.options import (
    ExitCode,
    GpusOption,
    JsonOption,
    WorkersOption,
    WorkspaceOption,
    open_workspace,
    pool_options,
)
from cosmos_workflow.errors import InputError

if TYPE_CHECKING:
    from cosmos_workflow.books.book import Book


class Beside(StrEnum):
    """What becomes of something beside the text: read where it belongs, skipped, or moved to the end of its chapter."""

    READ = "read"
    SKIP = "skip"
    END = "end"


def book(
    file: Annotated[Path, typer.Argument(help="EPUB, DOCX, PDF, FB2, HTML, Markdown, TXT, SRT or VTT.")],
    engine: Annotated[str | None, typer.Option(help="Who reads; by default kokoro where it can run, else espeak.")] = None,
    voice: Annotated[str | None, typer.Option(help="A voice of the engine, or a recording for one that takes it.")] = None,
    chapters: Annotated[str | None, typer.Option(help="Chapters to read, e.g. 1-3,7; by default all.")] = None,
    footnotes: Annotated[Beside, typer.Option(help="Footnotes and endnotes.")] = Beside.SKIP,
    page_numbers: Annotated[Beside, typer.Option(help="Page numbers.")] = Beside.SKIP,
    captions: Annotated[Beside, typer.Option(help="Captions of pictures.")] = Beside.READ,
    tables: Annotated[Beside, typer.Option(help="Tables.")] = Beside.SKIP,
    code: Annotated[Beside, typer.Option(help="Code.")] = Beside.SKIP,
    pattern: Annotated[str, typer.Option(help="A regular expression for the lines that begin a chapter of a text.")] = "",
    show_list: Annotated[bool, typer.Option("--list", help="Print the chapters, and make nothing.")] = False,
    run: Annotated[bool, typer.Option("--run", help="Make it now; started again, it goes on where it stopped.")] = False,
    workspace: WorkspaceOption = None,
    gpus: GpusOption = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Turn a book into a job, a task a chapter, that you can read and edit; with --run, make it."""
    from cosmos_workflow.books.book import Reading
    from cosmos_workflow.books.reading import read_book

    beside: dict[str, Any] = {
        "footnotes": footnotes.value,
        "page_numbers": page_numbers.value,
        "captions": captions.value,
        "tables": tables.value,
        "code": code.value,
    }
    found = read_book(file, Reading(**beside, pattern=pattern))
    if show_list:
        _show(found, as_json)
        return
    from cosmos_workflow.jobs.books.voices import reader
    from cosmos_workflow.jobs.books.writing import add_book
    from cosmos_workflow.jobs.store import JobStore

    with pool_options(_Executor.LOCAL, None, gpus, workers) as where:
        opened = open_workspace(workspace)
        reads = reader(engine or "", voice or "", found.language)
        stored = add_book(JobStore(opened), found, reads, chapter_numbers(chapters or "", len(found.chapters)), file.name)
        if not run:
            typer.echo(f"{stored.path}\nMake it with: cosmos-workflow run {stored.path}")
            return
        from cosmos_workflow.cli.run_jobs import run_jobs

        succeeded = run_jobs([stored.path], opened, as_json=as_json, **where)
    raise typer.Exit(ExitCode.SUCCEEDED if succeeded else ExitCode.FAILED)


def chapter_numbers(text: str, last: int) -> list[int]:
    """The numbers that a text such as "1-3,7" or "5-" means; empty for an empty one. Raises InputError."""
    numbers: list[int] = []
    for part in filter(None, re.split(r"[,\s]+", text)):
        found = re.fullmatch(r"(\d{1,5})(?:(-)(\d{1,5})?)?", part)
        first = int(found[1]) if found else 0
        until = first if not found or not found[2] else int(found[3] or last)
        if not 1 <= first <= until <= last:
            raise InputError(f"--chapters: {part!r} isn't right; write 1-3,7, of the {last:,} chapters there are.")
        numbers += range(first, until + 1)
    return numbers


def _show(found: Book, as_json: bool) -> None:
    from cosmos_workflow.cli.terminal import show

    rows = [
        {"chapter": number, "title": chapter.title, "characters": len(chapter.text)}
        for number, chapter in enumerate(found.chapters, 1)
    ]
    show(rows, as_json, " · ".join([found.title, *found.authors]), "")
