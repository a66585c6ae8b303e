"""A book as a job that a person can read and edit: a task a chapter, its text beside the file.

The texts and the cover lie in the job's own folder, under a name that no task can have, and go with the job.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from cosmos_workflow.books.book import Book, Chapter
from cosmos_workflow.errors import InputError
from cosmos_workflow.ids import digest
from cosmos_workflow.jobs.books.voices import Reader
from cosmos_workflow.jobs.document.tasks import slug
from cosmos_workflow.jobs.store import JobStore, StoredJob

FOLDER = "_book"
"""Below a job's folder: a task's key has no underscore."""
LOUDNESS = -18.0
"""LUFS of each chapter, as audiobooks have it."""
MAX_NAME = 120


def add_book(
    jobs: JobStore,
    book: Book,
    reader: Reader,
    numbers: Collection[int] = (),
    source: str = "",
    out: Mapping[str, Any] = MappingProxyType({}),
    dialogue: Reader | None = None,
) -> StoredJob:
    """The book as a job of the workspace. Where the same was asked for before, that job is given, as its owner edited it.

    `numbers` are those of the chapters that are read, from 1, all of them by default; `source` is the name of the file that the
    book was read from. `out` are keys of the section `book` that say what is written, such as its format. `dialogue` reads what
    is quoted, with the same engine. Raises InputError.
    """
    wrong = sorted(number for number in numbers if not 1 <= number <= len(book.chapters))
    if wrong:
        raise InputError(f"There is no chapter {wrong[0]}; the book has {len(book.chapters):,}.")
    chapters = [(number, chapter) for number, chapter in enumerate(book.chapters, 1) if not numbers or number in numbers]
    write = partial(_written, book=book, chapters=chapters, reader=reader, source=source, out=out, dialogue=dialogue)
    name = slug(book.title)
    before = jobs.ids()
    for earlier in (job_id for job_id in before if job_id == name or job_id.startswith(f"{name}-")):
        asked = write(earlier)[0].partition("\n")[0]
        if jobs.source(earlier).startswith(f"{asked}\n"):
            return jobs.get(earlier)
    job_id = jobs.new_id(book.title)
    text, files = write(job_id)
    try:
        jobs.disk.make_folder(jobs.job_folder(job_id) / FOLDER)
        for file, content in files.items():
            jobs.disk.write(jobs.folder / file, content)
        stored = jobs.save(job_id, text)
    except BaseException:
        jobs.disk.remove_folder(jobs.job_folder(job_id))
        raise
    jobs.set_order([*before, job_id])
    return stored


def _written(
    job_id: str,
    book: Book,
    chapters: list[tuple[int, Chapter]],
    reader: Reader,
    source: str,
    out: Mapping[str, Any],
    dialogue: Reader | None,
) -> tuple[str, dict[str, bytes]]:
    """The text of the job file, and the files that it names, by their names below the folder of jobs."""
    from ruamel.yaml import YAML

    width = max(2, len(str(len(book.chapters))))
    cover = f"{job_id}/{FOLDER}/cover.jpg" if book.cover else ""
    files = {cover: book.cover} if cover else {}
    tasks: list[dict[str, Any]] = []
    for (number, chapter), name in zip(chapters, _names(chapters), strict=True):
        file = f"{job_id}/{FOLDER}/{number:0{width}}-{slug(chapter.title, 40)}.txt"
        files[file] = f"{chapter.text}\n".encode()
        tasks.append({"name": name, "text_file": file})
    told = {
        "title": book.title,
        "authors": list(book.authors),
        "narrator": reader.name,
        "language": book.language,
        "year": book.year,
        "cover": cover,
    }
    content: dict[str, Any] = {
        "job": _cut(book.title),
        "engine": reader.engine,
        "params": dict(reader.params),
        **_recording(reader),
        **({"speakers": {"dialogue": {**dialogue.params, **_recording(dialogue)}}, "dialogue": "dialogue"} if dialogue else {}),
        "book": {**{key: value for key, value in told.items() if value}, **out},
        "chunking": {"language": book.language.partition("-")[0]} if book.language else {},
        "audio": {"format": "flac", "normalize": {"method": "lufs", "target": LOUDNESS}},
        "tasks": tasks,
    }
    stream = io.StringIO()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 1_000_000
    yaml.dump({key: value for key, value in content.items() if value}, stream)
    made = stream.getvalue()
    asked = digest({"made": made, "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}})
    head = (
        f"# Made from {' '.join(source.split()) or 'a book'} ({asked[:12]}). Each chapter's text is a file that you may edit.\n"
    )
    return head + made, files


def _recording(reader: Reader) -> dict[str, Any]:
    return {"inputs": {"voice": reader.recording}} if reader.recording else {}


def _names(chapters: list[tuple[int, Chapter]]) -> list[str]:
    """The names of the tasks: the chapters' titles, with their number where two would be one in a path."""
    names: list[str] = []
    keys: set[str] = set()
    for number, chapter in chapters:
        name = _cut(chapter.title)
        if slug(name) in keys:
            name = _cut(f"{number}. {chapter.title}")
        names.append(name)
        keys.add(slug(name))
    return names


def _cut(text: str) -> str:
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME - 1].rstrip()}…"
