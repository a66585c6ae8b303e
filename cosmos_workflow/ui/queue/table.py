"""The queue's rows, and what is done with the selected ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing.items import QueueItem
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.queueing.rows import describe_params, describe_weights
from cosmos_workflow.ui import components, markup
from cosmos_workflow.ui.components import Pager
from cosmos_workflow.ui.page import Page, toast
from cosmos_workflow.ui.page_view import PageState, PageView, Window
from cosmos_workflow.ui.queue.item_editor import ItemEditor
from cosmos_workflow.ui.queue.markup import group_chip, item_details
from cosmos_workflow.ui.queue.rows import FILTERS, QueueTabState, matching_items, place_of_drop
from cosmos_workflow.ui.queue.view import TABLE
from cosmos_workflow.ui.text import count, engine_title, shorten_text

ALL_IDS = 2_000
"""Up to so many items a page is told all ids of a queue, so that what left it isn't selected any more."""
BACKGROUND = {False: "To the background", True: "In its turn"}
"""The button that moves items to the background queue, and what it says where that is shown."""
BUTTONS = {
    "select-all-items": "Select all",
    "remove-selected": "Remove selected",
    "move-top": "To top",
    "move-up": "Up",
    "move-down": "Down",
    "move-bottom": "To bottom",
    "move-background": BACKGROUND[False],
    "edit-item": "Edit",
    "duplicate-items": "Duplicate",
}
MOVES: dict[str, Callable[[Queue, list[str]], object]] = {
    "move-top": lambda queue, ids: queue.place(ids, 1),
    "move-up": lambda queue, ids: queue.move(ids, -1),
    "move-down": lambda queue, ids: queue.move(ids, 1),
    "move-bottom": lambda queue, ids: queue.place(ids, len(queue)),
}
"""What moves the selected items, by the button's elem_id."""


class QueueTable:
    """The table with its buttons, and the details of the row that was clicked."""

    def __init__(self, page: Page) -> None:
        self._page = page
        with gr.Row(elem_classes=["cw-buttons", "cw-stick", "cw-of-rows"]):
            named = {elem_id: gr.Button(words, size="sm", elem_id=elem_id) for elem_id, words in BUTTONS.items()}
            place = gr.Textbox(
                label="Place", placeholder="Place", max_lines=1, container=False, min_width=76, elem_id="item-place"
            )
            there = gr.Button("To place", size="sm", elem_id="move-to-place")
        with gr.Row(elem_classes="cw-toolbar") as narrowing:
            search = components.search("Text, name or engine", "queue-search")
            status = components.menu(FILTERS, "Show", "queue-filter", scale=1)
        editor = ItemEditor(page)
        table = components.table(TABLE, orders=True)
        self.pager = Pager(page, TABLE, drawn=table)
        panel, details, close = components.details("item-details", "close-details")
        selection = gr.JSON([], visible=False)
        chosen = components.selected_in(TABLE)
        moves = {elem_id: partial(self.move, move) for elem_id, move in MOVES.items()}
        for elem_id, handler in {"remove-selected": self.remove, **moves, "duplicate-items": self.duplicate}.items():
            inputs = [selection, page.queue]
            page.on(named[elem_id].click, handler, inputs, None, refresh=True, js=chosen, trigger_mode="multiple")
        for event in (there.click, place.submit):
            page.on(event, self.move_to, [selection, page.queue, place], None, refresh=True, js=chosen)
        inputs = [selection, page.queue, page.state]
        page.on(named["move-background"].click, self.move_background, inputs, None, refresh=True, js=chosen)
        page.follow(named["move-background"], self._is_background, lambda now: BACKGROUND[self._is_background(now)])
        page.on(table.place, self.drop, [page.queue], None, refresh=True, trigger_mode="multiple")
        page.on(table.shift, self.shift, [page.queue], None, refresh=True, trigger_mode="multiple")
        everything = page.on(named["select-all-items"].click, self.all_ids, [page.queue, page.state], [selection])
        page.on(everything.success, None, [selection], None, js=components.select_in(TABLE))
        for event in (search.change, status.change):
            page.on(event, self.choose, [page.state, search, status], None, refresh=True, trigger_mode="always_last")
        page.on(named["edit-item"].click, editor.open, [selection, page.queue], editor.outputs, js=chosen)
        page.on(table.select, self.open_item, [page.state], None, refresh=True)
        page.on(close.click, self.close_item, [page.state], None, refresh=True)
        page.show(panel, lambda now: bool(now.state.of(QueueTabState).item_id))
        page.follow(details, lambda now: (now.snapshot.queue.version, now.state.of(QueueTabState).item_id), self._details)
        page.show(narrowing, lambda now: bool(now.snapshot.queue.items))
        page.follow(table, self._key, self._rows)
        self.pager.follow(lambda now: len(self._matching(now)))

    def remove(self, ids: list[str], queue: Queue) -> None:
        """Remove the selected items that wait."""
        gone = self._page.session(queue).queue.remove_from_queue(_some(ids))
        if not gone:
            raise InputError("Only what waits can be removed; use Cancel running for what runs.")
        toast(f"Removed {count(len(gone), 'item')}.")

    def move(self, move: Callable[[Queue, list[str]], object], ids: list[str], queue: Queue) -> None:
        """Move the selected items; one of `MOVES`."""
        move(self._page.session(queue).queue, _some(ids))

    def move_background(self, ids: list[str], queue: Queue, state: PageState) -> None:
        """Have the selected items made when nothing else waits; or, where that queue is shown, in their turn again."""
        page, own = self._page, self._page.session(queue).queue
        background = page.background.of(queue.owner).queue
        back = own is background
        gone = own.hand_over(_some(ids), page.sessions.open(state.before, queue.owner).queue if back else background)
        if not gone:
            raise InputError("Only what waits can be moved.")
        where = "back to your queue" if back else "to the background queue; it runs when nothing else waits"
        toast(f"Moved {count(len(gone), 'item')} {where}.")

    def move_to(self, ids: list[str], queue: Queue, place: str | None) -> None:
        """Move the selected items to a place among what waits."""
        own = self._page.session(queue).queue
        waiting = own.snapshot().waiting
        if not (place or "").strip().isdecimal() or not 1 <= int(place or 0) <= waiting:
            raise InputError(f"Place: write a number from 1 to {waiting:,}; {count(waiting, 'item')} wait.")
        own.place(_some(ids), int(place or 0))

    def drop(self, queue: Queue, event: gr.EventData) -> None:
        """Put items before or after the row on which they were dropped."""
        own, ids, dropped = self._page.session(queue).queue, _ids(event), event._data
        before, after = (str(dropped.get(side) or "") for side in ("before", "after"))
        own.place(ids, place_of_drop(own.snapshot().queued, ids, before, after))

    def shift(self, queue: Queue, event: gr.EventData) -> None:
        """Move items a place to the front or the end, as the keyboard says."""
        self._page.session(queue).queue.move(_ids(event), -1 if event._data.get("offset") == -1 else 1)

    def duplicate(self, ids: list[str], queue: Queue) -> None:
        """Add the selected items once more."""
        added = self._page.session(queue).queue.duplicate(_some(ids))
        toast(f"Added {count(len(added), 'item')}.")

    def all_ids(self, queue: Queue, state: PageState) -> list[str]:
        """The ids of all rows that match, on every page."""
        return [item.id for item in self._matching(self._page.view(queue, state))]

    def choose(self, state: PageState, search: str, status: str) -> None:
        """Show the first page of what matches."""
        looked_at = state.of(QueueTabState)
        looked_at.search, looked_at.status = search.strip(), status
        self.pager.turn(state, 0)

    def open_item(self, state: PageState, event: gr.EventData) -> None:
        """Show the details of an item, or hide them where they are shown."""
        tab, chosen = state.of(QueueTabState), components.clicked_id(event)
        tab.item_id = "" if tab.item_id == chosen else chosen

    def close_item(self, state: PageState) -> None:
        """Hide the details."""
        state.of(QueueTabState).item_id = ""

    def _is_background(self, now: PageView) -> bool:
        return self._page.background.tells(now.token)

    def _matching(self, now: PageView) -> Sequence[QueueItem]:
        looked_at, items = now.state.of(QueueTabState), now.snapshot.queue.items
        names = self._page.store.prompts.names({item.prompt_id for item in items}, now.owner) if looked_at.search else {}
        return matching_items(items, looked_at, names)

    def _rows(self, now: PageView) -> dict[str, Any]:
        found = self._matching(now)
        window = self.pager.window(now.state, len(found))
        names = self._page.store.prompts.names({item.prompt_id for item in found[window.rows]}, now.owner)
        return queue_table(now, window, found, names)

    def _key(self, now: PageView) -> tuple[Any, ...]:
        looked_at = now.state.of(QueueTabState)
        return now.snapshot.queue.version, looked_at.search, looked_at.status, now.state.pages.get(TABLE, 0)

    def _details(self, now: PageView) -> str:
        queue, item_id = now.snapshot.queue, now.state.of(QueueTabState).item_id
        item = next((item for item in (*queue.items, *queue.finished) if item.id == item_id), None) if item_id else None
        if item is None:
            return markup.note("This item isn't in the queue any more; what was made of it is in Results.") if item_id else ""
        names = {known.file: known.name for known in self._page.store.inputs.list(now.owner)} if item.inputs else {}
        return item_details(item, now, names)


def _cells(item: QueueItem, now: PageView, name: str) -> str:
    """The cells of a row; how each stands on a small screen is in page.css."""
    parts = describe_weights(item.weights), describe_params(item)
    setup = "; ".join(part for part in parts if part) or "defaults"
    text = shorten_text(item.prompt_text, 160) or "(no text)"
    below = markup.sub(text) if name else ""
    prompt = markup.main_cell(shorten_text(name, 160) or text, below + markup.sub(f"{engine_title(item.engine)} · {setup}"))
    group = f"<td role='cell' class='cw-letter'>{group_chip(now.labels.get(item.batch_key, ''))}</td>"
    words = f"{markup.chip(item.status)}<span class='cw-sub' data-live></span>{markup.sub(item.error) if item.error else ''}"
    return f"{prompt}{group}<td role='cell' class='cw-state'>{words}</td>"


def queue_table(now: PageView, window: Window, found: Sequence[QueueItem], names: Mapping[str, str]) -> dict[str, Any]:
    """The queue's rows for the table: those of `window` among `found`; `names` has the prompts' names."""
    queue, filtered = now.snapshot.queue, now.state.of(QueueTabState).filtered
    rows: list[markup.Row] = []
    for item in found[window.rows]:
        name = names.get(item.prompt_id, "")
        words = shorten_text(name or item.prompt_text or item.id, 60)
        rows.append({"id": item.id, "html": _cells(item, now, name), "name": words})
    empty = "Nothing in the queue matches." if filtered and queue.items else "Nothing is queued."
    more: dict[str, Any] = {"version": queue.version, "queue": now.token}
    if len(queue.items) <= ALL_IDS:
        more["there"] = [item.id for item in queue.items]
    value = markup.table_value(["Prompt", "Group", "Status"], rows, empty, window, **more)
    return {**value, "first": None if filtered else window.first, "complete": window.is_all and not filtered}


def _some(ids: list[str] | None) -> list[str]:
    if not ids:
        raise InputError("No item is selected; tick at least one in the table.")
    return ids


def _ids(event: gr.EventData) -> list[str]:
    ids = event._data.get("ids")
    return _some([str(one) for one in ids] if isinstance(ids, list) else None)
