"""What one open page shows at one moment: the snapshot of its queue, and what it looks at. No gradio, no HTML."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from cosmos_workflow.execution.estimates import BatchingGain, Rate, TimeLeft, time_left
from cosmos_workflow.execution.runner import RunnerSnapshot
from cosmos_workflow.queueing.batches import Plan
from cosmos_workflow.queueing.items import Batch, QueueItem
from cosmos_workflow.store.records import LOCAL

PAGE_SIZE = 50
"""Rows of a table that are sent at once."""

TabState = TypeVar("TabState")


@dataclass(slots=True)
class PageState:
    """What one open page looks at; kept on the server, changed in place.

    `sent` has the key of what each live part was sent last, of the queue of `token`; `pages` the page of each list, by elem_id.
    `before` is the token of the queue that was shown before this one. `full_update_at` is when everything was sent last,
    `final_update_at` when the end of a queue is sent once more (monotonic).
    """

    sent: dict[int, Any] = field(default_factory=dict)
    token: str = ""
    pages: dict[str, int] = field(default_factory=dict)
    before: str = ""
    was_running: bool = False
    full_update_at: float = 0.0
    final_update_at: float = math.inf
    _tabs: dict[type, Any] = field(default_factory=dict)

    def of(self, kind: type[TabState]) -> TabState:
        """A tab's own state, made when it is first asked for."""
        if kind not in self._tabs:
            self._tabs[kind] = kind()
        return self._tabs[kind]

    def __deepcopy__(self, _memo: dict[int, Any]) -> PageState:
        return PageState()


@dataclass(frozen=True)
class Window:
    """The rows of a list that are shown: from `first` to before `end`, of `total`."""

    first: int
    end: int
    total: int

    @classmethod
    def at(cls, page: int, total: int, size: int = PAGE_SIZE) -> Window:
        """A page counted from 0, or the nearest one that exists."""
        first = min(max(page, 0), max(0, (total - 1) // size)) * size
        return cls(first, min(first + size, total), total)

    @property
    def rows(self) -> slice:
        """Takes them out of the whole list."""
        return slice(self.first, self.end)

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self.end - self.first >= self.total

    @property
    def text(self) -> str:
        """Which rows of how many; empty where they are all shown."""
        return "" if self.is_all else f"{self.first + 1:,} to {self.end:,} of {self.total:,}"


@dataclass(frozen=True)
class PageView:
    """A page at one moment. `plan` gives the batches of what is queued, `groups` their letters.

    `rate` gives an engine's speed, `gain` what batching gains.

    `since` is when this server started: older items were restored from an earlier run of it. `token` is the queue's.
    """

    snapshot: RunnerSnapshot
    plan: Callable[[], Plan]
    groups: Callable[[], dict[str, str]]
    rate: Callable[[str], Rate | None]
    since: float = 0.0
    owner: str = LOCAL
    gain: Callable[[str], BatchingGain | None] = lambda _engine: None
    state: PageState = field(default_factory=PageState)
    token: str = ""

    @cached_property
    def planned(self) -> Plan:
        """The batches of what is queued, in the order in which they will run."""
        return self.plan()

    @cached_property
    def labels(self) -> dict[str, str]:
        """The letter of each batch key."""
        return self.groups()

    @property
    def restored(self) -> int:
        """How many queued items are older than this server."""
        return sum(item.added_at < self.since for item in self.snapshot.queue.queued)

    def item_left(self, item: QueueItem) -> TimeLeft | None:
        """Time left for one item; None before its engine was measured here."""
        progress = self.snapshot.progress.get(item.id)
        share = 1 - progress.fraction if progress else 1.0
        return time_left([(item.cost * share, 1, self.rate(item.engine))])

    def batch_left(self, batch: Batch) -> TimeLeft | None:
        """Time left for a batch, running or planned."""
        share = 1 - self.snapshot.batch_fraction(batch) if batch in self.snapshot.batches else 1.0
        cost = sum(item.cost for item in batch.items) * share
        return time_left([(cost, 1, self.rate(batch.engine))])
