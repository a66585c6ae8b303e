"""What is in a queue, and the one table that says how its status may change."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from cosmos_workflow.ids import new_id

MAX_INTERRUPTIONS = 2
"""How often an item whose process died goes back to queued; the next time it fails with that reason."""


class ItemStatus(StrEnum):
    """The status of an item, and of the run that executes it."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether it never changes again."""
        return not TRANSITIONS[self]


TRANSITIONS: Mapping[ItemStatus, frozenset[ItemStatus]] = {
    ItemStatus.QUEUED: frozenset({ItemStatus.RUNNING, ItemStatus.CANCELLED, ItemStatus.FAILED}),
    # Back to queued is an interruption: the process that ran it died.
    ItemStatus.RUNNING: frozenset({ItemStatus.SUCCEEDED, ItemStatus.FAILED, ItemStatus.CANCELLED, ItemStatus.QUEUED}),
    ItemStatus.SUCCEEDED: frozenset(),
    ItemStatus.FAILED: frozenset(),
    ItemStatus.CANCELLED: frozenset(),
}


class TransitionError(RuntimeError):
    """A status was asked to change in a way the table doesn't know: a mistake in this program, not of its user."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Text plus input files: `inputs` maps an engine's input name ("video", "voice") to a path."""

    text: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: new_id("ps"))
    name: str = ""


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One thing to generate. `params` and `weights` are complete and checked; nothing in it is ever changed in place.

    `attempts` counts the times its process died, `retry_of` names the item it repeats, `position` orders the queue,
    `source` says where it comes from when that isn't the page (a task of a job), `cost` is what drives its time, in its
    engine's unit.
    """

    prompt_id: str
    prompt_text: str
    engine: str
    params: Mapping[str, Any]
    weights: Mapping[str, float]
    inputs: Mapping[str, str]
    batch_key: str
    added_at: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: new_id("qi"))
    status: ItemStatus = ItemStatus.QUEUED
    error: str = ""
    attempts: int = 0
    retry_of: str = ""
    position: int = 0
    source: str = ""
    cost: float = 1.0

    def to(self, status: ItemStatus, error: str = "") -> QueueItem:
        """The item in another status; raises TransitionError where the table doesn't allow it."""
        if status not in TRANSITIONS[self.status]:
            raise TransitionError(f"{self.id} can't go from {self.status} to {status}")
        return replace(self, status=status, error=error)

    def interrupted(self, reason: str) -> QueueItem:
        """The item after its process died: queued again, or failed where that happened too often."""
        if self.attempts >= MAX_INTERRUPTIONS:
            return self.to(ItemStatus.FAILED, f"{reason} It was tried {self.attempts + 1} times.")
        return replace(self.to(ItemStatus.QUEUED, reason), attempts=self.attempts + 1)


@dataclass(frozen=True, slots=True)
class Batch:
    """Items of one key, in queue order, that an engine makes in one call."""

    key: str
    items: tuple[QueueItem, ...]
    id: str = field(default_factory=lambda: new_id("batch"), compare=False)

    @property
    def engine(self) -> str:
        """The engine that all its items name."""
        return self.items[0].engine

    def __len__(self) -> int:
        return len(self.items)
