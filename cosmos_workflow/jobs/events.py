"""What a run of a job tells whoever watches it, and how its tasks ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmos_workflow.jobs.status import TaskStatus

if TYPE_CHECKING:
    from cosmos_workflow.execution.runner import RunnerSnapshot
    from cosmos_workflow.jobs.books.final import BookFinal
    from cosmos_workflow.jobs.document.tasks import JobFile
    from cosmos_workflow.jobs.ears import HeardBack
    from cosmos_workflow.jobs.plan import ExecutionPlan


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How a task ended. `files` maps a key to a path: the final under the engine's key and "subtitles", or a run's outputs.

    `made` is how many takes this run made, `missing` names what can't be heard: "piece 17: why". `error` says in a sentence
    why the task isn't completed, `note` what a listener should know of a completed one. `heard` is None where nobody listened.
    """

    task_id: str
    title: str
    status: TaskStatus
    label: str
    made: int = 0
    pieces: int = 0
    missing: tuple[str, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    seconds: float | None = None
    error: str = ""
    note: str = ""
    heard: HeardBack | None = None

    @property
    def succeeded(self) -> bool:
        """Whether everything the task asks for is there."""
        return self.status is TaskStatus.COMPLETED


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A job's queue was filled, and its runner started."""

    job_id: str
    plan: ExecutionPlan


@dataclass(frozen=True, slots=True)
class JobWaiting:
    """Another program is running this job; this one waits, and then makes what is still missing."""

    job_id: str


@dataclass(frozen=True, slots=True)
class JobProgressed:
    """The runner got further."""

    job_id: str
    snapshot: RunnerSnapshot


@dataclass(frozen=True, slots=True)
class TakeMade:
    """A take ended: made, or with an error. `done` of `total` takes of this run ended so far."""

    task_id: str
    text: str
    run_error: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class TaskEnded:
    """A task was brought as far as it goes in this run."""

    result: TaskResult


@dataclass(frozen=True, slots=True)
class BookBound:
    """The job's book was put together from the chapters that are there."""

    job_id: str
    book: BookFinal


JobEvent = JobStarted | JobWaiting | JobProgressed | TakeMade | TaskEnded | BookBound
OnEvent = Callable[[JobEvent], None]


def job_notice(job: JobFile, owner: str, results: Sequence[TaskResult], seconds: float) -> dict[str, Any] | None:
    """What came of a run of a job, for whoever is to be told; None where it made nothing."""
    if not any(result.made or not result.succeeded for result in results):
        return None
    return {
        "event": "job.ended",
        "job": job.name,
        "owner": owner,
        "counts": Counter(str(result.status).lower() for result in results),
        "seconds": seconds,
        "failures": [{"task": result.task_id, "error": result.error} for result in results if not result.succeeded],
        "files": [str(path) for result in results for path in result.files.values()],
    }
