"""The batch key, grouping by it, and why two items don't share a batch. Pure: the same input gives the same answer."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cosmos_workflow.engines.spec import find_engine
from cosmos_workflow.queueing.items import Batch, QueueItem

KEY_LENGTH = 16


def calculate_batch_key(engine: str, params: Mapping[str, Any], weights: Mapping[str, float] | None = None) -> str:
    """A digest of the engine's name, its invariant params and what the engine adds; equal keys may share a batch.

    The same in every process and on every machine: keys are sorted, a missing param counts as its default, and `5` and
    `5.0` are one value. Raises InputError for an unknown engine, param or weight, or a value that isn't right.
    """
    return digest(find_engine(engine).batch_parts(params, weights))


def digest(parts: Mapping[str, Any]) -> str:
    """The first 64 bits of SHA-256 over the canonical JSON of `parts`, in hex."""
    text = json.dumps(_canonical(parts), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def group_queue_by_batch_key(items: Iterable[QueueItem], max_batch_size: int | None = None) -> list[Batch]:
    """Batches in the order in which each key first appears, items in queue order, at most `max_batch_size` in each."""
    return plan_batches(items, lambda _item: max_batch_size)


def plan_batches(items: Iterable[QueueItem], size_of: Callable[[QueueItem], int | None]) -> list[Batch]:
    """Like `group_queue_by_batch_key`, with a size limit per key: `size_of` is asked about the key's first item.

    Items that were interrupted stay apart from fresh ones, and in ever smaller batches, so that one that kills its worker
    ends up alone: half the size after the first time, a single item after the second.
    """
    groups: dict[tuple[str, int], list[QueueItem]] = {}
    for item in items:
        groups.setdefault((item.batch_key, item.attempts), []).append(item)
    batches: list[Batch] = []
    for (key, attempts), members in groups.items():
        size = max(1, size_of(members[0]) or len(members))
        if attempts == 1:
            size = math.ceil(min(size, len(members)) / 2)
        elif attempts > 1:
            size = 1
        batches.extend(Batch(key, tuple(members[start : start + size])) for start in range(0, len(members), size))
    return batches


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
    one, other = (find_engine(item.engine).batch_parts(item.params, item.weights) for item in (first, second))
    if one["engine"] != other["engine"]:
        return f"engine differs: {one['engine']}, {other['engine']}"
    names = [name for name in {**one, **other} if _canonical(one.get(name)) != _canonical(other.get(name))]
    return "; ".join(f"{name} differs: {_words(one.get(name))}, {_words(other.get(name))}" for name in names)


def _size_reason(before: Batch, batch: Batch) -> str:
    if batch.items[0].attempts > before.items[0].attempts:
        return "interrupted before"
    return f"batch is full at {len(before)}" if len(before) > 1 or not batch.items[0].attempts else "tried alone"


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _canonical(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(member) for member in value]
    if isinstance(value, set | frozenset):
        return sorted(_canonical(member) for member in value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _words(value: Any) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return "+".join(str(member) for member in sorted(value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
