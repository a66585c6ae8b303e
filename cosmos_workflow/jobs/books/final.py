"""A job's book put together from what its chapters have: nothing is made for it, and a chapter that is missing is told.

Each chapter is encoded once, as soon as it is there; the book is bound from these whenever one of them changes. The newest book
is the only one that is kept, since it is always possible to put it together again.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from cosmos_workflow.books.output.binding import Part, bind, encode, length
from cosmos_workflow.books.output.formats import FORMATS, Format, sound_format
from cosmos_workflow.books.output.read_along import SpokenChapter, write_read_along
from cosmos_workflow.books.output.tags import Tags
from cosmos_workflow.books.reading.cover import cover_of
from cosmos_workflow.errors import InputError
from cosmos_workflow.files import Disk, file_errors, file_stamp
from cosmos_workflow.ids import digest
from cosmos_workflow.jobs.books.along import sentences_of
from cosmos_workflow.jobs.books.record import MADE, RECORD, BookChapter, BookFile, BookFinal, described, read_record
from cosmos_workflow.jobs.books.writing import FOLDER
from cosmos_workflow.jobs.document.schema import BookSection
from cosmos_workflow.jobs.document.tasks import BookInfo, JobFile, slug
from cosmos_workflow.jobs.speech.sound import probe
from cosmos_workflow.jobs.state import TaskReport
from cosmos_workflow.jobs.store import JobStore

_ENCODED = "encoded"


class BookBinder:
    """Puts the books of one owner together. The caller holds the job's lock for what writes."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self._disk: Disk = jobs.disk

    def find(self, job_id: str) -> BookFinal | None:
        """The book as it was put together last; None before that, or where its files were deleted."""
        return read_record(self._folder(job_id))

    def encode(self, job: JobFile, report: TaskReport, stop: Event | None = None) -> None:
        """Encode a chapter that is there, if its book's format wants that and it isn't encoded yet; `stop` leaves it undone."""
        if job.book is None or report.final is None or FORMATS[sound_format(job.book.section.format)].lossless:
            return
        # A book's rate is its highest one: a chapter of another rate than the first is encoded again by `bind`.
        self._chapter(job, report, _rate(job.book.section, [report]), stop)

    def bind(self, job: JobFile, reports: Iterable[TaskReport]) -> BookFinal | None:
        """Put the book together from the chapters that are there, unless that was done; None where there is none at all."""
        if job.book is None:
            return None
        wanted = [report for report in reports if report.task.enabled and report.task.joined]
        there = [report for report in wanted if report.final is not None]
        if not there:
            return None
        state = _state(job.book, wanted)
        earlier = self.find(job.id)
        if earlier is not None and earlier.state == state:
            return earlier
        return self._bind(job, job.book, wanted, there, state)

    def _bind(
        self, job: JobFile, book: BookInfo, wanted: Sequence[TaskReport], there: Sequence[TaskReport], state: str
    ) -> BookFinal:
        section = book.section
        folder = self._folder(job.id)
        made = folder / MADE
        self._disk.make_folder(made)
        rate = _rate(section, there)
        cover = _cover(book)
        chapters = [(report.task.key, report.task.title, self._chapter(job, report, rate)) for report in there]
        groups = [chapters] if section.files == "one" else [[chapter] for chapter in chapters]
        files: list[BookFile] = []
        for number, group in enumerate(groups, 1):
            alone = section.files == "chapters"
            name = f"{number:0{max(2, len(str(len(groups))))}}-{group[0][0]}" if alone else slug(section.title or job.name)
            tags = Tags(
                title=section.title or job.name,
                authors=tuple(section.authors),
                narrator=section.narrator or "",
                language=section.language or "",
                year=section.year,
                chapter=group[0][1] if alone else "",
                part=(number, len(groups)) if alone else None,
                cover=cover,
            )
            path = made / f"{name}.{section.format}"
            if section.format == "epub":
                parts = [part for _, _, part in group]
                marks = self._write_read_along(parts, there, path, tags, job.id)
            else:
                parts = self._with_silence(job, [part for _, _, part in group], rate)
                marks = self._write(parts, path, section.format, rate, tags)
            keys = [key for key, _, _ in group]
            found = tuple(
                BookChapter(key, title, round(start, 4), round(end, 4))
                for key, (title, start, end) in zip(keys, marks, strict=True)
            )
            files.append(BookFile(path, round(sum(part.seconds for part in parts), 4), found))
        if cover:
            self._disk.write(made / "cover.jpg", cover)
        final = BookFinal(
            title=section.title or job.name,
            authors=tuple(section.authors),
            narrator=section.narrator or "",
            files=tuple(files),
            missing=tuple(report.task.title for report in wanted if report.final is None),
            stale=tuple(report.task.title for report in there if not report.current),
            cover=made / "cover.jpg" if cover else None,
            state=state,
            created_at=time.time(),
        )
        self._disk.write(folder / RECORD, described(final).encode())
        _keep_only(made, {*(file.path.name for file in files), *(["cover.jpg"] if cover else [])})
        _keep_only(folder / _ENCODED, {part.path.name for _, _, part in chapters if part.path} | _silences(folder / _ENCODED))
        return final

    def _write(self, parts: Sequence[Part], path: Path, format: str, rate: int, tags: Tags) -> list[tuple[str, float, float]]:
        with self._disk.making(path) as temporary:
            return bind(parts, temporary, format, rate, tags)

    def _write_read_along(
        self, parts: Sequence[Part], reports: Sequence[TaskReport], path: Path, tags: Tags, identity: str
    ) -> list[tuple[str, float, float]]:
        """Text and sound as an EPUB; each chapter's sound is on its own in it, so there is no silence between two."""
        told = [(part, report.final) for part, report in zip(parts, reports, strict=True)]
        chapters = [
            SpokenChapter(part.title, part.path, part.seconds, sentences_of(final, tags.language.partition("-")[0] or "en"))
            for part, final in told
            if part.path and final
        ]
        with self._disk.making(path) as temporary:
            write_read_along(chapters, temporary, tags, f"{identity}/{tags.title}")
        ends = list(itertools.accumulate((chapter.seconds for chapter in chapters), initial=0.0))
        return [(one.title, start, end) for one, start, end in zip(chapters, ends, ends[1:], strict=False)]

    def _chapter(self, job: JobFile, report: TaskReport, rate: int, stop: Event | None = None) -> Part:
        """A chapter as a part of a file: its final, or for a lossy format that final encoded."""
        final, section = report.final, job.book.section if job.book else None
        if final is None or section is None:
            raise InputError(f"{report.task.title} isn't there yet.")
        name = sound_format(section.format)
        if FORMATS[name].lossless:
            return Part(final.path, final.seconds, report.task.title)
        mark = digest({"final": final.state, "made": final.created_at, "format": name, "rate": rate})[:12]
        return self._encoded(job, f"{report.task.key}-{mark}", final.path, final.seconds, rate, report.task.title, stop)

    def _with_silence(self, job: JobFile, chapters: Sequence[Part], rate: int) -> list[Part]:
        silence = job.book.section.silence if job.book else BookSection().silence
        parts: list[Part] = []
        for number, chapter in enumerate(chapters):
            parts += [*self._silence(job, silence.between if number else silence.head, rate), chapter]
        return [*parts, *self._silence(job, silence.tail, rate)]

    def _silence(self, job: JobFile, seconds: float, rate: int) -> list[Part]:
        format = sound_format(job.book.section.format) if job.book else "m4b"
        if not seconds:
            return []
        if FORMATS[format].lossless:
            return [Part(None, seconds)]
        return [self._encoded(job, f"_{seconds:g}-{rate}", None, seconds, rate, "")]

    def _encoded(
        self,
        job: JobFile,
        name: str,
        sound: Path | None,
        seconds: float,
        rate: int,
        title: str,
        stop: Event | None = None,
    ) -> Part:
        format = sound_format(job.book.section.format) if job.book else "m4b"
        folder = self._folder(job.id) / _ENCODED
        path = folder / f"{name}{_ending(format)}"
        if path.is_file():
            return Part(path, length(path), title)
        self._disk.make_folder(folder)
        with self._disk.making(path) as temporary:
            lasts = encode(sound, seconds, temporary, format, rate, stop)
        return Part(path, lasts, title)

    def _folder(self, job_id: str) -> Path:
        return self._jobs.job_folder(job_id) / FOLDER


def _rate(section: BookSection, reports: Sequence[TaskReport]) -> int:
    format: Format = FORMATS[sound_format(section.format)]
    if section.sample_rate:
        return format.rate(section.sample_rate)
    return format.rate(max(probe(report.final.path).rate for report in reports if report.final))


def _cover(book: BookInfo) -> bytes:
    if book.cover is None:
        return b""
    with file_errors(str(book.cover)):
        return cover_of(book.cover.read_bytes())


def _state(book: BookInfo, wanted: Sequence[TaskReport]) -> str:
    cover = book.cover.stat() if book.cover and book.cover.is_file() else None
    made = [[report.task.key, report.task.title, report.final and report.final.created_at, report.current] for report in wanted]
    along = book.section.format == "epub"  # whose words may be heard after its sound was made
    told: dict[str, Any] = {
        "words": [file_stamp(one.final.path.with_suffix(".json")) for one in wanted if one.final] if along else [],
        "book": book.section.model_dump(mode="json"),
        "cover": [cover.st_mtime_ns, cover.st_size] if cover else [],
        "chapters": made,
    }
    return digest(told)


def _ending(format: str) -> str:
    # What is in it is a book's part, and no book: a player that finds it shows it as a sound.
    return ".m4a" if format == "m4b" else f".{format}"


def _silences(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("_*")}


def _keep_only(folder: Path, names: set[str]) -> None:
    with file_errors(str(folder)):
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name not in names:
                path.unlink()
