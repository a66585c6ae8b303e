"""The form in which a queued item is changed."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cosmos_workflow.engines.registry import all_engines
from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.ui.components import EditorFrame, hide
from cosmos_workflow.ui.engine_forms import EngineForms
from cosmos_workflow.ui.page import Page, toast


class ItemEditor:
    """Hidden until an item is opened; the engine of an item stays what it is."""

    def __init__(self, page: Page) -> None:
        self._page = page
        with EditorFrame(page, "save-item", "close-item") as self.frame:
            gr.HTML("<h2>Edit queued item</h2>", apply_default_css=False)
            text = gr.Textbox(label="Text", lines=3, max_lines=10, elem_id="item-text")
            self.forms = EngineForms(all_engines(), "")
        item_id, engine = gr.State(""), gr.State("")
        self.outputs = [self.frame.group, item_id, engine, text, *self.forms.groups, *self.forms.components]
        inputs = [page.queue, item_id, engine, text, *self.forms.components]
        page.on(self.frame.save.click, self.save, inputs, [self.frame.group], refresh=True)

    def open(self, ids: list[str], queue: Queue) -> list[Any]:
        """The one item that is selected, if it still waits."""
        waiting = [item for item in self._page.session(queue).queue.snapshot().queued if item.id in (ids or ())]
        if len(waiting) != 1:
            number = len(waiting) or "none"
            raise InputError(f"One waiting item can be edited at a time, and {number} of the selected ones waits; tick just one.")
        item = waiting[0]
        forms = [*self.forms.show(item.engine), *self.forms.fill(item.engine, item.params, item.weights)]
        return [gr.Column(visible=True), item.id, item.engine, item.prompt_text, *forms]

    def save(self, queue: Queue, item_id: str, engine: str, text: str, *values: Any) -> Any:
        """Change the item; raises InputError where it began to run meanwhile."""
        params, weights = self.forms.read(engine, values)
        self._page.session(queue).queue.edit(item_id, text=text, params=params, weights=weights)
        toast("Changed.")
        return hide()
