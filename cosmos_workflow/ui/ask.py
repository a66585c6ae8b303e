"""A question before something is taken away for good."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cosmos_workflow.ui import markup
from cosmos_workflow.ui.page import Page


class Ask:
    """Hidden until asked; `yes` is wired by whoever asks, `no` only hides it. `also` is an optional third button."""

    def __init__(self, page: Page, name: str, yes: str, also: str = "") -> None:
        with gr.Column(visible=False, elem_classes="cw-ask") as self.group:
            self.question = gr.HTML(apply_default_css=False)
            with gr.Row(elem_classes="cw-buttons"):
                self.yes = gr.Button(yes, variant="stop", size="sm", elem_id=f"{name}-yes")
                self.also = gr.Button(also, variant="stop", size="sm", elem_id=f"{name}-also", visible=False)
                no = gr.Button("Keep", size="sm", elem_id=f"{name}-no")
        self.outputs = [self.group, self.question, self.also]
        page.on(no.click, self.hidden, None, [self.group])

    def shown(self, question: str, *, also: bool = False) -> list[Any]:
        """Values for `outputs` that ask."""
        return [gr.Column(visible=True), markup.note(question), gr.Button(visible=also)]

    def hidden(self) -> Any:
        """A value for `group` that hides it."""
        return gr.Column(visible=False)
