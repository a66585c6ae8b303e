"""One owner's jobs as a page, a command or a program handles them: files, work, and where everything is."""

from __future__ import annotations

import builtins
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path, PurePath
from typing import Any, Concatenate, ParamSpec, TypeVar

from cosmos_workflow.engines.registry import told
from cosmos_workflow.errors import InputError, WorkflowError, shorten
from cosmos_workflow.jobs.background import JobBackground
from cosmos_workflow.jobs.books.final import BookFinal
from cosmos_workflow.jobs.books.writing import add_book
from cosmos_workflow.jobs.document.edit import set_values
from cosmos_workflow.jobs.editing import edit_piece
from cosmos_workflow.jobs.events import TaskResult
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.plan import CheckedJob
from cosmos_workflow.jobs.snapshots import JobEntry, JobsSnapshot, PieceTakes, counted_again
from cosmos_workflow.jobs.state import TaskReport, TaskStatus
from cosmos_workflow.jobs.store import ENDINGS, Draft, StoredJob
from cosmos_workflow.jobs.takes import Choice
from cosmos_workflow.jobs.templates import text_of_template
from cosmos_workflow.yaml_places import MAX_YAML_BYTES, JobFileError, Location, Problem, read_text_file, read_yaml

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

FRESH = 0.9
"""Seconds for which a snapshot is good enough for the next page that asks."""


def _changes(method: Callable[Concatenate[JobManager, P], R]) -> Callable[Concatenate[JobManager, P], R]:
    """What changes a job, as a whole or in part: the next snapshot is taken anew."""

    @wraps(method)
    def change(self: JobManager, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        finally:
            self.look_again()

    return change


class JobManager:
    """One owner's jobs, and what is done with them by hand: nothing wrong is ever saved; what is saved is whole.

    `jobs` has the files, `background` what is run (`run_now make_again`, and run mode), `orchestrator` the rest. A job is named
    by its id, a task by its key ("" is the job as a whole), a piece by its place from 0. Every method may be called from any
    thread, and none waits for a job to end. Nobody has to tell that something changed: the next `snapshot` has it.
    """

    def __init__(self, orchestrator: TaskOrchestrator) -> None:
        self.orchestrator = orchestrator
        self.jobs = orchestrator.jobs
        self.background = JobBackground(orchestrator, self.look_again)
        self._lock = threading.Lock()
        self._snapshot: JobsSnapshot | None = None
        self._taken = 0.0

    # --- files ---

    def list(self) -> builtins.list[JobEntry]:
        """Every job with where it is, in order."""
        return [self._entry(stored) for stored in self.jobs.list()]

    @_changes
    def create(self, name: str, text: str = "", template: str = "") -> StoredJob:
        """A new job from a text or a template's name; raises JobFileError where it is wrong, and nothing was made then."""
        name = name.strip()
        if not name:
            raise InputError("A job needs a name; write one.")
        if template:
            text = text_of_template(template, self.jobs)
        return self.jobs.add(self.jobs.new_id(name), set_values(text, {("job",): name}))

    @_changes
    def update(self, job_id: str, text: str, base: str | None = None) -> StoredJob:
        """Replace a job's text; raises JobFileError where it is wrong, and the file stays as it was then.

        `base` is the text that was edited: where the file has another one by now, InputError says so.
        """
        if base is not None and self.jobs.source(job_id) != base:
            raise InputError(
                "The file was changed meanwhile by somebody else; copy your text, load the file again, and put it in."
            )
        self.jobs.get(job_id)
        return self.jobs.save(job_id, text)

    def duplicate(self, job_id: str) -> StoredJob:
        """A copy with a name of its own; what the first one has made of it isn't made again."""
        return self.create(f"{self.jobs.job(job_id).name} copy", self.jobs.source(job_id))

    @_changes
    def delete(self, job_id: str) -> None:
        """Take away a job's file, its finals and what isn't saved; its runs stay in Results. UnavailableError while it runs."""
        with self.jobs.held_now(job_id, self.jobs.get(job_id).name):
            self.jobs.delete(job_id)

    @_changes
    def enable(self, job_id: str, enabled: bool, task: str = "") -> StoredJob:
        """Switch a job on or off for run mode, or its task of that key for every run; comments stay.

        Unsaved changes get the same change, where they began from this file and are a list of tasks still.
        """
        before, draft = self.jobs.source(job_id), self.jobs.draft(job_id)
        location: Location = ("enabled",)
        if task:
            job = self.jobs.job(job_id)
            number = self.orchestrator.task(job, task).number
            location = ("tasks", number - 1, "enabled") if "tasks" in read_yaml(job.source).value else location
        change: dict[Location, bool | None] = {location: None if enabled else False}
        stored = self.update(job_id, set_values(before, change))
        if draft is not None and draft.base == before:
            try:
                text = set_values(draft.text, change)
            except (InputError, LookupError, TypeError, AttributeError):
                # What is being written there isn't a list of tasks now: whoever edits it learns that the file changed.
                return stored
            self.jobs.set_draft(job_id, Draft(self.jobs.source(job_id), text))
        return stored

    @_changes
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
        self.order(ids)

    @_changes
    def upload(self, path: Path, name: str = "") -> StoredJob | None:
        """Take in a file: a job file becomes a job, a text, sound or clip lies beside them for jobs to name.

        Raises JobFileError for a wrong job file, InputError for a name that is taken by another file.
        """
        name = PurePath((name or path.name).replace("\\", "/")).name
        if PurePath(name).suffix.lower() not in ENDINGS:
            self.jobs.take_in(path, name)
            return None
        return self.jobs.add(self.jobs.new_id(PurePath(name).stem), read_text_file(path, MAX_YAML_BYTES, "job file"))

    # --- what isn't saved ---

    def keep_draft(self, job_id: str, base: str, text: str) -> None:
        """Keep what was made of the text `base` and isn't saved; a text that is the file's again isn't kept."""
        draft = None if text.strip() == base.strip() else Draft(base, text)
        had = self.jobs.draft(job_id)
        self.jobs.set_draft(job_id, draft)
        if (had is None) != (draft is None):  # a snapshot has no more of it
            self.look_again()

    @_changes
    def drop_draft(self, job_id: str) -> None:
        """Forget the unsaved changes of a job."""
        self.jobs.set_draft(job_id, None)

    def problems(self, job_id: str, text: str) -> builtins.list[Problem]:
        """Everything that is wrong in a text for this job, in its order; `file` names only a file other than the job's own."""
        stored = self.jobs.find(job_id)
        own = self.jobs.shown(stored.path) if stored else ""
        try:
            self.jobs.check(text, job_id)
        except JobFileError as error:
            return [replace(problem, file="") if problem.file == own else problem for problem in error.problems]
        return []

    def check(self, job_id: str, text: str) -> CheckedJob:
        """What a job with this text would do; raises JobFileError with everything that is wrong in it."""
        return self.orchestrator.check(self.jobs.check(text, job_id))

    # --- work ---

    def stop(self, job_id: str) -> None:
        """Stop a job after the batch that runs; what is made stays. Raises InputError where it isn't run here."""
        state = self.background.state()
        if job_id not in (state.running, *state.waiting):
            entry = self.snapshot().entry(job_id)
            elsewhere = entry is not None and entry.report is not None and entry.report.status is TaskStatus.RUNNING
            name = entry.stored.name if entry else job_id
            raise InputError(f"{name} is run by another program; stop it there." if elsewhere else f"{name} doesn't run.")
        self.background.stop(job_id)

    @_changes
    def assemble(self, job_id: str, key: str, bind: bool = True) -> TaskResult:
        """Put a task together anew from what is there, without making anything; see TaskOrchestrator.assemble."""
        return self.orchestrator.assemble(self.jobs.job(job_id), key, bind)

    @_changes
    def add_book(self, *what: Any, **how: Any) -> StoredJob:
        """A book as a new job, or the one that was made of the same before; see jobs.books.writing.add_book."""
        return add_book(self.jobs, *what, **how)

    @_changes
    def bind(self, job_id: str) -> BookFinal | None:
        """Put a job's book together anew from the chapters that are there; None for a job that is no book."""
        return self.orchestrator.bind(self.jobs.job(job_id))

    @_changes
    def choose(self, job_id: str, key: str, piece: int, run_id: str = "") -> TaskReport:
        """Use this take of a piece, or with an empty id the best one again.

        The final is put together anew where that can be done at once: the report is `current` then.
        """
        job = self.jobs.job(job_id)
        report = self.orchestrator.choose(job, key, piece, run_id)
        if report.task.joined and not report.missing and not self.orchestrator.is_live(job_id):
            self.orchestrator.assemble(job, key)
            return self.orchestrator.report_task(job, key)
        return report

    @_changes
    def edit_piece(self, job_id: str, key: str, piece: int, text: str) -> None:
        """Have another text said in a piece, in the job's file or the text file that it names, and make what is missing then.

        Raises InputError where the job has unsaved changes or the piece isn't found in its text; JobFileError, and nothing was
        changed, where the job would be wrong.
        """
        if self.jobs.draft(job_id) is not None:
            raise InputError("The job has unsaved changes; save or discard them first.")
        job = self.jobs.job(job_id)
        if edit_piece(self.jobs, job, self.orchestrator.task(job, key), piece, text):
            self.background.run_now(job_id, "resume", [key])

    # --- where everything is ---

    def snapshot(self) -> JobsSnapshot:
        """Where everything is, at most a second ago, with everything that was done through this manager."""
        with self._lock:
            if self._snapshot is None or time.monotonic() - self._taken > FRESH:
                self._taken = time.monotonic()
                self._snapshot = self._look(self._snapshot)
            return self._snapshot

    def look_again(self) -> None:
        """Have the next snapshot taken anew, where files or runs were changed past this manager."""
        self._taken = 0.0  # without the lock: who changes something never waits for a snapshot

    def takes(self, report: TaskReport, places: Sequence[int]) -> builtins.list[PieceTakes]:
        """The takes of the pieces of a task at these places."""
        task, reader = report.task, self.orchestrator.reader
        known, choices = reader.look(task.job_id), self.jobs.choices(task.id)
        found: builtins.list[PieceTakes] = []
        for piece in reader.seek_elsewhere(tuple(report.pieces[place] for place in places), known):
            runs = known.heard(piece)
            verdicts = reader.verdicts(task, runs) if task.joined and runs else [None] * len(runs)
            by_hand = bool(choices.get(piece.digest, Choice()).run_id)
            found.append(PieceTakes(tuple(zip(runs, verdicts, strict=True)), by_hand))
        return found

    # --- inside ---

    def _look(self, last: JobsSnapshot | None) -> JobsSnapshot:
        state = self.background.state()
        entries = tuple(self.list())
        if state.again and (snapshot := state.snapshot):
            entries = tuple(
                replace(entry, report=counted_again(entry.report, snapshot))
                if entry.report and entry.stored.id == state.running
                else entry
                for entry in entries
            )
        self.orchestrator.reader.keep_only({entry.stored.id for entry in entries})
        reports = [report for entry in entries if entry.report for report in entry.report.tasks]
        left = {report.task.id: task_left for report in reports if (task_left := self.orchestrator.left_of(report))}
        if state.running and state.snapshot and state.snapshot.left:
            left[state.running] = state.snapshot.left
        drafts = frozenset(self.jobs.drafts())
        if last and (last.entries, last.background, last.left, last.drafts) == (entries, state, left, drafts):
            return last
        # Never behind what an earlier life of the program has sent to a page.
        number = max(int(time.time() * 1000), last.number + 1 if last else 0)
        return JobsSnapshot(number, entries, state, left, drafts)

    def _entry(self, stored: StoredJob) -> JobEntry:
        try:
            return JobEntry(stored, self.orchestrator.report(stored.job) if stored.job else None)
        except WorkflowError as error:
            return JobEntry(replace(stored, problem=str(error)), None)
        except Exception as error:
            log.exception("where the job %s is could not be told", stored.id)
            return JobEntry(replace(stored, problem=f"It can't be told where this job is ({told(error)})."), None)
