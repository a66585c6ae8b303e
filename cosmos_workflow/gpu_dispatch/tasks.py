"""Tasks that have no outcome yet, and the queue of those that wait for a worker."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from cosmos_workflow.gpu_dispatch.channel import Payload
from cosmos_workflow.gpu_dispatch.events import TaskId

ANY: Final = "any"
"""As `gpu_id` of a task: whichever worker comes first."""

Pin: TypeAlias = int | Literal["any"] | None


@dataclass(eq=False, slots=True)
class Task:
    """A task on its way. `started` is of the monotonic clock; `bad_report` says which of its reports couldn't be read."""

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
    messages: list[Payload] = field(default_factory=list)


class Backlog:
    """Tasks that wait, in the order of their numbers; one queue for each pin."""

    def __init__(self) -> None:
        self._queues: dict[Pin, deque[Task]] = {}

    def push(self, task: Task) -> None:
        self._queues.setdefault(task.pin, deque()).append(task)

    def push_back(self, task: Task) -> None:
        """Return a task to the front: everything that waits has a higher number."""
        self._queues.setdefault(task.pin, deque()).appendleft(task)

    def heads(self, *pins: Pin) -> list[Task]:
        """The first task of each queue (of those for `pins`, if given), the earliest first."""
        found: list[Task] = []
        for pin, queue in self._queues.items():
            while queue and queue[0].settled:
                queue.popleft()
            if queue and (not pins or pin in pins):
                found.append(queue[0])
        if len(found) > 1:
            found.sort(key=lambda task: task.seq)
        return found

    def pop(self, task: Task) -> None:
        """Take away what `heads` showed."""
        self._queues[task.pin].popleft()

    def __bool__(self) -> bool:
        return any(self._queues.values())

    def __iter__(self) -> Iterator[Task]:
        for queue in self._queues.values():
            yield from [task for task in queue if not task.settled]
