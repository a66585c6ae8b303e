"""What a queue holds, so that few items that come, change or go are all that is looked at, however long it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, ValuesView

from cosmos_workflow.queueing.items import Group, ItemStatus, QueueItem, group_of
from cosmos_workflow.queueing.retries import MAX_INTERRUPTIONS, waits_for_others
from cosmos_workflow.queueing.snapshot import Kind, Work, count_work


class Contents:
    """The items of a queue in its order, `running` those of them that run, `queued` those that wait, also by what they may share
    a batch with, and `work` what all of them are together."""

    def __init__(self, items: Iterable[QueueItem]) -> None:
        self.items: dict[str, QueueItem] = {}
        self.running: dict[str, QueueItem] = {}
        self.queued: dict[str, QueueItem] = {}
        self.work: dict[Kind, Work] = {}
        self._groups: dict[Group, dict[str, QueueItem]] = {}
        self.update(sorted(items, key=lambda item: item.position))

    def members(self, group: Group) -> ValuesView[QueueItem]:
        """Those that wait of a group, in order."""
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
        for item in self.queued.values():
            if not waits_for_others(item.attempts):
                return group_of(item)
        suspects = [group for group in self._groups if group[0] == key] or self._groups
        return min(suspects, key=lambda group: next(iter(self._groups[group].values())).position, default=None)

    def next_position(self) -> int:
        """The place behind all items."""
        last = next(reversed(self.items), None)
        return self.items[last].position + 1 if last else 1

    def update(self, changed: Collection[QueueItem], removed: Collection[str] = ()) -> None:
        """Take in these changes. Cheap where items are added at the end, begin to run, or leave."""
        for item_id in removed:
            self._take(self.items.pop(item_id, None))
        end, moved = self.next_position(), False
        for item in changed:
            before = self.items.get(item.id)
            moved = moved or (item.status is ItemStatus.QUEUED if before else item.position < end)
            self._take(before)
            self.items[item.id] = item
            self._add(item)
            count_work(self.work, item)
            end = max(end, item.position + 1)
        if moved:
            self.items = {item.id: item for item in sorted(self.items.values(), key=lambda item: item.position)}
            self.queued, self._groups = {}, {}
            for item in self.items.values():
                self._add(item)

    def _add(self, item: QueueItem) -> None:
        if item.status is ItemStatus.QUEUED:
            self.queued[item.id] = item
            self._groups.setdefault(group_of(item), {})[item.id] = item
        elif item.status is ItemStatus.RUNNING:
            self.running[item.id] = item

    def _take(self, item: QueueItem | None) -> None:
        if item is None:
            return
        count_work(self.work, item, -1)
        self.running.pop(item.id, None)
        if self.queued.pop(item.id, None):
            members = self._groups[group_of(item)]
            del members[item.id]
            if not members:
                del self._groups[group_of(item)]
