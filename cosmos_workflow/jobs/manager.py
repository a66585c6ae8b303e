"""What a person does with job files: make, read, change, copy, delete, order, switch on and off."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from filelock import Timeout

from cosmos_workflow.config import assets_dir
from cosmos_workflow.errors import InputError, UnavailableError, list_choices, shorten
from cosmos_workflow.files import file_errors, inside
from cosmos_workflow.jobs.document.edit import set_values
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.state import JobReport
from cosmos_workflow.jobs.store import ENDINGS, StoredJob
from cosmos_workflow.yaml_places import MAX_YAML_BYTES, Location, read_text_file


@dataclass(frozen=True, slots=True)
class _Template:
    """A sample job, and the files it needs beside it; `changes` say where they are then."""

    file: str
    needs: tuple[str, ...] = ()
    changes: tuple[tuple[Location, str], ...] = ()


TEMPLATES = {
    "Short texts": _Template("welcome.yaml"),
    "Two speakers": _Template("dialogue.yaml"),
    "A chapter of a book": _Template("book.yaml", ("jobs/book.txt",)),
    "Control clips": _Template("controls.yaml", ("samples/street.mp4",), ((("inputs", "video"), "street.mp4"),)),
    "A narrated video": _Template("sky.yaml"),
}


@dataclass(frozen=True, slots=True)
class JobEntry:
    """A row of the jobs table; `report` is None for a file that is wrong, and `stored.problem` says why."""

    stored: StoredJob
    report: JobReport | None
    live: bool


class JobManager:
    """One owner's jobs. Nothing wrong is ever saved; what is saved is whole."""

    def __init__(self, orchestrator: TaskOrchestrator) -> None:
        self.orchestrator = orchestrator
        self.jobs = orchestrator.jobs

    def list(self) -> list[JobEntry]:
        """Every job with where it is, in order."""
        return [self._entry(stored) for stored in self.jobs.list()]

    def create(self, name: str, text: str = "", template: str = "") -> StoredJob:
        """A new job from a text or a template's name; raises JobFileError where it is wrong, and nothing was made then."""
        name = name.strip()
        if not name:
            raise InputError("A job needs a name; write one.")
        if template:
            text = self._from_template(template)
        job_id = self.jobs.new_id(name)
        text = set_values(text, {("job",): name})
        self.jobs.check(text, job_id)
        self._add(job_id, text)
        return self.jobs.get(job_id)

    def read(self, job_id: str) -> str:
        """The text of a job's file."""
        return self.jobs.source(job_id)

    def update(self, job_id: str, text: str, base: str | None = None) -> StoredJob:
        """Replace a job's text; raises JobFileError where it is wrong, and the file stays as it was then.

        `base` is the text that was edited: where the file has another one by now, InputError says so.
        """
        if base is not None and self.jobs.source(job_id) != base:
            raise InputError(
                "The file was changed meanwhile by somebody else; copy your text, load the file again, and put it in."
            )
        self.jobs.check(text, job_id)
        self.jobs.write(job_id, text)
        return self.jobs.get(job_id)

    def duplicate(self, job_id: str) -> StoredJob:
        """A copy with a name of its own; it starts as new."""
        stored = self.jobs.get(job_id)
        if stored.job is None:
            raise InputError(f"{stored.name} can't be copied while it is wrong: {stored.problem}")
        return self.create(f"{stored.name} copy", self.jobs.source(job_id))

    def delete(self, job_id: str) -> None:
        """Take away a job's file and its finals; its runs stay in Results. Raises UnavailableError while it runs."""
        stored = self.jobs.get(job_id)
        lock = self.jobs.job_lock(job_id)
        try:
            lock.acquire(timeout=0.25)
        except Timeout:
            raise UnavailableError(f"The job {stored.name} is running; stop it first.") from None
        try:
            self.jobs.delete(job_id)
        finally:
            lock.release()

    def enable(self, job_id: str, enabled: bool, task: int | None = None) -> StoredJob:
        """Switch a job on or off for run mode, or its task of that place (from 0) for every run; comments stay."""
        location: Location = ("enabled",) if task is None else ("tasks", task, "enabled")
        text = self.jobs.source(job_id)
        return self.update(job_id, set_values(text, {location: None if enabled else False}))

    def order(self, ids: Sequence[str]) -> None:
        """Put the jobs into this order; those that aren't named follow."""
        known = self.jobs.ids()
        self.jobs.set_order([*(job_id for job_id in ids if job_id in known), *(job_id for job_id in known if job_id not in ids)])

    def move(self, job_id: str, offset: int) -> None:
        """Move a job by so many places, negative is nearer to the front."""
        ids = self.jobs.ids()
        if job_id not in ids:
            raise InputError(f"There is no job {shorten(job_id)}; it may have been deleted.")
        place = ids.index(job_id)
        ids.remove(job_id)
        ids.insert(min(max(place + offset, 0), len(ids)), job_id)
        self.jobs.set_order(ids)

    def upload(self, path: Path, name: str = "") -> StoredJob | None:
        """Take in a file: a job file becomes a job, a text, sound or clip lies beside them for jobs to name.

        Raises JobFileError for a wrong job file, InputError for a name that is taken by another file.
        """
        name = PurePath((name or path.name).replace("\\", "/")).name
        if PurePath(name).suffix.lower() in ENDINGS:
            text = read_text_file(path, MAX_YAML_BYTES, "job file")
            stem = PurePath(name).stem
            job_id = self.jobs.new_id(stem)
            self.jobs.check(text, job_id)
            self._add(job_id, text)
            return self.jobs.get(job_id)
        self._take_in(path, name)
        return None

    def report(self, job_id: str) -> JobReport:
        """Where a job is; raises InputError for one that is wrong or isn't there."""
        stored = self.jobs.get(job_id)
        if stored.job is None:
            raise InputError(stored.problem)
        return self.orchestrator.report(stored.job)

    def _add(self, job_id: str, text: str) -> None:
        before = self.jobs.ids()
        self.jobs.write(job_id, text)
        self.jobs.set_order([*before, job_id])

    def _entry(self, stored: StoredJob) -> JobEntry:
        report = self.orchestrator.report(stored.job) if stored.job else None
        return JobEntry(stored, report, self.orchestrator.is_live(stored.id))

    def _from_template(self, template: str) -> str:
        found = TEMPLATES.get(template)
        if found is None:
            raise InputError(f"There is no template {shorten(template)}; use {list_choices(list(TEMPLATES))}.")
        for needed in found.needs:
            source = assets_dir() / needed
            if not (self.jobs.folder / source.name).exists():
                self._take_in(source, source.name)
        text = (assets_dir() / "jobs" / found.file).read_text(encoding="utf-8")
        return set_values(text, dict(found.changes))

    def _take_in(self, source: Path, name: str) -> None:
        target = inside(self.jobs.folder, name, "the folder of jobs")
        if name.startswith((".", "_")) or target.parent != self.jobs.folder.resolve():
            raise InputError(f"{shorten(name)} can't be a file's name here; rename it.")
        if target.is_dir():
            raise InputError(f"{shorten(name)} is the name of a folder here; rename the file.")
        with file_errors(name):
            if target.exists() and target.read_bytes() != source.read_bytes():
                raise InputError(f"There is another file {shorten(name)} already; rename yours.")
            free = shutil.disk_usage(target.parent).free
            if free < source.stat().st_size:
                raise UnavailableError(f"{name} can't be written: the disk is full; free some space and try again.")
        self.jobs.disk.copy(source, target)
