"""The queue's rows, and what is done with the selected ones."""

from __future__ import annotations

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing import Queue
from cosmos_workflow.ui import lists, markup, view
from cosmos_workflow.ui.page import Page, Visit, tell
from cosmos_workflow.ui.prompts.selection import clamp_page
from cosmos_workflow.ui.queue.item_editor import ItemEditor
from cosmos_workflow.ui.view import PAGE_SIZE, Picture

TABLE = "queue-table"


class QueueTable:
    """The table with its buttons, and the details of the row that was clicked."""

    def __init__(self, page: Page) -> None:
        self._page = page
        with gr.Row(elem_classes=["cw-buttons", "cw-for-rows"]):
            self.remove = gr.Button("Remove selected", size="sm", elem_id="remove-selected")
            self.up = gr.Button("Move up", size="sm", elem_id="move-up")
            self.down = gr.Button("Move down", size="sm", elem_id="move-down")
            self.edit = gr.Button("Edit", size="sm", elem_id="edit-item")
            self.duplicate = gr.Button("Duplicate", size="sm", elem_id="duplicate-items")
        self.editor = ItemEditor(page)
        self.table = lists.table(TABLE)
        with gr.Row(elem_classes="cw-buttons", visible=False) as self.pager:
            self.previous = gr.Button("Previous", size="sm")
            self.following = gr.Button("Next", size="sm")
        self.details = gr.HTML(elem_id="item-details", apply_default_css=False)
        self.selection = gr.JSON([], visible=False)
        self._wire()
        self._follow()

    def take_away(self, ids: list[str], queue: Queue) -> None:
        """Remove the selected items that wait."""
        gone = self._page.session(queue).queue.remove_from_queue(_some(ids))
        if not gone:
            raise InputError("Only what waits can be removed; use Cancel running for what runs.")
        tell(f"Removed {view.count(len(gone), 'item')}.")

    def move_up(self, ids: list[str], queue: Queue) -> None:
        """Move the selected items a place to the front."""
        self._page.session(queue).queue.move(_some(ids), -1)

    def move_down(self, ids: list[str], queue: Queue) -> None:
        """Move the selected items a place to the end."""
        self._page.session(queue).queue.move(_some(ids), 1)

    def copy(self, ids: list[str], queue: Queue) -> None:
        """Add the selected items once more."""
        added = self._page.session(queue).queue.duplicate(_some(ids))
        tell(f"Added {view.count(len(added), 'item')}.")

    def open_item(self, visit: Visit, event: gr.EventData) -> None:
        """Show the details of an item, or hide them where they are shown."""
        chosen = lists.opened_id(event)
        visit.item_id = "" if visit.item_id == chosen else chosen

    def turn_back(self, visit: Visit) -> None:
        """The page before this one."""
        visit.queue_page = max(0, visit.queue_page - 1)

    def turn_on(self, visit: Visit, queue: Queue) -> None:
        """The page after this one."""
        visit.queue_page = clamp_page(visit.queue_page + 1, len(queue))

    def _wire(self) -> None:
        page = self._page
        chosen = lists.selected_in(TABLE)
        handlers = (
            (self.remove, self.take_away),
            (self.up, self.move_up),
            (self.down, self.move_down),
            (self.duplicate, self.copy),
        )
        for button, handler in handlers:
            options = {"js": chosen, "changes_queue": True, "trigger_mode": "multiple"}
            page.on(button.click, handler, [self.selection, page.queue], None, **options)
        page.on(self.edit.click, self.editor.open, [self.selection, page.queue], self.editor.outputs, js=chosen)
        page.on(self.previous.click, self.turn_back, [page.visit], None, changes_queue=True)
        page.on(self.following.click, self.turn_on, [page.visit, page.queue], None, changes_queue=True)
        page.on(self.table.select, self.open_item, [page.visit], None, changes_queue=True)

    def _follow(self) -> None:
        self._page.follow(self.table, _table_key, lambda now, visit: markup.queue_table(now, _place(now, visit)))
        self._page.follow(self.pager, lambda now, _visit: _is_long(now), lambda now, _visit: gr.Row(visible=_is_long(now)))
        self._page.follow(self.details, lambda now, visit: (now.snapshot.queue.version, visit.item_id), _details)


def _some(ids: list[str] | None) -> list[str]:
    if not ids:
        raise InputError("No item is selected; tick at least one in the table.")
    return ids


def _is_long(now: Picture) -> bool:
    return len(now.snapshot.queue.items) > PAGE_SIZE


def _place(now: Picture, visit: Visit) -> int:
    return clamp_page(visit.queue_page, len(now.snapshot.queue.items))


def _table_key(now: Picture, visit: Visit) -> tuple[int, int]:
    return now.snapshot.queue.version, _place(now, visit)


def _details(now: Picture, visit: Visit) -> str:
    queue = now.snapshot.queue
    item = next((item for item in (*queue.items, *queue.finished) if item.id == visit.item_id), None)
    return markup.item_details(item, now) if item else ""
