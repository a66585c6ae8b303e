"""All of one owner's jobs at one moment, as a page or a command shows them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cosmos_workflow.jobs.reports import JobReport, TaskReport
from cosmos_workflow.jobs.status import TaskStatus
from cosmos_workflow.jobs.takes import TakeRef
from cosmos_workflow.queueing.items import ItemStatus, QueueItem
from cosmos_workflow.store.records import RunRecord

if TYPE_CHECKING:
    from cosmos_workflow.checking.verdict import Verdict
    from cosmos_workflow.execution.estimates import TimeLeft
    from cosmos_workflow.execution.runner import RunnerSnapshot
    from cosmos_workflow.jobs.background import BackgroundState
    from cosmos_workflow.jobs.store import StoredJob


@dataclass(frozen=True, slots=True)
class JobEntry:
    """A row of the jobs table; `report` is None for a file that is wrong, and `stored.problem` says why."""

    stored: StoredJob
    report: JobReport | None


@dataclass(frozen=True, slots=True)
class JobsSnapshot:
    """One owner's jobs at one moment; `number` grows when something changed.

    `left` is the time left by the id of a job or task that runs, `drafts` are the jobs with unsaved changes.
    """

    number: int
    entries: tuple[JobEntry, ...]
    background: BackgroundState
    left: Mapping[str, TimeLeft]
    drafts: frozenset[str]

    @property
    def busy(self) -> bool:
        """Whether a job runs, here or in another program."""
        reports = [entry.report for entry in self.entries if entry.report]
        return bool(self.background.running) or any(report.status is TaskStatus.RUNNING for report in reports)

    def entry(self, job_id: str) -> JobEntry | None:
        """A job; None where there is none of that id."""
        return next((entry for entry in self.entries if entry.stored.id == job_id), None)

    def task(self, task_id: str) -> TaskReport | None:
        """A task; None where it isn't there, or its job's file is wrong."""
        entry = self.entry(task_id.partition("/")[0])
        return next((task for task in (entry.report.tasks if entry and entry.report else ()) if task.task.id == task_id), None)


@dataclass(frozen=True, slots=True)
class PieceTakes:
    """The takes of a piece that can be heard, each with what is known of it (None for what isn't sound).

    `by_hand` says that a person chose.
    """

    runs: tuple[tuple[RunRecord, Verdict | None], ...]
    by_hand: bool


def counted_again(report: JobReport, snapshot: RunnerSnapshot) -> JobReport:
    """The report of a job whose runner makes everything again, whatever was there before: progress and words of its tasks are
    those of this run."""
    shares: dict[str, float] = {}
    by_task: dict[str, list[QueueItem]] = {}
    for item in (*snapshot.queue.finished, *snapshot.queue.items):
        begun = snapshot.progress.get(item.id)
        shares[item.id] = 1.0 if item.status is ItemStatus.SUCCEEDED else begun.fraction if begun else 0.0
        by_task.setdefault(TakeRef.parse(item.source).task_id, []).append(item)

    def share_of(items: Collection[str]) -> float:
        return min(0.99, sum(shares[item] for item in items) / max(1, len(items)))

    def counted(task: TaskReport) -> TaskReport:
        items = by_task.get(task.task.id, [])
        if all(item.status.is_terminal for item in items):
            return task
        again = sum(item.status is ItemStatus.SUCCEEDED for item in items)
        message = f"{again:,} of {len(items):,} made again"
        return replace(task, status=TaskStatus.RUNNING, progress=share_of([item.id for item in items]), message=message)

    return replace(report, progress=share_of(shares), tasks=tuple(counted(task) for task in report.tasks))
