"""The queue of one token: items in order, changed only by its own methods, under one lock."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any

from cosmos_workflow.errors import InputError
from cosmos_workflow.ids import new_ids, new_token
from cosmos_workflow.queueing.batches import Plan, batch_size, size_in_group
from cosmos_workflow.queueing.changes import Changes
from cosmos_workflow.queueing.contents import Contents
from cosmos_workflow.queueing.items import RETRYABLE, Batch, Configuration, Group, ItemStatus, Prompt, QueueItem
from cosmos_workflow.queueing.rows import letters, queue_frame
from cosmos_workflow.queueing.snapshot import Journal, QueueSnapshot

if TYPE_CHECKING:
    import pandas as pd

KEPT_FINISHED = 500
"""Finished items a queue remembers beside its failed ones; all of them are in Results."""


class Queue:
    """Items waiting and running, in order. Every method may be called from any thread; none gives out what it keeps.

    `items` were checked already (see `check_again`); `size_of` says how many items like one a batch may hold. `changes` tells
    who subscribes that something changed.
    """

    def __init__(
        self,
        token: str = "",
        items: Iterable[QueueItem] = (),
        journal: Journal | None = None,
        owner: str = "local",
        size_of: Callable[[QueueItem], int] = batch_size,
    ) -> None:
        self.token = token or new_token()
        self.owner = owner
        self.changes = Changes()
        self._size_of = size_of
        self._journal = journal
        self._lock = threading.RLock()
        self._contents = Contents(items)
        self._snapshot: QueueSnapshot | None = None
        self._planned: tuple[int, Plan] = (-1, Plan())
        self._finished: dict[str, QueueItem] = {}
        self._passing: dict[str, None] = {}  # those of them that are forgotten one day
        self._done: Counter[ItemStatus] = Counter()
        self._rungs: dict[Group, int] = {}
        self._labels: dict[str, str] = {}
        self._last_key = ""

    def __deepcopy__(self, _memo: dict[int, Any]) -> Queue:
        # gradio copies a State's default once a session: that copy is a new, empty queue, never a second view of this one.
        return Queue(owner=self.owner, size_of=self._size_of)

    def __len__(self) -> int:
        """Items that wait or run."""
        with self._lock:
            return len(self._contents.items)

    @property
    def is_kept(self) -> bool:
        """Whether a journal has it, so that it comes back after a restart."""
        return self._journal is not None

    # --- what a person does ---

    def add_to_queue(
        self,
        prompts: Sequence[Prompt],
        engine: str,
        params: Mapping[str, Any],
        weights: Mapping[str, float] | None = None,
        check: str = "",
        variants: Sequence[Mapping[str, Any]] = ({},),
    ) -> list[QueueItem]:
        """Add each prompt with this configuration, all or none; raises InputError saying which prompt can't be made, and why.

        `check` names the recogniser by which what is said is heard back. Of several `variants`, params that a sweep gives
        another value, each is a configuration of its own.
        """
        if not prompts:
            raise InputError("No prompt is selected; select at least one.")
        made = [Configuration.of(engine, {**params, **variant}, weights) for variant in variants]
        costs = [(now, cost, prompt) for now in made for cost, prompt in zip(now.costs(prompts), prompts, strict=True)]
        with self._lock:
            self._begin_round()
            start = self._contents.next_position()
            ids = new_ids("qi", len(costs))
            added = [
                now.item(prompt, cost, position=position, item_id=item_id, check=check)
                for position, ((now, cost, prompt), item_id) in enumerate(zip(costs, ids, strict=True), start)
            ]
            self._write(added)
            return added

    def extend(self, items: Sequence[QueueItem]) -> list[QueueItem]:
        """Put items that were checked already at the end of the queue."""
        with self._lock:
            self._begin_round()
            start = self._contents.next_position()
            placed = [replace(item, position=start + offset) for offset, item in enumerate(items)]
            self._write(placed)
            return placed

    def remove_from_queue(self, ids: Collection[str]) -> list[QueueItem]:
        """Take away queued items, and forget finished ones; what runs stays (cancel it). Returns what was taken away."""
        with self._lock:
            wanted = set(ids)
            queued = [item for item in self._queued() if item.id in wanted]
            self._write(removed=[item.id for item in queued])
            gone = [self._forget(item_id) for item_id in list(self._finished) if item_id in wanted]
            self.changes.notify()
            return queued + gone

    def clear_queue(self) -> list[QueueItem]:
        """Take away everything that is queued, and forget what is finished; what runs stays. Returns what was queued."""
        with self._lock:
            queued = self._queued()
            self._write(removed=[item.id for item in queued])
            self._finished.clear()
            self._passing.clear()
            if not self._contents.items:
                self._done.clear()
            self.changes.notify()
            return queued

    def move(self, ids: Collection[str], offset: int) -> None:
        """Move queued items by `offset` places, negative is nearer to the front; they keep their order and stop at the ends."""
        self._reorder(ids, lambda place: place + offset)

    def place(self, ids: Collection[str], position: int) -> None:
        """Put queued items, in their order, so that the first of them is at this place among what waits, counted from 1."""
        self._reorder(ids, lambda _place: position - 1)

    def hand_over(self, ids: Collection[str], to: Queue) -> list[QueueItem]:
        """Put queued items at the end of another queue of the same journal; what runs stays. Returns what went."""
        first, second = sorted((self, to), key=lambda queue: queue.token)
        with first._lock, second._lock:
            wanted = set(ids) if to is not self else set()
            going = [item for item in self._queued() if item.id in wanted]
            if not going:
                return []
            to._begin_round()
            placed = [replace(item, position=place) for place, item in enumerate(going, to._contents.next_position())]
            if self._journal is not None:
                self._journal.hand_over(self.token, to.token, placed)
            self._write(removed=[item.id for item in going], journalled=True)
            to._write(placed, journalled=True)
            return placed

    def edit(
        self,
        item_id: str,
        *,
        text: str | None = None,
        params: Mapping[str, Any] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> QueueItem:
        """Change a queued item; `params` and `weights` name only what changes. Raises InputError, and nothing changed."""
        with self._lock:
            item = self._contents.items.get(item_id)
            if item is None or item.status is not ItemStatus.QUEUED:
                raise InputError(f"{item_id} isn't queued any more, so it can't be edited; duplicate it instead.")
            now = Configuration.of(item.engine, {**item.params, **(params or {})}, {**item.weights, **(weights or {})})
            prompt = Prompt(item.prompt_text if text is None else text, item.inputs, item.prompt_id)
            edited = replace(
                item,
                prompt_text=prompt.text,
                params=now.params,
                weights=now.weights,
                batch_key=now.batch_key,
                attempts=0,
                error="",
                cost=now.costs([prompt], item_id)[0],
            )
            self._write([edited])
            return edited

    def duplicate(self, ids: Collection[str]) -> list[QueueItem]:
        """Add a copy of each of these items, whatever their status, at the end."""
        with self._lock:
            known, wanted = [*self._contents.items.values(), *self._finished.values()], set(ids)
            return self.extend([item.again() for item in known if item.id in wanted])

    def retry(self, ids: Collection[str] | None = None) -> list[QueueItem]:
        """Queue failed and cancelled items again (all, or those of `ids`), as new items that name the old ones."""
        with self._lock:
            wanted = self._finished.keys() if ids is None else set(ids)
            ended = [item for item in self._finished.values() if item.status in RETRYABLE and item.id in wanted]
            added = self.extend([item.again(retry_of=item.id) for item in ended])
            for item in ended:
                self._forget(item.id)
            return added

    # --- what a runner does ---

    def plan(self) -> Plan:
        """The batches of what is queued, in the order in which they will run."""
        with self._lock:
            if self._planned[0] != self.changes.version:
                # A key that is on its way goes on, so that a model isn't changed after every batch of a mixed queue.
                groups = self._contents.groups(self._last_key)
                self._planned = self.changes.version, Plan(groups, self._size_of, self._rungs)
            return self._planned[1]

    def claim(self) -> Batch | None:
        """Take the next batch: its items are running from now on. None when nothing is queued."""
        with self._lock:
            group = self._contents.next_group(self._last_key)
            if group is None:
                return None
            members = self._contents.members(group)
            size = self._rungs.get(group) or size_in_group(next(iter(members)), len(members), self._size_of)
            batch = Batch(group[0], tuple(islice(members, size))).begun()
            self._write(batch.items)
            self._last_key = batch.key
            # The second half of what was interrupted is as large as the first, though fewer items wait by then.
            if group[1] and self._contents.members(group):
                self._rungs[group] = size
            else:
                self._rungs.pop(group, None)
            return batch

    def settle(self, item: QueueItem, *, journalled: bool = False) -> None:
        """A running item is as `item` says from now on: at its end, or queued again (`QueueItem.after`).

        `journalled` says that the journal has let it go already, as a run's end does together with its record.
        """
        with self._lock:
            self._contents.items[item.id].to(item.status)
            if not item.status.is_terminal:
                self._write([item])
                return
            self._write(removed=[item.id], journalled=journalled)
            self._finished[item.id] = item
            self._done[item.status] += 1
            if item.status is not ItemStatus.FAILED:
                self._passing[item.id] = None
                if len(self._passing) > KEPT_FINISHED:
                    self._forget(next(iter(self._passing)))

    def finish(self, item_id: str, status: ItemStatus, error: str = "") -> QueueItem:
        """A running item reached a terminal status."""
        with self._lock:
            item = self._contents.items[item_id].to(status, error)
            self.settle(item)
            return item

    def put_back(self, item_ids: Collection[str]) -> list[QueueItem]:
        """Items that were claimed but not begun are queued again, in their old places."""
        with self._lock:
            back = [
                self._contents.items[item_id].to(ItemStatus.QUEUED) for item_id in item_ids if item_id in self._contents.items
            ]
            self._write(back)
            return back

    # --- what anybody may see ---

    def get(self, item_id: str) -> QueueItem | None:
        """An item of this queue, finished ones included."""
        with self._lock:
            return self._contents.items.get(item_id) or self._finished.get(item_id)

    def snapshot(self) -> QueueSnapshot:
        """The queue at this moment."""
        with self._lock:
            if self._snapshot is None or self._snapshot.version != self.changes.version:
                self._snapshot = QueueSnapshot(
                    self.changes.version,
                    tuple(self._contents.items.values()),
                    tuple(self._contents.running.values()),
                    tuple(self._finished.values()),
                    {status: self._done[status] for status in ItemStatus if self._done[status]},  # always in this order
                    dict(self._contents.work),
                )
            return self._snapshot

    def labels(self) -> dict[str, str]:
        """The letter of each batch key: A, B, ... in the order in which they were first seen; they stay until all is done."""
        with self._lock:
            for key in (*(item.batch_key for item in self._contents.running.values()), *self.plan().keys):
                self._labels.setdefault(key, letters(len(self._labels)))
            return dict(self._labels)

    def get_queue_display(self, first: int = 0, count: int | None = None) -> pd.DataFrame:
        """The queue as a table, `count` rows from the `first` on, or all: see `cosmos_workflow.queueing.rows`."""
        with self._lock:
            snapshot, groups = self.snapshot(), self.labels()
        return queue_frame(snapshot, groups, first, count)

    # --- inside, under the lock ---

    def _queued(self) -> list[QueueItem]:
        return list(self._contents.queued.values())

    def _reorder(self, ids: Collection[str], target: Callable[[int], int]) -> None:
        """Put each of these queued items behind so many of the others: what `target` says of how many it is behind now."""
        with self._lock:
            order, wanted = self._queued(), set(ids)
            passed = list(accumulate((item.id not in wanted for item in order), initial=0))

            def place(index: int) -> tuple[int, bool]:
                stays = order[index].id not in wanted
                return passed[index] if stays else min(max(target(passed[index]), 0), passed[-1]), stays

            new_order = [order[index] for index in sorted(range(len(order)), key=place)]
            # Who moves an item means that order, even against a batch key that is on its way.
            self._last_key = ""
            placed = zip(new_order, [item.position for item in order], strict=True)
            self._write([replace(item, position=position) for item, position in placed if item.position != position])

    def _begin_round(self) -> None:
        if not self._contents.items:
            self._done.clear()
            self._labels.clear()

    def _forget(self, item_id: str) -> QueueItem:
        self._passing.pop(item_id, None)
        return self._finished.pop(item_id)

    def _write(self, changed: Sequence[QueueItem] = (), removed: Sequence[str] = (), *, journalled: bool = False) -> None:
        if not changed and not removed:
            return
        if self._journal is not None and not journalled:
            added = [item for item in changed if item.id not in self._contents.items]
            known = [item for item in changed if item.id in self._contents.items] if len(added) < len(changed) else []
            self._journal.save(self.token, added, known, removed)
        self._contents.update(changed, removed)
        self.changes.notify()
