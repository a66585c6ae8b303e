"""Batches, pure: what shares one, how many may, and why two items don't. The same input gives the same answer."""

from __future__ import annotations

import itertools
import logging
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, overload

from cosmos_workflow.ids import canonical
from cosmos_workflow.queueing.items import Batch, Configuration, Group, QueueItem, group_of
from cosmos_workflow.queueing.retries import rung

log = logging.getLogger(__name__)


def calculate_batch_key(engine: str, params: Mapping[str, Any], weights: Mapping[str, float] | None = None) -> str:
    """A digest of the engine's name, its invariant params and what the engine adds; equal keys may share a batch.

    The same in every process and on every machine: keys are sorted, a missing param counts as its default, and `5` and
    `5.0` are one value. Raises InputError for an unknown engine, param or weight, or a value that isn't right.
    """
    return Configuration.of(engine, params, weights).batch_key


def batch_size(item: QueueItem, limit: int | None = None) -> int:
    """How many items like this one a batch may hold: as many as its engine takes, and at most `limit`.

    1 where its engine can't be used, or has no answer for params of another version: that is said when the item is run.
    """
    try:
        configuration = item.configuration
        own = configuration.spec.batch_size(configuration.checked)
    except Exception:
        log.info("%s has no batch size for %s", item.engine, item.id, exc_info=True)
        return 1
    return min(own, limit) if limit else own


class Plan(Sequence[Batch]):
    """Batches in the order in which they will run. Each is made when it is asked for, since a long queue has thousands."""

    def __init__(
        self,
        groups: Iterable[tuple[Group, Sequence[QueueItem]]] = (),
        size_of: Callable[[QueueItem], int | None] = batch_size,
        rungs: Mapping[Group, int] = MappingProxyType({}),
    ) -> None:
        """Of items that are in groups; see `plan_batches`."""
        self._groups = [
            (group, members, rungs.get(group) or size_in_group(members[0], len(members), size_of)) for group, members in groups
        ]
        self._ends = tuple(itertools.accumulate(-(-len(members) // size) for _, members, size in self._groups))

    @property
    def keys(self) -> tuple[str, ...]:
        """The batch keys, in the order in which each comes first."""
        return tuple(dict.fromkeys(key for (key, _), _, _ in self._groups))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> Batch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Batch]: ...
    def __getitem__(self, index: int | slice) -> Batch | list[Batch]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        group = bisect_right(self._ends, number)
        (key, _), members, size = self._groups[group]
        start = (number - (self._ends[group - 1] if group else 0)) * size
        return Batch(key, tuple(members[start : start + size]))


def group_queue_by_batch_key(items: Iterable[QueueItem], max_batch_size: int | None = None) -> list[Batch]:
    """Batches in the order in which each key first appears, items in queue order, at most `max_batch_size` in each."""
    return list(plan_batches(items, lambda _item: max_batch_size))


def plan_batches(
    items: Iterable[QueueItem],
    size_of: Callable[[QueueItem], int | None] = batch_size,
    rungs: Mapping[Group, int] = MappingProxyType({}),
) -> Plan:
    """Like `group_queue_by_batch_key`, with a size limit per key: `size_of` is asked about the key's first item.

    Items that were interrupted stay apart from fresh ones, and in ever smaller batches, so that one that kills its worker
    ends up alone; `rungs` has the sizes for those of which some were handed out before.
    """
    groups: dict[Group, list[QueueItem]] = {}
    for item in items:
        groups.setdefault(group_of(item), []).append(item)
    return Plan(groups.items(), size_of, rungs)


def size_in_group(first: QueueItem, count: int, size_of: Callable[[QueueItem], int | None]) -> int:
    """How large a batch of `count` items that are in a group with `first` may be."""
    return rung(first.attempts, min(count, max(1, size_of(first) or count)))


def explain_groups(batches: Sequence[Batch]) -> list[str]:
    """For each batch, why it is apart from the one before it: "seed differs: 1, 7", "engine differs: espeak, chatterbox"."""
    reasons = [""] if batches else []
    for before, batch in itertools.pairwise(batches):
        reasons.append(explain_difference(before.items[0], batch.items[0]) or _size_reason(before, batch))
    return reasons


def explain_difference(first: QueueItem, second: QueueItem) -> str:
    """Why two items can't share a batch; empty where they can."""
    if first.batch_key == second.batch_key:
        return ""
    if first.engine != second.engine:
        return f"engine differs: {first.engine}, {second.engine}"
    try:
        one, other = first.configuration.key_parts, second.configuration.key_parts
    except Exception:
        log.info("%s can't compare %s with %s", first.engine, first.id, second.id, exc_info=True)
        return "the params differ"
    names = [name for name in {**one, **other} if canonical(one.get(name)) != canonical(other.get(name))]
    return "; ".join(f"{name} differs: {_words(one.get(name))}, {_words(other.get(name))}" for name in names)


def _size_reason(before: Batch, batch: Batch) -> str:
    if batch.items[0].attempts > before.items[0].attempts:
        return "interrupted before"
    return f"batch is full at {len(before)}" if len(before) > 1 or not batch.items[0].attempts else "tried alone"


def _words(value: Any) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return "+".join(str(member) for member in sorted(value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
