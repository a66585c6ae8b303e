"""A job's book put together from what its chapters have: nothing is made for it, and a chapter that is missing is told.

Each chapter is encoded once, as soon as it is there; the book is bound from these whenever one of them changes. The newest book
is the only one that is kept, since it is always possible to put it together again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from cosmos_workflow.books.output.formats import FORMATS, sound_format
from cosmos_workflow.books.output.read_along import SpokenChapter, write_read_along
from cosmos_workflow.books.output.tags import Tags
from cosmos_workflow.books.reading.cover import cover_of
from cosmos_workflow.errors import list_choices
from cosmos_workflow.files import Disk, file_errors, file_stamp
from cosmos_workflow.ids import digest
from cosmos_workflow.jobs.books.writing import FOLDER
from cosmos_workflow.jobs.document.schema import BookSection
from cosmos_workflow.jobs.document.tasks import BookInfo, JobFile, slug
from cosmos_workflow.jobs.speech.along import sentences_of
from cosmos_workflow.jobs.speech.assembly import Final
from cosmos_workflow.jobs.state import TaskReport
from cosmos_workflow.jobs.store import JobStore

if TYPE_CHECKING:
    from cosmos_workflow.books.output.binding import Part

RECORD = "book.json"
MADE = "made"
"""The folder of its files, beside the record."""
_ENCODED = "encoded"


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
        told = (("Not in it yet", self.missing), ("From before the last change", self.stale))
        return " ".join(f"{what}: {list_choices(titles, 5)}." for what, titles in told if titles)


class BookBinder:
    """Puts the books of one owner together. The caller holds the job's lock for what writes."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self._disk: Disk = jobs.disk

    def find(self, job_id: str) -> BookFinal | None:
        """The book as it was put together last; None before that, or where its files were deleted."""
        folder = self._folder(job_id)
        made, cover = folder / MADE, folder / MADE / "cover.jpg"
        try:
            told = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            files = tuple(
                BookFile(made / file["file"], file["seconds"], tuple(BookChapter(*chapter) for chapter in file["chapters"]))
                for file in told["files"]
            )
            lists = {name: tuple(told[name]) for name in ("authors", "missing", "stale")}
            found = BookFinal(**{**told, **lists, "files": files, "cover": cover if cover.is_file() else None})
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            return None
        return found if files and all(file.path.is_file() for file in files) else None

    @contextmanager
    def encoding(self, job: JobFile) -> Iterator[Callable[[TaskReport], object]]:
        """Encodes the chapters that it is told of, one by one, on a thread of its own, if the book's format wants that. Left as
        usual, it waits for the last one; by an exception, it stops.

        What can't be encoded isn't told here: `bind` tries again whatever isn't there, and says what is wrong.
        """
        stop = Event()

        def encode(report: TaskReport) -> None:
            if job.book and report.final:
                # A book's rate is its highest one: a chapter of another rate than the first is encoded again by `bind`.
                section = job.book.section
                self._chapter(job.id, section, report, report.final, _rate(section, [report.final]), stop)

        thread = ThreadPoolExecutor(1, thread_name_prefix="encoding")
        try:
            yield lambda report: thread.submit(encode, report)
        except BaseException:
            stop.set()
            raise
        finally:
            thread.shutdown(cancel_futures=stop.is_set())

    def bind(self, job: JobFile, reports: Iterable[TaskReport]) -> BookFinal | None:
        """Put the book together from the chapters that are there, unless that was done; None where there is none at all."""
        if job.book is None:
            return None
        wanted = [report for report in reports if report.task.enabled and report.task.joined]
        if not any(report.final for report in wanted):
            return None
        state = _state(job.book, wanted)
        earlier = self.find(job.id)
        return earlier if earlier is not None and earlier.state == state else self._bind(job, job.book, wanted, state)

    def _bind(self, job: JobFile, book: BookInfo, wanted: Sequence[TaskReport], state: str) -> BookFinal:
        from cosmos_workflow.books.output.binding import bind, chapters_of

        section, folder = book.section, self._folder(job.id)
        title, made = section.title or job.name, folder / MADE
        self._disk.make_folder(made)
        there = [(report, report.final) for report in wanted if report.final]
        rate = _rate(section, [final for _, final in there])
        cover = _cover(book)
        chapters = [(report, final, self._chapter(job.id, section, report, final, rate)) for report, final in there]
        alone = section.files == "chapters"
        groups = [[chapter] for chapter in chapters] if alone else [chapters]
        files: list[BookFile] = []
        for number, group in enumerate(groups, 1):
            first = group[0][0].task
            name = f"{number:0{max(2, len(str(len(groups))))}}-{first.key}" if alone else slug(title)
            tags = Tags(
                title=title,
                authors=tuple(section.authors),
                narrator=section.narrator or "",
                language=section.language or "",
                year=section.year,
                chapter=first.title if alone else "",
                part=(number, len(groups)) if alone else None,
                cover=cover,
            )
            path = made / f"{name}.{section.format}"
            parts = [part for _, _, part in group]
            with self._disk.making(path) as temporary:
                if section.format == "epub":  # where each chapter's sound is on its own: there is no silence between two
                    language = tags.language.partition("-")[0] or "en"
                    spoken = [
                        SpokenChapter(part.title, part.path, part.seconds, sentences_of(final, language))
                        for _, final, part in group
                        if part.path
                    ]
                    write_read_along(spoken, temporary, tags, f"{job.id}/{title}")
                else:
                    parts = self._with_silence(job.id, section, parts, rate)
                    bind(parts, temporary, section.format, rate, tags)
            marks = zip((report.task.key for report, _, _ in group), chapters_of(parts), strict=True)
            found = tuple(BookChapter(key, name, round(start, 4), round(end, 4)) for key, (name, start, end) in marks)
            files.append(BookFile(path, round(sum(part.seconds for part in parts), 4), found))
        if cover:
            self._disk.write(made / "cover.jpg", cover)
        final = BookFinal(
            title=title,
            authors=tuple(section.authors),
            narrator=section.narrator or "",
            files=tuple(files),
            missing=tuple(report.task.title for report in wanted if not report.final),
            stale=tuple(report.task.title for report, _ in there if not report.current),
            cover=made / "cover.jpg" if cover else None,
            state=state,
            created_at=time.time(),
        )
        self._disk.write(folder / RECORD, _described(final).encode())
        _keep_only(made, {*(file.path.name for file in files), *(["cover.jpg"] if cover else [])})
        _keep_only(folder / _ENCODED, {part.path.name for _, _, part in chapters if part.path})
        return final

    def _with_silence(self, job_id: str, section: BookSection, chapters: Sequence[Part], rate: int) -> list[Part]:
        parts: list[Part] = []
        for number, chapter in enumerate([*chapters, None]):
            silence = section.silence
            seconds = silence.tail if chapter is None else silence.between if number else silence.head
            parts += [self._part(job_id, section, f"_{seconds:g}-{rate}", None, seconds, rate)] if seconds else []
            parts += [chapter] if chapter else []
        return parts

    def _chapter(
        self, job_id: str, section: BookSection, report: TaskReport, final: Final, rate: int, stop: Event | None = None
    ) -> Part:
        told = {"final": final.state, "made": final.created_at, "format": sound_format(section.format), "rate": rate}
        name = f"{report.task.key}-{digest(told)[:12]}"
        return self._part(job_id, section, name, final.path, final.seconds, rate, report.task.title, stop)

    def _part(
        self,
        job_id: str,
        section: BookSection,
        name: str,
        sound: Path | None,
        seconds: float,
        rate: int,
        title: str = "",
        stop: Event | None = None,
    ) -> Part:
        """A sound, or silence, as a part of a file; for a lossy format encoded, unless that was done."""
        from cosmos_workflow.books.output.binding import Part, encode, length

        format = sound_format(section.format)
        if FORMATS[format].lossless:
            return Part(sound, seconds, title)
        # What is in it is a book's part, and no book: a player that finds it shows it as a sound.
        path = self._folder(job_id) / _ENCODED / f"{name}.{'m4a' if format == 'm4b' else format}"
        if path.is_file():
            return Part(path, length(path), title)
        self._disk.make_folder(path.parent)
        with self._disk.making(path) as temporary:
            lasts = encode(sound, seconds, temporary, format, rate, stop)
        return Part(path, lasts, title)

    def _folder(self, job_id: str) -> Path:
        return self._jobs.job_folder(job_id) / FOLDER


def _rate(section: BookSection, finals: Sequence[Final]) -> int:
    from cosmos_workflow.jobs.speech.sound import probe

    return FORMATS[sound_format(section.format)].rate(section.sample_rate or max(probe(final.path).rate for final in finals))


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


def _described(final: BookFinal) -> str:
    files = [
        {"file": file.path.name, "seconds": file.seconds, "chapters": [astuple(one) for one in file.chapters]}
        for file in final.files
    ]
    told = {key: value for key, value in asdict(final).items() if key != "cover"}
    return json.dumps({**told, "files": files}, ensure_ascii=False, indent=1)


def _keep_only(folder: Path, names: set[str]) -> None:
    """Of what is in a folder; the silences of any length stay."""
    with file_errors(str(folder)):
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name not in names and not path.name.startswith("_"):
                path.unlink()
