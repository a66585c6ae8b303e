"""One owner's jobs as the page has them: manager, background, unsaved changes, and a picture that all open pages share."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from cosmos_workflow.errors import InputError, WorkflowError
from cosmos_workflow.execution.estimates import TimeLeft
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.jobs.background import JobBackground
from cosmos_workflow.jobs.check import CheckedJob, check_job
from cosmos_workflow.jobs.document.edit import set_values
from cosmos_workflow.jobs.document.tasks import JobFile
from cosmos_workflow.jobs.manager import JobEntry, JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.plan import TaskStatus, plan_task, queue_items
from cosmos_workflow.jobs.store import JobStore, StoredJob
from cosmos_workflow.ui.jobs.drafts import Draft, Drafts
from cosmos_workflow.ui.jobs.view import JobsPicture
from cosmos_workflow.yaml_places import Location, read_yaml

FRESH = 0.9
"""Seconds for which a picture is good enough for the next page that asks."""


class Desk:
    """One owner's jobs; every method may be called from any thread."""

    def __init__(self, operations: Operations, owner: str) -> None:
        self.jobs = JobStore(operations.workspace, owner)
        self.orchestrator = TaskOrchestrator(operations, self.jobs)
        self.manager = JobManager(self.orchestrator)
        self.background = JobBackground(self.orchestrator)
        self.drafts = Drafts(self.jobs)
        self._lock = threading.Lock()
        self._picture: JobsPicture | None = None
        self._taken = 0.0

    def picture(self) -> JobsPicture:
        """Where everything is; its number grows when something changed."""
        with self._lock:
            if self._picture is None or time.monotonic() - self._taken > FRESH:
                self._picture = self._draw(self._picture)
                self._taken = time.monotonic()
            return self._picture

    def touch(self) -> None:
        """Have the next picture drawn anew."""
        with self._lock:
            self._taken = 0.0

    def job(self, job_id: str) -> JobFile:
        """A job as its file has it; raises InputError for one that is wrong or isn't there."""
        stored = self.jobs.get(job_id)
        if stored.job is None:
            raise InputError(f"{stored.name} can't be used while its file is wrong: {stored.problem}")
        return stored.job

    def check(self, job_id: str, text: str) -> CheckedJob:
        """What a job with this text would do; raises JobFileError with everything that is wrong in it."""
        return check_job(self.jobs.check(text, job_id), self.orchestrator)

    def switch(self, job_id: str, enabled: bool, task: str = "") -> StoredJob:
        """Switch a job or one of its tasks on or off; unsaved changes get the same change, where they are YAML."""
        before = self.manager.read(job_id)
        place = self._place(job_id, task)
        stored = self.manager.enable(job_id, enabled, place)
        draft = self.drafts.get(job_id)
        if draft is not None and draft.base == before:
            location: Location = ("enabled",) if place is None else ("tasks", place, "enabled")
            try:
                text = set_values(draft.text, {location: None if enabled else False})
            except (InputError, LookupError, TypeError, AttributeError):
                # What is being written there isn't a list of tasks now: the editor says that the file changed.
                return stored
            self.drafts.put(job_id, Draft(self.manager.read(job_id), text))
        return stored

    def _place(self, job_id: str, task: str) -> int | None:
        """The place of a task in its file's list; None for the job, and for a file that is one task."""
        if not task:
            return None
        job = self.job(job_id)
        found = job.task(task)
        if found is None:
            raise InputError(f"The job {job.name} has no task {task}; the file may have changed.")
        return found.number - 1 if "tasks" in read_yaml(job.source).value else None

    def _draw(self, last: JobsPicture | None) -> JobsPicture:
        state = self.background.state()
        entries = tuple(self._entry(stored) for stored in self.jobs.list())
        left: dict[str, TimeLeft] = {}
        for entry in entries:
            left |= self._left(entry)
        if state.running and state.snapshot and state.snapshot.left:
            left[state.running] = state.snapshot.left
        drafts = frozenset(self.drafts.ids())
        if last and (last.entries, last.background, last.left, last.drafts) == (entries, state, left, drafts):
            return last
        # Never behind what an earlier life of the server has sent to a page.
        number = max(int(time.time() * 1000), last.number + 1 if last else 0)
        return JobsPicture(number, entries, state, left, drafts)

    def _entry(self, stored: StoredJob) -> JobEntry:
        live = self.orchestrator.is_live(stored.id)
        try:
            return JobEntry(stored, self.orchestrator.report(stored.job) if stored.job else None, live)
        except WorkflowError as error:
            return JobEntry(replace(stored, problem=str(error)), None, live)

    def _left(self, entry: JobEntry) -> dict[str, TimeLeft]:
        """Time left of the tasks that run, where their engine was measured."""
        running = [task for task in (entry.report.tasks if entry.report else ()) if task.status is TaskStatus.RUNNING]
        plans = {report.task.id: plan_task(report.task, report.pieces, "resume") for report in running}
        time_left = self.orchestrator.operations.time_left
        times = {task_id: time_left(queue_items(plan)) for task_id, plan in plans.items() if plan.wanted}
        return {task_id: left for task_id, left in times.items() if left is not None}


class Desks:
    """The desk of each owner, made when it is first asked for."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._lock = threading.Lock()
        self._desks: dict[str, Desk] = {}

    def of(self, owner: str) -> Desk:
        """An owner's desk."""
        with self._lock:
            if owner not in self._desks:
                self._desks[owner] = Desk(self._operations, owner)
            return self._desks[owner]

    def restore(self, owners: Iterable[str]) -> None:
        """At the server's start: run mode goes on, or asks, where it was on."""
        for owner in owners:
            self.of(owner).background.restore()

    def close(self) -> None:
        """Stop what runs after its batch; run mode that is on now is on again at the next start."""
        with self._lock:
            desks = list(self._desks.values())
        if desks:
            with ThreadPoolExecutor(len(desks)) as threads:
                list(threads.map(lambda desk: desk.background.close(), desks))
