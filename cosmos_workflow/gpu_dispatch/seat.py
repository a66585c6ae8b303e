"""What is known of a slot, whose state changes in `Seat._enter` alone, along the table of transitions; and the worker in it."""

from __future__ import annotations

import selectors
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from .arguments import Rules
from .channel import NOTHING, Frame, Kind, Payload
from .events import Event, Outcome, SlotState, SlotStatus
from .process import Process
from .tasks import ANY, Kill, Task

GONE_STATES: Final[frozenset[SlotState]] = frozenset({"empty", "away", "broken"})
TRANSITIONS: Final[Mapping[SlotState, frozenset[SlotState]]] = {
    "away": frozenset({"empty", "broken"}),
    "empty": frozenset({"starting", "pausing", "away", "broken"}),
    "pausing": GONE_STATES,
    "starting": frozenset({"idle", "retiring", "killed", *GONE_STATES}),
    "idle": frozenset({"busy", "retiring", "killed", *GONE_STATES}),
    "busy": frozenset({"busy", "idle", "killed", *GONE_STATES}),
    "retiring": frozenset({"killed", *GONE_STATES}),
    "killed": GONE_STATES,
    "broken": frozenset(),
}
_PACE_WEIGHT = 0.3
_MAX_PERMITS = 256  # a pipe has room for as many, however small the system makes it


class Owner(Protocol):
    """Who has the slots and the tasks; see `Scheduler`."""

    rules: Rules
    selector: selectors.BaseSelector
    closing: bool

    def launch(self, slot: Seat, /) -> Process: ...
    def emit(self, event: Event) -> None: ...
    def settle(self, task: Task, outcome: Outcome) -> None: ...
    def give_back(self, task: Task) -> None: ...
    def fail_unservable(self) -> None: ...


class Seat:
    """What is known of a slot; `Slot` is what happens to it.

    `reserved` is the task that waits for the worker that is being set up, or for the one before it to leave. `broken`: why
    nothing is started here any more. `node`: the machine, in a cluster.
    """

    def __init__(self, owner: Owner, worker_id: int, gpu_id: int | None, state: SlotState = "empty") -> None:
        self.worker_id = worker_id
        self.gpu_id = gpu_id
        self.state: SlotState = state
        self.node = ""
        self.awaits = ""
        self.worker: WorkerHandle | None = None
        self.reserved: Task | None = None
        self.deadline: float | None = None
        self.leaving = False
        self.broken: str | None = None
        self.idle_since = 0.0
        self._set_up: Mapping[str, Any] | None = None  # what has gone well here
        self._failures = 0
        self._pause = 0.0
        self._owner = owner

    def _enter(self, state: SlotState, limit: float | None = None) -> None:
        """Change the state, in which the slot may stay for `limit` seconds."""
        if state not in TRANSITIONS[self.state]:
            raise RuntimeError(f"slot {self.worker_id} is {self.state} and can't become {state}")
        self.state, self.deadline = state, later(limit)

    @property
    def free(self) -> bool:
        """A task could be given to this slot now, or reserved for its worker."""
        if self.reserved is not None or self.state not in ("idle", "empty", "starting"):
            return False
        return self.worker is None or not self.worker.process.channel.eof

    def idles_for(self, task: Task) -> bool:
        """Its worker waits, set up for `task`."""
        worker = self.worker
        if worker is None or self.state != "idle" or self.reserved is not None or worker.process.channel.eof:
            return False
        return worker.setup == task.setup and task.pin in (ANY, self.gpu_id)

    @property
    def setup(self) -> Mapping[str, Any] | None:
        return None if self.worker is None else self.worker.setup

    @property
    def held(self) -> int:
        """How many tasks the worker was sent and hasn't answered."""
        return 0 if self.worker is None else len(self.worker.tasks)

    @property
    def quiet(self) -> bool:
        """There is nothing to be done about it but to wait for what its worker says."""
        worker = self.worker
        return self.reserved is None and (worker is None or (len(worker.tasks) < 2 and not worker.process.channel.pending))

    def runs(self, process: Process) -> bool:
        """It is this process that the slot's worker has."""
        return self.worker is not None and self.worker.process is process

    @property
    def busy_since(self) -> float:
        """When the worker began the task that it is at, by the monotonic clock."""
        return self._present().tasks[0].started

    def holds(self, task: Task) -> bool:
        return self.worker is not None and task in self.worker.tasks

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
        worker = self.worker
        running = worker.tasks[0] if worker and worker.tasks else None
        task = running or self.reserved
        return SlotStatus(
            worker_id=self.worker_id,
            gpu_id=self.gpu_id,
            pid=worker.process.pid or None if worker else None,
            state=self.state,
            setup=self.setup,
            task_id=task.id if task else None,
            started_at=time.time() - time.monotonic() + running.started if running else None,
            node=self.node,
            awaits=self.awaits if self.state == "away" else "",
        )

    def _present(self) -> WorkerHandle:
        if self.worker is None:
            raise RuntimeError(f"slot {self.worker_id} is {self.state} and has no worker")
        return self.worker


class WorkerHandle:
    """One worker, from its start to its burial.

    `tasks` is what it was sent and hasn't answered, the first one being run; `pace` the seconds that it took for the last ones,
    of which it has `answered` so many. `closed`: it has said its last word; `kill`: why it was killed, if it was.
    """

    def __init__(self, process: Process, setup: Mapping[str, Any], selector: selectors.BaseSelector, slot: object) -> None:
        self.process = process
        self.setup = setup
        self.tasks: deque[Task] = deque()
        self.pace: float | None = None
        self.answered = 0
        self.closed = False
        self.kill: Kill | None = None
        self._sent = 0
        self._blocked = False
        self._selector = selector
        self._heard = slot, process, False  # what the loop is told: which slot, which of its processes, and whether that is gone
        selector.register(process.channel, selectors.EVENT_READ, self._heard)
        selector.register(process.sentinel, selectors.EVENT_READ, (slot, process, True))

    def say(self, kind: Kind, task: Task | None = None, payload: Payload = NOTHING) -> None:
        """Queue a frame, about `task` if there is one; `flush` sends it."""
        self.process.channel.put(kind, task.ticket if task else 0, payload)

    def give(self, task: Task) -> None:
        """Queue a task, with all that was said to it."""
        self.tasks.append(task)
        self._sent += 1
        task.ticket = self._sent
        ahead = 1 < len(self.tasks) <= _MAX_PERMITS and self.process.permit(task.ticket)
        self.process.channel.put(Kind.RUN_IF_PERMITTED if ahead else Kind.RUN, task.ticket, task.payload)
        for message in task.messages:
            self.say(Kind.MESSAGE, task, message)

    def take_back(self) -> list[Task]:
        """The tasks that the worker was sent ahead and hasn't begun; it won't."""
        revoked = self.process.revoke()
        back = [task for task in self.tasks if task.ticket in revoked]
        self.tasks = deque(task for task in self.tasks if task.ticket not in revoked)
        return back

    def flush(self) -> None:
        """Send what the worker's socket takes now; the loop is told to watch for the rest."""
        channel = self.process.channel
        if not channel.pending or channel.eof:
            return
        blocked = not self.process.flush()
        if blocked != self._blocked:
            self._blocked = blocked
            watched = selectors.EVENT_READ | (selectors.EVENT_WRITE if blocked else 0)
            self._selector.modify(channel, watched, self._heard)

    def hear(self, take: Callable[[Frame], None]) -> None:
        """Have `take` called with each frame that has come."""
        channel, answered = self.process.channel, self.answered
        since = self.tasks[0].started if self.tasks else 0.0
        for frame in channel.receive():
            take(frame)
        if self.answered > answered:
            took = (time.monotonic() - since) / (self.answered - answered)
            self.pace = took if self.pace is None else self.pace + _PACE_WEIGHT * (took - self.pace)
        if channel.eof:
            self._selector.unregister(channel)

    def bury(self, take: Callable[[Frame], None]) -> int | None:
        """Its process is gone: `take` its last words, and return its exit code."""
        process = self.process
        process.kill()  # its descendants, which may hold the socket open
        if not process.channel.eof:
            for frame in process.channel.drain():
                take(frame)
            self._selector.unregister(process.channel)
        self._selector.unregister(process.sentinel)
        return process.reap()


def later(seconds: float | None) -> float | None:
    return None if seconds is None else time.monotonic() + seconds


def sooner(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else min(a, b)
