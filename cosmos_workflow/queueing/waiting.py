"""The items that wait, by what they may share a batch with: the next batch is found without looking at all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, ValuesView

from cosmos_workflow.queueing.items import Group, ItemStatus, QueueItem, group_of
from cosmos_workflow.queueing.retries import MAX_INTERRUPTIONS, waits_for_others


class Waiting:
    """The queued items of a queue in its order, and in that of each group. Cheap where items are added at the end or leave."""

    def __init__(self, items: Iterable[QueueItem]) -> None:
        self._all: dict[str, QueueItem] = {}
        self._groups: dict[Group, dict[str, QueueItem]] = {}
        self._last = 0
        self._rebuild(items)

    def in_order(self) -> list[QueueItem]:
        """All of them."""
        return list(self._all.values())

    def members(self, group: Group) -> ValuesView[QueueItem]:
        """Those of a group, in order."""
        return self._groups.get(group, {}).values()

    def groups(self, key: str) -> list[tuple[Group, tuple[QueueItem, ...]]]:
        """Each group with its items, in the order in which they come: see `next_group`."""

        def place(entry: tuple[Group, dict[str, QueueItem]]) -> tuple[bool, bool, int]:
            (batch_key, attempts), members = entry
            return waits_for_others(attempts), batch_key != key, next(iter(members.values())).position

        return [(group, tuple(members.values())) for group, members in sorted(self._groups.items(), key=place)]

    def next_group(self, key: str) -> Group | None:
        """The group that the next batch is of: one with this key, else that of the first item; those to suspect come last."""
        same = [group for attempts in range(MAX_INTERRUPTIONS) if (group := (key, attempts)) in self._groups]
        if same:
            return min(same, key=lambda group: next(iter(self._groups[group].values())).position)
        for item in self._all.values():
            if not waits_for_others(item.attempts):
                return group_of(item)
        suspects = [group for group in self._groups if group[0] == key] or self._groups
        return min(suspects, key=lambda group: next(iter(self._groups[group].values())).position, default=None)

    def update(self, changed: Collection[QueueItem], removed: Collection[str], items: Mapping[str, QueueItem]) -> None:
        """`items`, the queue in its order, has these changes."""
        for item_id in removed:
            self._take(item_id)
        for item in changed:
            if item.status is not ItemStatus.QUEUED:
                self._take(item.id)
            elif item.id not in self._all and item.position > self._last:
                self._add(item)
            else:
                self._rebuild(items.values())
                return

    def _rebuild(self, items: Iterable[QueueItem]) -> None:
        self._all, self._groups, self._last = {}, {}, 0
        for item in items:
            self._last = item.position
            if item.status is ItemStatus.QUEUED:
                self._add(item)

    def _add(self, item: QueueItem) -> None:
        self._all[item.id] = item
        self._groups.setdefault(group_of(item), {})[item.id] = item
        self._last = item.position

    def _take(self, item_id: str) -> None:
        item = self._all.pop(item_id, None)
        if item is None:
            return
        group = group_of(item)
        members = self._groups[group]
        del members[item_id]
        if not members:
            del self._groups[group]
