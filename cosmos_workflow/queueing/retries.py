"""The retry policy, pure: when an item is tried again, in how small a batch, and when a queue holds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

MAX_INTERRUPTIONS = 2
"""How often an item whose batch was interrupted is tried again; the next time it fails with that reason."""
MAX_DEATHS = 3
"""Worker deaths in a row after which a queue holds: then it isn't an item that is at fault."""


class Ending(StrEnum):
    """How the work on an item ended.

    broken: its batch raised or ran out of memory; died: its worker's process ended, or fell silent and was killed. Either may
    be the doing of another item of the batch. died loading: the process ended while it loaded the engine. stopped: something
    from outside ended it. Of the item nothing is known after these two.
    """

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    BROKEN = "broken"
    DIED = "died"
    DIED_LOADING = "died loading"
    STOPPED = "stopped"


def next_attempts(ending: Ending, attempts: int, batch_size: int) -> int | None:
    """How often an item counts as interrupted when it is tried again after this ending; None where it isn't tried again.

    `attempts` is how often it was interrupted before, `batch_size` how many were in its batch: one that breaks alone is at
    fault.
    """
    if ending in (Ending.STOPPED, Ending.DIED_LOADING):
        return attempts
    if ending is Ending.DIED or (ending is Ending.BROKEN and batch_size > 1):
        return attempts + 1 if attempts < MAX_INTERRUPTIONS else None
    return None


def rung(attempts: int, size: int) -> int:
    """The ladder: how many of `size` items that could share a batch do so. All, then half of them, then each alone."""
    if attempts == 0:
        return size
    return math.ceil(size / 2) if attempts < MAX_INTERRUPTIONS else 1


def waits_for_others(attempts: int) -> bool:
    """Whether an item is made only when nothing else is queued: it is the one to suspect."""
    return attempts >= MAX_INTERRUPTIONS


@dataclass(frozen=True, slots=True)
class Deaths:
    """Worker deaths since something was last made: those of new work, and those of items on the ladder's last rung.

    A half that dies says nothing: the ladder is still looking for the item that is at fault. Several items in a row that die
    alone do, as do several batches that nothing was known against.
    """

    new: int = 0
    alone: int = 0

    def after(self, ending: Ending, attempts: int, batch_size: int) -> Deaths:
        """With this ending of a batch whose items were interrupted that often before."""
        if ending is Ending.SUCCEEDED:
            return Deaths()
        if ending not in (Ending.DIED, Ending.DIED_LOADING):
            return self
        if ending is Ending.DIED and attempts >= MAX_INTERRUPTIONS:
            return replace(self, alone=self.alone + 1)
        if ending is Ending.DIED and attempts and batch_size > 1:
            return self
        return replace(self, new=self.new + 1)

    @property
    def in_a_row(self) -> int:
        """The longer row of the two; a queue holds where it reaches MAX_DEATHS."""
        return max(self.new, self.alone)
