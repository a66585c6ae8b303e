"""The prompts tab: the library at the left, what is made of the selected prompts at the right."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cosmos_workflow.queueing.items import Prompt
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.prompts.configuration import Configuration
from cosmos_workflow.ui.prompts.library import TABLE, Library
from cosmos_workflow.ui.prompts.welcome import Welcome


class PromptsTab:
    """Components and wiring; `load` gives values for `outputs`, which show what a run was made from, and `after_load` takes the
    event that does so."""

    def __init__(self, page: Page) -> None:
        Welcome(page, "welcome")
        with gr.Row(elem_classes="cw-columns"):
            with gr.Column(scale=3, min_width=320):
                self.library = Library(page)
            with gr.Column(scale=2, min_width=320):
                self.configuration = Configuration(page, TABLE)
        self.library.editor.tags.wire(page, self.configuration.engine, self.configuration.forms)
        self.outputs = [*self.library.chosen, *self.configuration.outputs]

    def load(self, run: RunRecord, owner: str) -> list[Any]:
        """The form with a run's parameters, and its prompt as the one that is selected."""
        chosen = self.library.choose(Prompt(run.prompt_text, dict(run.inputs)), owner)
        return [*chosen, *self.configuration.load(run.engine, run.params, run.weights)]

    def after_load(self, event: Any) -> None:
        """Show what `load` selected, after the event that wrote it."""
        self.library.show_chosen(event)
