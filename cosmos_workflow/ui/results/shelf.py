"""What jobs have made, each as one thing: which jobs stand on the shelf above the loose results, and in what order. No HTML."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cosmos_workflow.jobs.books.final import BookFinal
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.snapshots import JobsSnapshot
from cosmos_workflow.jobs.state import JobReport, TaskReport
from cosmos_workflow.jobs.takes import TakeRef


@dataclass(frozen=True, slots=True)
class Shelved:
    """A job of which something can be heard or seen: its report, and its book, if it is one and was bound."""

    report: JobReport
    book: BookFinal | None

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.report.job.id

    @property
    def made(self) -> list[TaskReport]:
        """Its tasks of which there is a result: a final, or for one that isn't joined, its run."""
        return [task for task in self.report.tasks if (task.final if task.task.joined else task.chosen[0])]

    @property
    def created_at(self) -> float:
        """When the newest of it was made."""
        moments = [self.book.created_at] if self.book else []
        moments += [task.final.created_at for task in self.report.tasks if task.final]
        moments += [run.finished_at for task in self.report.tasks for run in task.chosen if run and run.finished_at]
        return max(moments, default=0.0)

    @property
    def key(self) -> tuple[Any, ...]:
        """What its card depends on."""
        tasks = tuple((task.task.id, task.label, task.message, len(task.finals), task.current) for task in self.report.tasks)
        return self.job_id, self.report.job.name, self.report.label, self.book and self.book.created_at, self.created_at, tasks

    def matches(self, text: str, engine: str) -> bool:
        """Whether it is what somebody looks for."""
        job = self.report.job
        titles = [job.name, self.book.title if self.book else "", *(task.title for task in job.tasks)]
        found = any(text.lower() in title.lower() for title in titles)
        return found and (not engine or any(task.engine == engine for task in job.tasks))


_FRESH = 0.9
"""Seconds for which a shelf is good enough where no job changed: each part of a page asks for it."""


class Shelves:
    """The shelves of all owners; may be called from any thread."""

    def __init__(self, manager_of: Callable[[str], JobManager]) -> None:
        self._manager_of = manager_of
        self._known: dict[str, tuple[JobsSnapshot, float, list[Shelved]]] = {}

    def __call__(self, owner: str) -> list[Shelved]:
        """What the jobs of an owner have made, the newest first."""
        manager = self._manager_of(owner)
        snapshot, known = manager.snapshot(), self._known.get(owner)
        if known is None or known[0] is not snapshot or time.monotonic() - known[1] > _FRESH:
            known = self._known[owner] = snapshot, time.monotonic(), shelf_of(manager, snapshot)
        return known[2]

    def folded(self, owner: str) -> list[str]:
        """The jobs whose pieces aren't among the loose results, since the jobs stand on the shelf."""
        return [one.job_id for one in self(owner)]


def shelf_of(manager: JobManager, snapshot: JobsSnapshot) -> list[Shelved]:
    """What the jobs of a snapshot have made, the newest first."""
    reports = [entry.report for entry in snapshot.entries if entry.report]
    begun = [report for report in reports if any(any(task.chosen) for task in report.tasks)]
    shelved = [Shelved(report, manager.orchestrator.binder.find(report.job.id) if report.job.book else None) for report in begun]
    return sorted(shelved, key=lambda one: one.created_at, reverse=True)


def shown_runs(folded: Sequence[str], job: str = "") -> dict[str, Any]:
    """Which runs are shown, as the store takes it: the pieces of one job, or all but those of the jobs on the shelf."""
    if job:
        return {"source": TakeRef.all_of(job), "without": ()}
    return {"source": None, "without": [TakeRef.all_of(job_id).removesuffix("*") for job_id in folded]}
