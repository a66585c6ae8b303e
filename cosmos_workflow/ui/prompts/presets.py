"""Presets: what the form says, saved by name for its engine, and put back with one choice."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.ui.engine_forms import EngineForms
from cosmos_workflow.ui.page import Page, toast


class Presets:
    """A menu, a name and two buttons above the form; another engine changes the menu, see `show`."""

    def __init__(self, page: Page, engine: gr.Dropdown) -> None:
        self._page, self._engine = page, engine
        with gr.Accordion("Presets", open=False, elem_id="presets"):
            with gr.Row(elem_classes="cw-buttons"):
                self.choice = gr.Dropdown(
                    [], label="Load", value=None, min_width=150, filterable=False, elem_id="preset-choice", scale=2
                )
                self.name = gr.Textbox(label="Save as", max_lines=1, min_width=140, elem_id="preset-name", scale=2)
            with gr.Row(elem_classes="cw-buttons"):
                self.save_button = gr.Button("Save preset", size="sm", elem_id="save-preset")
                self.delete_button = gr.Button("Delete preset", size="sm", elem_id="delete-preset")

    def wire(self, forms: EngineForms) -> None:
        """Wire it to the form that it saves and fills."""
        page, engine = self._page, self._engine
        self._forms = forms
        page.on(self.save_button.click, self.save, [page.queue, engine, self.name, *forms.components], [self.choice, self.name])
        page.on(self.delete_button.click, self.delete, [page.queue, engine, self.choice], [self.choice])
        page.on(self.choice.input, self.load, [page.queue, engine, self.choice], forms.components)
        page.on_load(lambda queue, engine: self.show(engine, queue.owner), [page.queue, engine], [self.choice])

    def show(self, engine: str, owner: str, chosen: str | None = None) -> Any:
        """The menu of an engine."""
        names = list(self._page.store.presets.of(owner, engine))
        return gr.Dropdown(names, value=chosen if chosen in names else None)

    def save(self, queue: Queue, engine: str, name: str, *values: Any) -> list[Any]:
        """Keep what the form says, over a preset of that name."""
        params, weights = self._forms.read(engine, values)
        kept = self._page.store.presets.save(queue.owner, engine, name, params, weights)
        toast(f"Saved {kept}.")
        return [self.show(engine, queue.owner, kept), ""]

    def load(self, queue: Queue, engine: str, name: str | None) -> list[Any]:
        """Fill the form with a preset; what the engine no longer knows is left out."""
        preset = self._page.store.presets.of(queue.owner, engine).get(name or "")
        if preset is None:
            raise InputError("This preset isn't there any more; choose another one.")
        return self._forms.fill(engine, preset["params"], preset["weights"])

    def delete(self, queue: Queue, engine: str, name: str | None) -> Any:
        """Forget the preset that is chosen."""
        self._page.store.presets.delete(queue.owner, engine, name or "")
        toast(f"Deleted {name}.")
        return self.show(engine, queue.owner)
