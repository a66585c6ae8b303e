"""Which rows of a queue an open page looks at: a search, a filter, a page of it. No gradio, no HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cosmos_workflow.queueing.items import ItemStatus, QueueItem
from cosmos_workflow.ui.text import engine_title

FILTERS = [("All", ""), ("Waiting", ItemStatus.QUEUED.value), ("Running", ItemStatus.RUNNING.value)]
"""Label and name of each filter."""


@dataclass(slots=True)
class QueueTabState:
    """What an open page looks at in this tab: the details of an item, and rows that match."""

    item_id: str = ""
    search: str = ""
    status: str = ""

    @property
    def filtered(self) -> bool:
        """Whether something may be hidden."""
        return bool(self.search or self.status)


def matching_items(items: Sequence[QueueItem], looked_at: QueueTabState, names: Mapping[str, str]) -> Sequence[QueueItem]:
    """The items that a page looks at: each word of the search is in the text, the prompt's name or the engine's, or is the id."""
    if not looked_at.filtered:
        return items
    words = looked_at.search.casefold().split()

    def matches(item: QueueItem) -> bool:
        text = f"{item.prompt_text} {names.get(item.prompt_id, '')} {engine_title(item.engine)}".casefold()
        found = all(word in text or word == item.id for word in words)
        return found and (not looked_at.status or item.status == looked_at.status)

    return [item for item in items if matches(item)]


def place_of_drop(queued: Sequence[QueueItem], ids: Sequence[str], before: str, after: str) -> int:
    """Where items go that were dropped before or after a row: a place among what waits, counted from 1.

    Before or after a row that runs is the first place, and beside a row that isn't there any more too.
    """
    known, near = [item.id for item in queued], before or after
    ahead = known[: known.index(near) + bool(after)] if near in known else []
    return len(set(ahead) - set(ids)) + 1
