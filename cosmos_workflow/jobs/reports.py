"""Where tasks and jobs are at one moment, as values."""

from __future__ import annotations

from dataclasses import dataclass

from cosmos_workflow.jobs.document.tasks import JobFile, TaskConfig
from cosmos_workflow.jobs.speech.assembly import Final
from cosmos_workflow.jobs.status import TaskStatus, status_label
from cosmos_workflow.jobs.takes import PieceState
from cosmos_workflow.store.records import RunRecord


@dataclass(frozen=True, slots=True)
class TaskReport:
    """A task at one moment. `chosen` are the runs that are used, by piece, None where there is none yet.

    `progress` is the share of its pieces that can be heard, with what is running counted by its own progress, in [0, 1]; it
    is 1 only for a completed task. `final` is the newest one, `current` whether it is what its pieces would give now.
    `listen` are the places of the pieces that a person should listen to, since none of their takes is good enough, `unheard` of
    those that nobody has listened to yet, where the task is checked. `waits` says which earlier tasks have yet to make its
    inputs, or that they failed; empty where all of them are there.
    """

    task: TaskConfig
    status: TaskStatus
    progress: float
    message: str
    pieces: tuple[PieceState, ...]
    chosen: tuple[RunRecord | None, ...]
    finals: tuple[Final, ...] = ()
    current: bool = False
    started_at: float | None = None
    waits: str = ""
    listen: tuple[int, ...] = ()
    unheard: tuple[int, ...] = ()

    @property
    def final(self) -> Final | None:
        """The newest final."""
        return self.finals[-1] if self.finals else None

    @property
    def label(self) -> str:
        """The status as people read it: "Running 12 %"."""
        return status_label(self.status, self.progress)

    @property
    def missing(self) -> list[PieceState]:
        """The pieces that can't be heard yet."""
        return [piece for piece, run in zip(self.pieces, self.chosen, strict=True) if run is None]


@dataclass(frozen=True, slots=True)
class JobReport:
    """A job at one moment, from its enabled tasks."""

    job: JobFile
    status: TaskStatus
    progress: float
    tasks: tuple[TaskReport, ...]

    @property
    def label(self) -> str:
        """The status as people read it."""
        return status_label(self.status, self.progress)
