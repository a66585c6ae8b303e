"""Which task goes to which worker, and when. Nothing else decides that."""

from __future__ import annotations

from collections.abc import Sequence

from cosmos_workflow.gpu_dispatch.crew import Crew
from cosmos_workflow.gpu_dispatch.slots import ANY, UNNEEDED, Backlog, Slot, Task

_AHEAD = 0.005  # seconds of work that may be sent ahead to a worker: what a slower task would wait
_SMALL = 1 << 16  # bytes: only tasks that the socket takes at once are sent ahead


class Placement:
    """First come, first served; of the free slots the one that can start soonest.

    A worker that needs little time for a task is sent the next ones ahead, at most `prefetch` in
    all, so that it need not wait for the parent between two of them.
    """

    def __init__(self, slots: Sequence[Slot], backlog: Backlog, crew: Crew, prefetch: int) -> None:
        self._slots = slots
        self._backlog = backlog
        self._crew = crew
        self._prefetch = prefetch

    def capacity(self) -> int:
        """How many tasks keep every usable worker busy: what it may hold, and one more. At least one, which makes it known
        that there is work."""
        return max(1, sum(1 + self._depth(slot) for slot in self._slots if slot.broken is None))

    def place(self) -> None:
        """Give every task a worker, or a worker to wait for, as far as there are any."""
        for slot in self._slots:
            if slot.reserved is not None:
                self._reclaim()
                break
        while self._backlog and (pick := self._pick()):
            slot, task = pick
            self._backlog.pop(task)
            fits = slot.setup == task.setup
            if slot.state == "idle" and fits:
                self._crew.hand(slot, task)
                continue
            slot.reserved = task
            if slot.state == "empty":
                self._crew.start(slot, task.setup)
            elif slot.state == "idle":
                self._crew.retire(slot)
            elif not fits:
                self._crew.kill(slot, UNNEEDED)
        for depth in range(1, self._prefetch if self._backlog else 0):
            for slot in self._slots:
                if len(slot.hands) == depth < self._depth(slot):
                    self._send_ahead(slot)

    def _pick(self) -> tuple[Slot, Task] | None:
        """The earliest task that a slot is free for, and the slot that can start it soonest."""
        free = [slot for slot in self._slots if slot.free]
        if not free:
            return None
        for task in self._backlog.heads():
            fitting = [slot for slot in free if slot.accepts(task)]
            if fitting:
                return min(fitting, key=lambda slot: (slot.effort(task), slot.idle_since)), task
        return None

    def _reclaim(self) -> None:
        """Give an idle worker the task that waits for another one to be set up in the same way."""
        for idle in self._slots:
            if not (idle.free and idle.state == "idle"):
                continue
            waiting = [s for s in self._slots if s.reserved is not None]
            waiting.sort(key=lambda slot: slot.reserved.seq if slot.reserved else 0)
            for slot in waiting:
                task = slot.reserved
                if task is not None and task.setup == idle.setup and idle.accepts(task):
                    slot.reserved = None
                    self._crew.hand(idle, task)
                    break

    def _send_ahead(self, slot: Slot) -> None:
        if slot.state != "busy" or slot.leaving or slot.verdict is not None:
            return
        for task in self._backlog.heads(ANY, slot.gpu_id)[:1]:
            if task.setup == slot.setup and task.payload.size <= _SMALL and not task.payload.files:
                self._backlog.pop(task)
                self._crew.hand(slot, task)

    def _depth(self, slot: Slot) -> int:
        """How many tasks the worker may hold, going by the time it took for the last ones."""
        if self._prefetch == 1 or slot.pace is None:
            return 1
        return min(self._prefetch, 1 + int(_AHEAD / max(slot.pace, 1e-6)))
