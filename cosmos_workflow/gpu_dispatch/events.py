"""What happened, as the pool tells it, frozen. `node` is the name of the worker's machine in a cluster, empty for this one."""

from __future__ import annotations

import traceback
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, TypeAlias

TaskId: TypeAlias = Hashable

ErrorKind: TypeAlias = Literal["exception", "died", "cancelled", "unpicklable", "setup"]
"""Why a task has no result: `process` raised; its worker died; it was cancelled; it, its result or
one of its messages could not be pickled; no worker with its setup could be had."""

SlotState: TypeAlias = Literal["away", "empty", "starting", "idle", "busy", "retiring", "killed", "pausing", "broken"]
"""Of a slot's worker: none yet (*away*: the cluster's machine isn't there), being set up, waiting, working, cleaning up, being
ended by the pool; none until its setup is tried again; or none any more, since that failed."""


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """A worker took the task up. Comes again when the task is retried after a death."""

    task_id: TaskId
    worker_id: int


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """One call of `BaseWorker.report`, in the order of the calls."""

    task_id: TaskId
    progress: Any
    worker_id: int


@dataclass(frozen=True, slots=True)
class TaskSuccess:
    """`process` returned `data`."""

    task_id: TaskId
    data: Any
    worker_id: int
    node: str = ""

    def unwrap(self) -> Any:
        """`data`; the other outcomes raise instead."""
        return self.data


@dataclass(frozen=True, slots=True)
class Raised:
    """What was raised, as another process can have it: its traceback, its own words, and the name of its class.

    `exception` is empty where nothing was raised: then `error` and `reason` say how a process ended.
    """

    error: str
    reason: str
    exception: str = ""

    @classmethod
    def of(cls, raised: BaseException) -> Raised:
        try:
            reason = str(raised)
        except Exception:  # an exception that can't even say what it is
            reason = ""
        name = type(raised).__name__
        return cls("".join(traceback.format_exception(raised)), reason or name, name)


@dataclass(frozen=True, slots=True)
class TaskError:
    """The task ended without a result. `worker_id` is None if it never reached a worker.

    Where the worker's code raised, `error` is the traceback, `reason` the exception's own words and `exception` the name of its
    class. Where the worker died, `reason` says how, and `error` has before that what it last wrote to its stderr. Otherwise
    `error` is all that is known.
    """

    task_id: TaskId
    error: str
    worker_id: int | None
    kind: ErrorKind = "exception"
    node: str = ""
    reason: str = ""
    exception: str = ""

    @property
    def data(self) -> NoReturn:
        """There is none; raises AttributeError saying why the task failed."""
        raise AttributeError(
            f"task {self.task_id!r} failed, so it has no data ({self.why}); look whether an outcome is a TaskSuccess"
        )

    @property
    def why(self) -> str:
        """The reason in a sentence, without the way there."""
        return f"{self.exception}: {self.reason}" if self.exception else self.reason or self.error

    def unwrap(self) -> NoReturn:
        """Raises TaskFailedError; for a task that was cancelled concurrent.futures.CancelledError."""
        if self.kind == "cancelled":
            from concurrent.futures import CancelledError

            raise CancelledError(f"task {self.task_id!r}: {self.error}")
        raise TaskFailedError(self)


class TaskFailedError(RuntimeError):
    """A task has no result; `outcome` says all that is known, and its `error` is a note of this exception."""

    def __init__(self, outcome: TaskError) -> None:
        super().__init__(f"task {outcome.task_id!r} failed: {outcome.why}")
        self.outcome = outcome
        if outcome.why != outcome.error:
            self.add_note(outcome.error)

    def __reduce__(self) -> tuple[type[TaskFailedError], tuple[TaskError]]:
        return TaskFailedError, (self.outcome,)


@dataclass(frozen=True, slots=True)
class TaskTimeout:
    """The task overran its limit of `timeout` seconds; its worker was killed."""

    task_id: TaskId
    timeout: float
    worker_id: int
    node: str = ""

    @property
    def data(self) -> NoReturn:
        """There is none; raises AttributeError."""
        limit = f"took longer than {self.timeout:g} s"
        raise AttributeError(f"task {self.task_id!r} {limit}, so it has no data; look whether an outcome is a TaskSuccess")

    def unwrap(self) -> NoReturn:
        """Raises TimeoutError."""
        raise TimeoutError(f"task {self.task_id!r} took longer than {self.timeout:g} s")


@dataclass(frozen=True, slots=True)
class SetupFailed:
    """A worker could not be set up: the traceback, or how its process ended."""

    gpu_id: int | None
    error: str
    worker_id: int


@dataclass(frozen=True, slots=True)
class CleanupFailed:
    """`cleanup` raised or took too long; the worker is gone all the same."""

    gpu_id: int | None
    error: str
    worker_id: int


@dataclass(frozen=True, slots=True)
class _OfProcess:
    worker_id: int
    gpu_id: int | None
    pid: int


@dataclass(frozen=True, slots=True)
class WorkerStarted(_OfProcess):
    """A process was started and is being set up."""

    node: str = ""


@dataclass(frozen=True, slots=True)
class WorkerReady(_OfProcess):
    """`setup` returned; or a run begins, and the worker is there from the run before it."""

    node: str = ""


@dataclass(frozen=True, slots=True)
class WorkerExited(_OfProcess):
    """A worker that was asked to leave has left."""


@dataclass(frozen=True, slots=True)
class WorkerDied(_OfProcess):
    """A process ended that was not asked to, or was killed by the pool. `exitcode` is negative for
    a signal, None if it isn't known. All it had sent was delivered before this; `stderr` is the end of what it wrote there."""

    exitcode: int | None
    reason: str
    node: str = ""
    stderr: str = ""


@dataclass(frozen=True, slots=True)
class PlacesAwaited:
    """A cluster has had no place for some workers for a while: what was asked for and what is free. Empty once all have one."""

    reason: str


Outcome: TypeAlias = TaskSuccess | TaskError | TaskTimeout
"""Every submitted task gets exactly one of these."""

Event: TypeAlias = (
    Outcome
    | TaskStarted
    | TaskProgress
    | SetupFailed
    | CleanupFailed
    | WorkerStarted
    | WorkerReady
    | WorkerExited
    | WorkerDied
    | PlacesAwaited
)


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """One slot of a pool at one moment.

    `setup` and `pid` are None for a slot without a process; `task_id` and `started_at` (seconds
    since the epoch) belong to the task that is running or, while the worker loads, waiting for it. `awaits` says what a slot
    that is away has been waiting for, once that has taken a while.
    """

    worker_id: int
    gpu_id: int | None
    pid: int | None
    state: SlotState
    setup: Mapping[str, Any] | None
    task_id: TaskId | None
    started_at: float | None
    node: str = ""
    awaits: str = ""
