"""The verb `book`: a book becomes a job, a task a chapter, and with --run the job is made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from cosmos_workflow.books.book import Book, Reading, Treatment
from cosmos_workflow.cli.options import (
    ExitCode,
    GpusOption,
    JsonOption,
    WorkersOption,
    WorkspaceOption,
    open_workspace,
    pool_options,
)
from cosmos_workflow.cli.terminal import print_json
from cosmos_workflow.errors import InputError, command

if TYPE_CHECKING:
    from cosmos_workflow.jobs.store import JobStore


Kind = Literal["m4b", "mp3", "opus", "flac", "wav", "epub"]
"""What a book is written as."""


def book(
    file: Annotated[Path, typer.Argument(help="EPUB, DOCX, PDF, FB2, HTML, Markdown, TXT, SRT or VTT.")],
    engine: Annotated[str | None, typer.Option(help="Who reads; by default kokoro where it can run, else espeak.")] = None,
    voice: Annotated[str | None, typer.Option(help="A voice of the engine, or a recording for one that takes it.")] = None,
    dialogue: Annotated[str | None, typer.Option(help="A second voice, for what is quoted.")] = None,
    chapters: Annotated[str | None, typer.Option(help="Chapters to read, e.g. 1-3,7; by default all.")] = None,
    footnotes: Annotated[Treatment, typer.Option(help="Footnotes and endnotes.")] = "skip",
    page_numbers: Annotated[Treatment, typer.Option(help="Page numbers.")] = "skip",
    captions: Annotated[Treatment, typer.Option(help="Captions of pictures.")] = "read",
    tables: Annotated[Treatment, typer.Option(help="Tables.")] = "skip",
    code: Annotated[Treatment, typer.Option(help="Code.")] = "skip",
    pattern: Annotated[str, typer.Option(help="A regular expression for the lines that begin a chapter of a text.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Make it now, and put it here: tale.m4b; a folder for a file a chapter.")
    ] = None,
    kind: Annotated[Kind | None, typer.Option("--format", help="By default what --out ends with, else m4b.")] = None,
    files: Annotated[bool, typer.Option("--files", help="A file a chapter instead of one.")] = False,
    sample_rate: Annotated[int | None, typer.Option(help="22050, 24000, 44100 (as stores want it) or 48000 Hz.")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="Print the chapters, and make nothing.")] = False,
    run: Annotated[bool, typer.Option("--run", help="Make it now; started again, it goes on where it stopped.")] = False,
    workspace: WorkspaceOption = None,
    gpus: GpusOption = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Turn a book into a job, a task a chapter, that you can read and edit; with --run, make it."""
    from cosmos_workflow.books.reading import read_book

    found = read_book(file, Reading(footnotes, page_numbers, captions, tables, code, pattern))
    if show_list:
        _show(found, as_json)
        return
    from cosmos_workflow.jobs.books.voices import reader
    from cosmos_workflow.jobs.books.writing import add_book
    from cosmos_workflow.jobs.store import JobStore

    written = _written(out, kind, files, sample_rate)
    with pool_options("local", None, gpus, workers) as where:
        opened = open_workspace(workspace)
        reads = reader(engine or "", voice or "", found.language)
        speaks = reader(reads.engine, dialogue, found.language) if dialogue else None
        numbers = chapter_numbers(chapters or "", len(found.chapters))
        store = JobStore(opened)
        stored = add_book(store, found, reads, numbers, file.name, written, speaks)
        if not run and out is None:
            if as_json:
                print_json({"job": stored.id, "file": str(stored.path), "chapters": len(numbers) or len(found.chapters)})
                return
            typer.echo(f"{stored.path}\nMake it with {command('run', str(stored.path))}.")
            return
        from cosmos_workflow.cli.run_jobs import run_jobs

        succeeded = run_jobs([stored.path], opened, as_json=as_json, **where)
        if out is not None:
            _put(store, stored.id, out)
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


def _written(out: Path | None, kind: Kind | None, files: bool, sample_rate: int | None) -> dict[str, Any]:
    """The keys of the job's section `book` that say what is written."""
    ending = out.suffix.lower().lstrip(".") if out is not None else ""
    known = get_args(Kind)
    if kind is None and ending and ending not in known and not files:
        raise InputError(f"--out: {out} isn't right; end it with .{', .'.join(known)}, or give --format.")
    chosen = kind or (ending if ending in known else "m4b")
    told = {"format": chosen, "files": "chapters" if files else "one", "sample_rate": sample_rate}
    return {key: value for key, value in told.items() if value not in ("m4b", "one", None)}


def _put(store: JobStore, job_id: str, out: Path) -> None:
    """Copy the book to where it was asked for: a whole one under this name, a file a chapter into a folder of it."""
    from cosmos_workflow.jobs.books.final import BookBinder

    made = BookBinder(store).find(job_id)
    if made is None:
        return
    whole = len(made.files) == 1 and not out.is_dir() and out.suffix
    for file in made.files:
        target = out if whole else out / file.path.name
        store.disk.make_folder(target.absolute().parent)
        store.disk.copy(file.path, target.absolute())
        typer.echo(str(target), err=True)


def _show(found: Book, as_json: bool) -> None:
    from cosmos_workflow.cli.terminal import show

    rows = [
        {"chapter": number, "title": chapter.title, "characters": len(chapter.text)}
        for number, chapter in enumerate(found.chapters, 1)
    ]
    show(rows, as_json, " · ".join([found.title, *found.authors]), "")
