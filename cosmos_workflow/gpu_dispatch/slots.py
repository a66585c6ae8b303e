"""The pool's bookkeeping: a task on its way, a slot and what its worker holds, the backlog."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from cosmos_workflow.gpu_dispatch.channel import Payload
from cosmos_workflow.gpu_dispatch.process import Process
from cosmos_workflow.gpu_dispatch.protocol import SlotState, SlotStatus, TaskId

ANY: Final = "any"
"""As `gpu_id` of a task: whichever worker comes first."""

Pin: TypeAlias = int | Literal["any"] | None


@dataclass(eq=False, slots=True)
class Task:
    """A task that has no outcome yet. Times are of the monotonic clock."""

    seq: int
    id: TaskId
    payload: Payload
    setup: Mapping[str, Any]
    timeout: float | None
    pin: Pin
    deaths: int = 0
    cancelled: bool = False
    settled: bool = False
    spoiled: str | None = None
    started: float = 0.0
    mail: list[Payload] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why the pool killed a worker. `at_fault`: the task that made it, if one did."""

    kind: Literal["timeout", "cancelled", "setup", "cleanup", "shutdown", "unneeded", "channel"]
    reason: str
    at_fault: Task | None = None


UNNEEDED: Final = Verdict("unneeded", "nobody waits for what it was loading")


@dataclass(eq=False, slots=True)
class Slot:
    """A place for one worker. `hands` is what the worker was sent, the first one being run;
    `reserved` waits for the worker that is being set up, or for the one before it to leave.
    `farewell`: the worker has said its last word; `blocked`: its socket takes no more for now.
    `node`: the machine, in a cluster; `away`: it isn't there, so that nothing can be started."""

    worker_id: int
    gpu_id: int | None
    seed: int
    state: SlotState = "empty"
    process: Process | None = None
    setup: Mapping[str, Any] | None = None
    hands: deque[Task] = field(default_factory=deque)
    reserved: Task | None = None
    deadline: float | None = None
    verdict: Verdict | None = None
    leaving: bool = False
    farewell: bool = False
    blocked: bool = False
    broken: str | None = None
    idle_since: float = 0.0
    pace: float | None = None
    node: str = ""
    away: bool = False

    @property
    def worker(self) -> Process:
        """The process of a slot that isn't empty."""
        if self.process is None:
            raise RuntimeError(f"slot {self.worker_id} is {self.state} and has no process")
        return self.process

    @property
    def free(self) -> bool:
        """A task could be given to this slot now, or reserved for its worker."""
        return (
            self.state in ("idle", "empty", "starting")
            and self.reserved is None
            and self.broken is None
            and not self.away
            and self.verdict is None
            and not (self.process and self.process.channel.eof)
        )

    def effort(self, task: Task) -> int:
        """How far this slot, being free, is from running `task`; the pool takes the least."""
        fits = self.setup == task.setup
        if self.state == "idle":
            return 0 if fits else 3
        if self.state == "starting":
            return 1 if fits else 4
        return 2

    def accepts(self, task: Task) -> bool:
        return task.pin in (ANY, self.gpu_id)

    def status(self) -> SlotStatus:
        task = self.hands[0] if self.hands else self.reserved
        running = bool(self.hands)
        return SlotStatus(
            worker_id=self.worker_id,
            gpu_id=self.gpu_id,
            pid=self.process.pid or None if self.process else None,
            state="killed" if self.verdict else "away" if self.away else self.state,
            setup=self.setup,
            task_id=task.id if task else None,
            started_at=time.time() - time.monotonic() + task.started if task and running else None,
            node=self.node,
        )


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
