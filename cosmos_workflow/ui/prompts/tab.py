"""The prompts tab: the library at the left, what is made of the selected prompts at the right."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.prompts.configuration import Configuration
from cosmos_workflow.ui.prompts.library import TABLE, Library
from cosmos_workflow.ui.prompts.welcome import Welcome


class PromptsTab:
    """Components and wiring; `load` gives values for `outputs`, which show what a run was made from."""

    def __init__(self, page: Page) -> None:
        Welcome(page, "welcome")
        with gr.Row(elem_classes="cw-columns"):
            with gr.Column(scale=3, min_width=320):
                self.editor = Library(page).editor
            with gr.Column(scale=2, min_width=320):
                self.configuration = Configuration(page, TABLE)
        self.outputs = [*self.editor.outputs, *self.configuration.outputs]

    def load(self, run: RunRecord, owner: str) -> list[Any]:
        """The forms with a run's prompt and parameters."""
        editor = self.editor.open_text(run.prompt_text, dict(run.inputs), owner)
        return [*editor, *self.configuration.load(run.engine, run.params, run.weights)]
