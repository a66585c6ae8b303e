"""What a worker is sent before it has asked, so that it needn't wait for its parent: the next tasks, if small and quick."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .seat import sooner
from .slots import Slot
from .tasks import Backlog

_SLOW = 0.01  # seconds after which what was sent behind a task goes to a worker that is idle
_WORK = 0.005  # seconds of work that may be sent ahead to a worker: what a slower task would wait
_SHORT = 0.05  # seconds: in a cluster one of them is always sent ahead, which hides the way there
_MANY = 8  # tasks; fewer are heard one by one
_SMALL = 1 << 16  # bytes: only tasks that the socket takes at once are sent ahead


class Ahead:
    """How many tasks a worker may hold, `most` at most; `here`: the workers are on this machine."""

    def __init__(self, most: int, here: bool) -> None:
        self._most = most
        self._here = here

    def depth(self, slot: Slot) -> int:
        """How many tasks the worker may hold, going by the time it took for the last ones."""
        pace = None if slot.worker is None else slot.worker.pace
        if self._most == 1 or pace is None:
            return 1
        least = 1 if self._here or pace > _SHORT else 2
        return min(self._most, max(least, 1 + int(_WORK / max(pace, 1e-6))))

    def hungry(self, slot: Slot) -> bool:
        """The worker could be given a task at once, or has done half of those that it may hold."""
        return slot.free or (slot.state == "busy" and 2 * slot.held <= self.depth(slot))

    def lasts(self, slot: Slot, seconds: float) -> bool:
        """The worker has many quick tasks in hand, enough for twice this time."""
        worker = slot.worker
        if worker is None or len(worker.tasks) < _MANY or worker.pace is None:
            return False
        return len(worker.tasks) * worker.pace >= 2 * seconds

    def deal(self, slots: Sequence[Slot], backlog: Backlog) -> None:
        """Deal small tasks out, one after another, to the workers that are at a fresh one; who holds the fewest comes first."""
        if self._most == 1:
            return
        fresh = time.monotonic() - (_WORK if self._here else _SHORT)
        at_work = [slot for slot in slots if slot.state == "busy" and not slot.leaving and slot.busy_since >= fresh]
        room = [(slot, places) for slot in at_work if (places := range(slot.held, self.depth(slot)))]
        for place in range(1, self._most if room else 0):
            for slot, places in room:
                task = backlog.first(slot.gpu_id) if place in places else None
                if task and task.setup == slot.setup and task.payload.size <= _SMALL and not task.payload.files:
                    backlog.pop(task)
                    slot.hand(task)

    def take_back(self, slots: Sequence[Slot], backlog: Backlog) -> float | None:
        """Fetch tasks for an idle worker that were sent behind one that turned out to be slow; and when to look again, by the
        monotonic clock, if there may be such tasks then."""
        ahead = [slot for slot in slots if slot.state == "busy" and slot.held > 1]
        idle = [slot for slot in slots if slot.free and slot.state == "idle"] if ahead else []
        again: float | None = None
        for slot in ahead if idle else ():
            if any(other.setup == slot.setup for other in idle):
                due = slot.busy_since + _SLOW
                if time.monotonic() >= due:
                    for task in reversed(slot.take_back()):
                        backlog.push_back(task)
                else:
                    again = sooner(again, due)
        return again
