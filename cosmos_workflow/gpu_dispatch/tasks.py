"""Tasks that have no outcome yet, the queue of those that wait for a worker, and the rules for what a task's outcome is."""

from __future__ import annotations

import traceback
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from .channel import Frame, Kind, Payload
from .events import Outcome, Raised, SlotState, TaskError, TaskId, TaskSuccess, TaskTimeout

ANY: Final = "any"
"""As `gpu_id` of a task: whichever worker comes first."""

Pin: TypeAlias = int | Literal["any"] | None


@dataclass(eq=False, slots=True)
class Task:
    """A task on its way. `started` is of the monotonic clock; `bad_report` says which of its reports couldn't be read.

    `ticket`: its number between pool and worker, another one each time it is handed out: what was taken back is still on its way
    there, and must not be mistaken for what was sent after it.
    """

    seq: int
    id: TaskId
    payload: Payload
    setup: Mapping[str, Any]
    timeout: float | None
    pin: Pin
    deaths: int = 0
    cancelled: bool = False
    settled: bool = False
    bad_report: str | None = None
    started: float = 0.0
    ticket: int = 0
    messages: list[Payload] = field(default_factory=list)


KillKind: TypeAlias = Literal["timeout", "cancelled", "setup", "cleanup", "shutdown", "unneeded", "channel"]


class Kill(NamedTuple):
    """Why the pool killed a worker. `during`: the slot's state until then; `task`: the one that made it, if one did."""

    kind: KillKind
    reason: str
    during: SlotState
    task: Task | None


def _head(queue: deque[Task]) -> Task | None:
    """The first task that still waits for its outcome."""
    while queue and queue[0].settled:
        queue.popleft()
    return queue[0] if queue else None


class Backlog:
    """Tasks that wait, in the order of their numbers; one queue for each pin."""

    def __init__(self) -> None:
        self._queues: defaultdict[Pin, deque[Task]] = defaultdict(deque)

    def push(self, task: Task) -> None:
        self._queues[task.pin].append(task)

    def push_back(self, task: Task) -> None:
        """Return a task to the front: everything that waits has a higher number."""
        self._queues[task.pin].appendleft(task)

    def heads(self, *pins: Pin) -> list[Task]:
        """The first task of each queue (of those for `pins`, if given), the earliest first."""
        found: list[Task] = []
        for pin, queue in self._queues.items():
            head = _head(queue)
            if head and (not pins or pin in pins):
                found.append(head)
        if len(found) > 1:
            found.sort(key=lambda task: task.seq)
        return found

    def first(self, gpu_id: int | None) -> Task | None:
        """The earliest of the tasks that the worker on `gpu_id` may be given."""
        return next(iter(self.heads(ANY, gpu_id)), None)

    def pop(self, task: Task) -> None:
        """Take away what `heads` showed."""
        self._queues[task.pin].popleft()

    def __bool__(self) -> bool:
        return any(self._queues.values())

    def __iter__(self) -> Iterator[Task]:
        for queue in self._queues.values():
            yield from [task for task in queue if not task.settled]


def outcome_of_frame(task: Task, frame: Frame, worker_id: int, node: str) -> Outcome:
    """What the worker's answer to `task` means."""
    if task.bad_report is not None:
        return TaskError(task.id, task.bad_report, worker_id, "unpicklable", node)
    try:
        said = frame.load()
    except BaseException:  # whatever it is, it was raised by what the worker has sent
        error = f"the result can't be unpickled\n{traceback.format_exc()}"
        return TaskError(task.id, error, worker_id, "unpicklable", node)
    if frame.kind is Kind.SUCCESS:
        return TaskSuccess(task.id, said, worker_id, node)
    if frame.kind is Kind.CANCELLED:
        return TaskError(task.id, "the task was cancelled", worker_id, "cancelled", node)
    kind = "unpicklable" if frame.kind is Kind.UNPICKLABLE else "exception"
    if isinstance(said, Raised):
        return TaskError(task.id, said.error, worker_id, kind, node, said.reason, said.exception)
    return TaskError(task.id, said, worker_id, kind, node)


def outcome_of_death(
    task: Task, kill: Kill | None, died_of: Raised, max_retries: int, worker_id: int, node: str
) -> Outcome | None:
    """What the end of its worker means for the task that ran; None: it is to be run again."""
    if task.cancelled:
        return TaskError(task.id, "the task was cancelled", worker_id, "cancelled", node)
    if kill is not None and kill.kind == "shutdown":
        return TaskError(task.id, kill.reason, worker_id, "cancelled", node)
    if kill is not None and kill.task is task:
        return TaskTimeout(task.id, task.timeout or 0.0, worker_id, node)
    if kill is not None and kill.kind != "channel":
        return None  # killed because of the task before it, whose result came in time
    task.deaths += 1
    if task.deaths <= max_retries:
        return None
    return TaskError(task.id, died_of.error, worker_id, "died", node, died_of.reason)
