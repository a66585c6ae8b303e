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
        self._counts: dict[Kind, int] = {}
        self._costs: dict[Kind, float] = {}
        self._examples: dict[Kind, QueueItem] = {}
        for item in items:
            self.add(item)

    def add(self, item: QueueItem) -> None:
        """One more item."""
        kind = item.engine, item.batch_key
        if kind in self._counts:
            self._counts[kind] += 1
            self._costs[kind] += item.cost
        else:
            self._counts[kind], self._costs[kind], self._examples[kind] = 1, item.cost, item

    def take(self, item: QueueItem) -> None:
        """An item that was added is none of it any more."""
        kind = item.engine, item.batch_key
        if self._counts[kind] == 1:
            del self._counts[kind], self._costs[kind], self._examples[kind]
        else:
            self._counts[kind] -= 1
            self._costs[kind] -= item.cost

    def now(self) -> Mapping[Kind, Work]:
        """The work at this moment."""
        return {kind: Work(count, self._costs[kind], self._examples[kind]) for kind, count in self._counts.items()}
