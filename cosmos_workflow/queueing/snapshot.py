"""What a queue shows of itself, and where it writes its changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from cosmos_workflow.queueing.items import RETRYABLE, ItemStatus, QueueItem

Kind = tuple[str, str]
"""An engine and a batch key."""


@dataclass(frozen=True, slots=True)
class Work:
    """Items of one kind: how many, what they cost together in their engine's unit, and one of them."""

    items: int
    cost: float
    example: QueueItem


def count_work(work: dict[Kind, Work], item: QueueItem, number: int = 1) -> None:
    """An item is part of this work, or with -1 none of it any more."""
    kind = item.engine, item.batch_key
    known = work.get(kind) or Work(0, 0.0, item)
    work[kind] = Work(known.items + number, known.cost + number * item.cost, known.example)
    if not work[kind].items:
        del work[kind]


class Journal(Protocol):
    """Where a queue writes each change before anybody sees it; an exception leaves the queue as it was."""

    def save(
        self, token: str, added: Sequence[QueueItem], changed: Sequence[QueueItem] = (), removed: Sequence[str] = ()
    ) -> None:
        """Write items that are new and those that changed, and take away those that left."""
        ...

    def hand_over(self, token: str, to: str, items: Sequence[QueueItem]) -> None:
        """Items of the queue `token` are those of the queue `to` from now on, in their new places; all or none."""
        ...


@dataclass(frozen=True)
class QueueSnapshot:
    """A queue at one moment. `version` grows with every change; `finished` are the items done since it was last cleared.

    `done` counts the outcomes since the queue was last empty when something was added: what "12 of 50" is made of. `running`
    are those of `items` that are being made, the others wait; `work` is what all of them are together.
    """

    version: int
    items: tuple[QueueItem, ...]
    running: tuple[QueueItem, ...]
    finished: tuple[QueueItem, ...]
    done: Mapping[ItemStatus, int]
    work: Mapping[Kind, Work]

    @property
    def waiting(self) -> int:
        """How many items wait."""
        return len(self.items) - len(self.running)

    @cached_property
    def queued(self) -> list[QueueItem]:
        """Items that wait."""
        return [item for item in self.items if item.status is ItemStatus.QUEUED]

    @cached_property
    def failed(self) -> list[QueueItem]:
        """Items that failed, and weren't cleared or retried."""
        return [item for item in self.finished if item.status is ItemStatus.FAILED]

    @cached_property
    def retryable(self) -> list[QueueItem]:
        """Items that failed or were cancelled, and weren't cleared or retried."""
        return [item for item in self.finished if item.status in RETRYABLE]

    @cached_property
    def total(self) -> int:
        """Items of this round: finished, running and queued."""
        return sum(self.done.values()) + len(self.items)
