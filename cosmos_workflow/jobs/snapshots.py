"""One owner's jobs at one moment, as a page or a command shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cosmos_workflow.jobs.status import TaskStatus

if TYPE_CHECKING:
    from cosmos_workflow.checking.verdict import Verdict
    from cosmos_workflow.execution.estimates import TimeLeft
    from cosmos_workflow.jobs.background import BackgroundState
    from cosmos_workflow.jobs.reports import JobReport, TaskReport
    from cosmos_workflow.jobs.store import StoredJob
    from cosmos_workflow.store.records import RunRecord


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
