"""The scheduler of a pool: every task without an outcome, and which of them goes to which slot, and when.

Pure bookkeeping in one thread at a time; the pool has the lock, and the loop that waits.
"""

from __future__ import annotations

import itertools
import selectors
import time
from collections.abc import Callable, Mapping
from typing import Any

from .ahead import Ahead
from .arguments import Rules
from .channel import NOTHING, Payload
from .events import Event, Outcome, TaskError, TaskId
from .process import Process
from .seat import Seat
from .slots import Slot
from .tasks import Backlog, Pin, Task


class Scheduler:
    """First come, first served; of the free slots the one that can start soonest. See `ahead` for `prefetch`."""

    def __init__(self, rules: Rules, launch: Callable[[Seat], Process], prefetch: int) -> None:
        self.rules = rules
        self.launch = launch
        self.selector: selectors.BaseSelector = selectors.DefaultSelector()
        self.slots: list[Slot] = []
        self.out: list[Event] = []
        self.closing = False
        self._ahead = Ahead(prefetch, rules.here)
        self._tasks: dict[TaskId, Task] = {}
        self._backlog = Backlog()
        self._numbers = itertools.count(1)
        self._setup: dict[str, Any] = {}
        self._closing_deadline: float | None = None
        self._look_again: float | None = None

    # What the pool asks for.

    def submit(
        self,
        task_id: TaskId,
        payload: Payload,
        error: str | None,
        setup: Mapping[str, Any],
        timeout: float | None,
        pin: Pin,
        at_once: bool,
    ) -> tuple[Task, bool]:
        """Take a task on, and whether an idle worker has been sent it, which is tried if `at_once` and nothing else waits.
        `error` says why it couldn't be pickled."""
        seq = next(self._numbers)
        task_id = seq if task_id is None else task_id
        if task_id in self._tasks:
            raise ValueError(f"there is a task {task_id!r} already, and it isn't done")
        if setup != self._setup:
            self._setup = dict(setup)  # one object for equal setups, which are then quick to compare
        task = self._tasks[task_id] = Task(seq, task_id, payload, self._setup, timeout, pin)
        if error is not None:
            self.settle(task, TaskError(task_id, error, None, "unpicklable"))
        elif at_once and not self.closing and not self._backlog and (slot := self._idle_for(task)) is not None:
            slot.hand(task, at_once=True)
            return task, True
        else:
            self._backlog.push(task)
            self.fail_unservable()
        return task, False

    def _idle_for(self, task: Task) -> Slot | None:
        """The worker that could run it now and has idled longest."""
        return min((slot for slot in self.slots if slot.idles_for(task)), key=lambda slot: slot.idle_since, default=None)

    def cancel(self, task_id: TaskId) -> None:
        """Drop a task that waits, ask the worker of one that runs; nothing for one that is over."""
        if task := self._tasks.get(task_id):
            if slot := self._holder(task):
                slot.cancel(task)
            else:
                self._drop(task, "the task was cancelled before it started")

    def cancel_all(self) -> None:
        for task_id in list(self._tasks):
            self.cancel(task_id)

    def send(self, task_id: TaskId, message: Payload) -> None:
        """A message for a task that isn't over."""
        if task := self._tasks.get(task_id):
            task.messages.append(message)
            if slot := self._holder(task):
                slot.send(task, message)

    def close(self, graceful: bool, timeout: float | None) -> None:
        """Begin the end: what waits is cancelled, what runs may finish, if `graceful`, within `timeout` seconds."""
        self.closing = True
        if timeout is not None:
            deadline = time.monotonic() + timeout
            self._closing_deadline = min(self._closing_deadline or deadline, deadline)
        for task in list(self._tasks.values()):
            if self._holder(task) is None:
                self._drop(task, "the pool was shut down before the task started")
        for slot in self.slots:
            if slot.state == "starting":
                slot.kill("shutdown", "the pool was shut down")
            slot.leave()
        if not graceful:
            self._kill_all("the pool was shut down")

    @property
    def finished(self) -> bool:
        """It was closed, and no process is left."""
        return self.closing and all(slot.worker is None for slot in self.slots)

    def capacity(self) -> int:
        """How many tasks keep every usable worker busy: what it may hold, and one more. At least one, which makes it known
        that there is work."""
        return max(1, sum(1 + self._ahead.depth(slot) for slot in self.slots if slot.broken is None))

    @property
    def needs_tasks(self) -> bool:
        """Some worker could be given one at once, or has done half of those that it may hold."""
        return any(self._ahead.hungry(slot) for slot in self.slots)

    @property
    def wants_workers(self) -> bool:
        """A task waits, and no slot is there for it."""
        return not self.closing and bool(self._backlog.heads()) and not any(slot.free for slot in self.slots)

    # What the loop asks for.

    def well_fed(self, seconds: float) -> bool:
        """Every worker that could work has quick tasks in hand, enough for twice this time, and nothing is to be told."""
        works = False
        for slot in self.slots if not self.out else ():
            if slot.state == "idle" or (slot.state == "busy" and not self._ahead.lasts(slot, seconds)):
                return False
            works = works or slot.state == "busy"
        return works

    def deadline(self) -> float | None:
        """When the nearest limit is over, by the monotonic clock."""
        limits = (self._closing_deadline, self._look_again, *(slot.deadline for slot in self.slots))
        return min((limit for limit in limits if limit is not None), default=None)

    def enforce(self) -> None:
        """Kill what is over its limit."""
        now = time.monotonic()
        for slot in self.slots:
            if slot.deadline is not None and now >= slot.deadline:
                slot.on_deadline()
        if self._closing_deadline is not None and now >= self._closing_deadline:
            self._kill_all("it was still there when the time for the shutdown was over")

    def advance(self) -> None:
        """Give every task a worker, or a worker to wait for, as far as there are any; and send what is to be sent."""
        self._look_again = None
        if not self._backlog and all(slot.quiet for slot in self.slots):
            return
        if not self.closing:
            self._place()
            if not self._backlog:
                self._look_again = self._ahead.take_back(self.slots, self._backlog)
                self._place()
        for slot in self.slots:
            if slot.worker is not None:
                slot.worker.flush()

    def give_up(self, reason: str) -> None:
        """Nothing can be relied on any more: every worker is ended, and every task with it."""
        self.closing = True
        for slot in self.slots:
            slot.abandon()
        for task in list(self._tasks.values()):
            self.settle(task, TaskError(task.id, reason, None, "died"))

    # What the slots ask for.

    def emit(self, event: Event) -> None:
        self.out.append(event)

    def settle(self, task: Task, outcome: Outcome) -> None:
        """The task's outcome, which is told once."""
        if not task.settled:
            task.settled, task.payload = True, NOTHING
            del self._tasks[task.id]
            self.out.append(outcome)

    def give_back(self, task: Task) -> None:
        """A task that a slot can't run after all."""
        if task.cancelled:
            self._drop(task, "the task was cancelled before it started")
        elif self.closing:
            self._drop(task, "the pool was shut down")
        else:
            self._backlog.push_back(task)
            self.fail_unservable()

    def fail_unservable(self) -> None:
        """Settle the tasks for which every slot is broken."""
        if not any(slot.broken for slot in self.slots):
            return
        for task in self._backlog:
            fitting = [slot for slot in self.slots if slot.accepts(task)]
            if all(slot.broken for slot in fitting):
                error = f"no worker could be set up; the last one said:\n{fitting[-1].broken}"
                self.settle(task, TaskError(task.id, error, None, "setup"))

    def _holder(self, task: Task) -> Slot | None:
        return next((slot for slot in self.slots if slot.holds(task)), None)

    def _drop(self, task: Task, reason: str) -> None:
        """Settle a task that no worker holds."""
        for slot in self.slots:
            if slot.reserved is task:
                slot.reserved = None
        self.settle(task, TaskError(task.id, reason, None, "cancelled"))

    def _kill_all(self, reason: str) -> None:
        for slot in self.slots:
            slot.kill("shutdown", reason)
        self._closing_deadline = None

    def _place(self) -> None:
        if any(slot.reserved is not None for slot in self.slots):
            self._reclaim()
        while self._backlog:
            if (pick := self._pick()) is None:
                self._ahead.deal(self.slots, self._backlog)
                return
            slot, task = pick
            self._backlog.pop(task)
            if slot.state == "idle" and slot.setup == task.setup:
                slot.hand(task)
            else:
                slot.reserve(task)

    def _pick(self) -> tuple[Slot, Task] | None:
        """The earliest task that a slot is free for, and the slot that can start it soonest."""
        free = [slot for slot in self.slots if slot.free]
        if not free:
            return None
        for task in self._backlog.heads():
            fitting = [slot for slot in free if slot.accepts(task)]
            if fitting:
                return min(fitting, key=lambda slot: (slot.effort(task), slot.idle_since)), task
        return None

    def _reclaim(self) -> None:
        """Give an idle worker the task that waits for another one to be set up in the same way."""
        waiting = [(slot.reserved, slot) for slot in self.slots if slot.reserved is not None]
        waiting.sort(key=lambda pair: pair[0].seq)
        for idle in [slot for slot in self.slots if slot.free and slot.state == "idle"]:
            for task, slot in waiting:
                if slot.reserved is task and task.setup == idle.setup and idle.accepts(task):
                    slot.reserved = None
                    idle.hand(task)
                    break
