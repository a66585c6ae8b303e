"""How much there is to make, kept by what may share a batch, so that the time left is told without looking at each item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cosmos_workflow.queueing.items import QueueItem

Kind = tuple[str, str]
"""An engine and a batch key."""


@dataclass(frozen=True, slots=True)
class Work:
    """Items of one kind: how many, what they cost together in their engine's unit, and one of them."""

    items: int
    cost: float
    example: QueueItem


class Workload:
    """The work of a queue that changes."""

    def __init__(self, items: Iterable[QueueItem] = ()) -> None:
        self._kinds: dict[Kind, Work] = {}
        for item in items:
            self.add(item)

    def add(self, item: QueueItem) -> None:
        """One more item."""
        kind = item.engine, item.batch_key
        before = self._kinds.get(kind)
        self._kinds[kind] = (
            Work(before.items + 1, before.cost + item.cost, before.example) if before else Work(1, item.cost, item)
        )

    def take(self, item: QueueItem) -> None:
        """An item that was added is none of it any more."""
        kind = item.engine, item.batch_key
        before = self._kinds[kind]
        if before.items == 1:
            del self._kinds[kind]
        else:
            self._kinds[kind] = Work(before.items - 1, before.cost - item.cost, before.example)

    def now(self) -> Mapping[Kind, Work]:
        """The work at this moment."""
        return dict(self._kinds)
