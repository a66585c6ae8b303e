"""What is made of the selected prompts: engine, params, weights, and the button that queues it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from cosmos_workflow.engines.spec import all_engines, require_available
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.ui import components
from cosmos_workflow.ui.engine_forms import EngineForms, engine_choices, engine_note
from cosmos_workflow.ui.markup import note
from cosmos_workflow.ui.page import Page, toast
from cosmos_workflow.ui.prompts.model_files import ModelFilesPanel
from cosmos_workflow.ui.prompts.selection import chosen_prompts
from cosmos_workflow.ui.text import count

FIRST_CHOICE = "espeak"


class Configuration:
    """The form at the right of the library; `table` is the elem_id of the table whose selection is queued."""

    def __init__(self, page: Page, table: str) -> None:
        self._page = page
        specs = all_engines()
        first = next((spec.name for spec in specs if spec.name == FIRST_CHOICE), specs[0].name)
        self.engine = gr.Dropdown(engine_choices(specs), value=first, label="Engine", elem_id="engine", filterable=False)
        self.note = gr.HTML(_note(first), apply_default_css=False)
        self.model_files = ModelFilesPanel(page, first)
        with gr.Row(elem_classes="cw-buttons cw-add"):
            add = gr.Button("Add to Queue", variant="primary", elem_id="add-to-queue", min_width=140)
            clear = gr.Button("Clear Config", elem_id="clear-config", min_width=120)
            components.counter(page, "queue-counter-beside")
        self.forms = EngineForms(specs, first)
        selection = gr.JSON([], visible=False)

        self.forms.wire(page)
        page.on(self.engine.change, self._choose, [self.engine], [self.note, *self.model_files.outputs, *self.forms.groups])
        page.on(
            self.model_files.finished.change,
            self._look_again,
            [self.engine],
            [self.engine, self.note, *self.model_files.outputs],
            queue=False,
        )
        page.on(clear.click, self._clear, [self.engine], self.forms.components)
        page.on(
            add.click,
            self.add,
            [selection, page.queue, self.engine, *self.forms.components],
            None,
            js=components.selected_in(table),
            trigger_mode="multiple",
            refresh=True,
        )

    @property
    def outputs(self) -> list[Any]:
        """Where `load` writes."""
        return [self.engine, self.note, *self.forms.groups, *self.forms.components]

    def load(self, engine: str, params: Mapping[str, Any], weights: Mapping[str, float]) -> list[Any]:
        """Values for `outputs` that show this configuration."""
        return [engine, _note(engine), *self.forms.show(engine), *self.forms.fill(engine, params, weights)]

    def add(self, ids: list[str], queue: Queue, engine: str, *values: Any) -> None:
        """Queue the selected prompts with the configuration as it is."""
        session = self._page.session(queue)
        require_available(engine)
        prompts = chosen_prompts(self._page.store, ids, queue.owner)
        params, weights = self.forms.read(engine, values)
        added = session.queue.add_to_queue(prompts, engine, params, weights)
        toast(f"Added {count(len(added), 'item')} to the queue.")

    def _choose(self, engine: str) -> list[Any]:
        return [_note(engine), *self.model_files.show(engine), *self.forms.show(engine)]

    def _look_again(self, engine: str) -> list[Any]:
        """After weights have come: what can run here now."""
        return [gr.Dropdown(engine_choices(all_engines())), _note(engine), *self.model_files.show(engine)]

    def _clear(self, engine: str) -> list[Any]:
        return self.forms.fill(engine, {}, {})


def _note(engine: str) -> str:
    text, available = engine_note(engine)
    return note(text, "calm" if available else "held")
