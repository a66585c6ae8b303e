"""A worker as its slot holds it: its process, the tasks in its hands, and what goes over its channel."""

from __future__ import annotations

import selectors
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from .channel import NOTHING, Frame, Kind, Payload
from .process import Process
from .tasks import Kill, Task

_PACE_WEIGHT = 0.3
_MAX_PERMITS = 256  # a pipe has room for as many, however small the system makes it


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
