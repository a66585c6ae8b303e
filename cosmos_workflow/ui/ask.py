"""A question before something is done that can't be undone."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cosmos_workflow.ui import markup
from cosmos_workflow.ui.page import Page


class Ask:
    """Hidden until asked; `yes` is wired by whoever asks, `no` only hides it. `also` is an optional third button.

    `harmless` is for a question whose yes takes nothing away.
    """

    def __init__(self, page: Page, name: str, yes: str, also: str = "", *, no: str = "Keep", harmless: bool = False) -> None:
        with gr.Column(visible=False, elem_classes="cw-ask") as self.group:
            self.question = gr.HTML(apply_default_css=False)
            with gr.Row(elem_classes="cw-buttons"):
                self.yes = gr.Button(yes, variant="primary" if harmless else "stop", size="sm", elem_id=f"{name}-yes")
                self.also = gr.Button(also, variant="stop", size="sm", elem_id=f"{name}-also", visible=False)
                keep = gr.Button(no, size="sm", elem_id=f"{name}-no")
        self.outputs = [self.group, self.question, self.also]
        page.on(keep.click, self.hidden, None, [self.group])

    def shown(self, question: str, *, also: bool = False) -> list[Any]:
        """Values for `outputs` that ask."""
        return [gr.Column(visible=True), markup.note(question), gr.Button(visible=also)]

    def hidden(self) -> Any:
        """A value for `group` that hides it."""
        return gr.Column(visible=False)
