"""The prompts tab: the library at the left, what is made of the selected prompts at the right."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.prompts.configuration import Configuration
from cosmos_workflow.ui.prompts.editor import Editor
from cosmos_workflow.ui.prompts.library import TABLE, Library


@dataclass(frozen=True)
class PromptsTab:
    """What other tabs may fill: the form for a prompt, and the configuration."""

    editor: Editor
    configuration: Configuration


def build(page: Page) -> PromptsTab:
    """Components and wiring."""
    with gr.Row(elem_classes="cw-columns"):
        with gr.Column(scale=3, min_width=320):
            library = Library(page)
        with gr.Column(scale=2, min_width=320):
            configuration = Configuration(page, TABLE)
    return PromptsTab(library.editor, configuration)
