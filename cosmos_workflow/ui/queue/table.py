"""The queue's rows, and what is done with the selected ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
from cosmos_workflow.ui.queue.view import TABLE
from cosmos_workflow.ui.text import count, engine_title, shorten_text


@dataclass(slots=True)
class QueueTabState:
    """What an open page looks at in this tab."""

    item_id: str = ""


class QueueTable:
    """The table with its buttons, and the details of the row that was clicked."""

    def __init__(self, page: Page) -> None:
        self._page = page
        remove, up, down, edit, duplicate = components.row_buttons(
            ("Remove selected", "remove-selected"),
            ("Move up", "move-up"),
            ("Move down", "move-down"),
            ("Edit", "edit-item"),
            ("Duplicate", "duplicate-items"),
        )
        editor = ItemEditor(page)
        table = components.table(TABLE)
        self.pager = Pager(page, TABLE)
        with gr.Column(visible=False, elem_classes=list(components.PANEL)) as panel:
            details = gr.HTML(elem_id="item-details", apply_default_css=False)
            with gr.Row(elem_classes=["cw-buttons", "cw-panel-end"]):
                close = gr.Button("Close details", size="sm", elem_id="close-details", elem_classes="cw-close")
        selection = gr.JSON([], visible=False)
        chosen = components.selected_in(TABLE)
        for button, handler in (remove, self.remove), (up, self.move_up), (down, self.move_down), (duplicate, self.duplicate):
            page.on(button.click, handler, [selection, page.queue], None, refresh=True, js=chosen, trigger_mode="multiple")
        page.on(edit.click, editor.open, [selection, page.queue], editor.outputs, js=chosen)
        page.on(table.select, self.open_item, [page.state], None, refresh=True)
        page.follow(table, self._key, lambda now: queue_table(now, self._window(now)))
        self.pager.follow(lambda now: len(now.snapshot.queue.items))
        page.on(close.click, self.close_item, [page.state], None, refresh=True)
        page.show(panel, lambda now: bool(now.state.of(QueueTabState).item_id))
        page.follow(details, lambda now: (now.snapshot.queue.version, now.state.of(QueueTabState).item_id), _details)

    def remove(self, ids: list[str], queue: Queue) -> None:
        """Remove the selected items that wait."""
        gone = self._page.session(queue).queue.remove_from_queue(_some(ids))
        if not gone:
            raise InputError("Only what waits can be removed; use Cancel running for what runs.")
        toast(f"Removed {count(len(gone), 'item')}.")

    def move_up(self, ids: list[str], queue: Queue) -> None:
        """Move the selected items a place to the front."""
        self._page.session(queue).queue.move(_some(ids), -1)

    def move_down(self, ids: list[str], queue: Queue) -> None:
        """Move the selected items a place to the end."""
        self._page.session(queue).queue.move(_some(ids), 1)

    def duplicate(self, ids: list[str], queue: Queue) -> None:
        """Add the selected items once more."""
        added = self._page.session(queue).queue.duplicate(_some(ids))
        toast(f"Added {count(len(added), 'item')}.")

    def open_item(self, state: PageState, event: gr.EventData) -> None:
        """Show the details of an item, or hide them where they are shown."""
        tab, chosen = state.of(QueueTabState), components.clicked_id(event)
        tab.item_id = "" if tab.item_id == chosen else chosen

    def close_item(self, state: PageState) -> None:
        """Hide the details."""
        state.of(QueueTabState).item_id = ""

    def _window(self, now: PageView) -> Window:
        return self.pager.window(now.state, len(now.snapshot.queue.items))

    def _key(self, now: PageView) -> tuple[int, int]:
        return now.snapshot.queue.version, self._window(now).first


def _prompt_cell(item: QueueItem, _now: PageView) -> str:
    parts = describe_weights(item.weights), describe_params(item)
    setup = "; ".join(part for part in parts if part) or "defaults"
    text = shorten_text(item.prompt_text, 160) or "(no text)"
    return markup.main_cell(text, markup.sub(f"{engine_title(item.engine)} · {setup}"))


def _group_cell(item: QueueItem, now: PageView) -> str:
    return f"<td role='cell' class='cw-letter'>{group_chip(now.labels.get(item.batch_key, ''))}</td>"


def _status_cell(item: QueueItem, _now: PageView) -> str:
    error = markup.sub(item.error) if item.error else ""
    chip = markup.status_chip(item.status)
    return f"<td role='cell' class='cw-state'>{chip}<span class='cw-sub' data-progress></span>{error}</td>"


COLUMNS: dict[str, Callable[[QueueItem, PageView], str]] = {
    "Prompt": _prompt_cell,
    "Group": _group_cell,
    "Status": _status_cell,
}
"""The columns with what fills them; how each stands on a small screen is in page.css."""


def queue_table(now: PageView, window: Window) -> dict[str, Any]:
    """The queue's rows for the table: those of `window`."""
    rows = [
        {
            "id": item.id,
            "html": "".join(cell(item, now) for cell in COLUMNS.values()),
            "name": shorten_text(item.prompt_text or item.id, 60),
        }
        for item in now.snapshot.queue.items[window.rows]
    ]
    version = now.snapshot.queue.version
    return markup.table_value(list(COLUMNS), rows, "Nothing is queued.", window, version=version, queue=now.token)


def _some(ids: list[str] | None) -> list[str]:
    if not ids:
        raise InputError("No item is selected; tick at least one in the table.")
    return ids


def _details(now: PageView) -> str:
    queue, item_id = now.snapshot.queue, now.state.of(QueueTabState).item_id
    if not item_id:
        return ""
    item = next((item for item in (*queue.items, *queue.finished) if item.id == item_id), None)
    return item_details(item, now) if item else ""
