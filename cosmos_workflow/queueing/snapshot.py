"""What a queue shows of itself, and where it writes its changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from cosmos_workflow.queueing.items import ItemStatus, QueueItem


class Journal(Protocol):
    """Where a queue writes each change before anybody sees it; an exception leaves the queue as it was."""

    def save(self, token: str, changed: Sequence[QueueItem], removed: Sequence[str]) -> None:
        """Write items that are new or changed, and take away those that left."""
        ...


@dataclass(frozen=True)
class QueueSnapshot:
    """A queue at one moment. `version` grows with every change; `finished` are the items done since it was last cleared.

    `done` counts the outcomes since the queue was last empty when something was added: what "12 of 50" is made of.
    """

    version: int
    items: tuple[QueueItem, ...]
    finished: tuple[QueueItem, ...]
    done: Mapping[ItemStatus, int]

    @cached_property
    def queued(self) -> list[QueueItem]:
        """Items that wait."""
        return [item for item in self.items if item.status is ItemStatus.QUEUED]

    @cached_property
    def running(self) -> list[QueueItem]:
        """Items that are being made."""
        return [item for item in self.items if item.status is ItemStatus.RUNNING]

    @cached_property
    def failed(self) -> list[QueueItem]:
        """Items that failed, and weren't cleared or retried."""
        return [item for item in self.finished if item.status is ItemStatus.FAILED]

    @cached_property
    def total(self) -> int:
        """Items of this round: finished, running and queued."""
        return sum(self.done.values()) + len(self.items)
