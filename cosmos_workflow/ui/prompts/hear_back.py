"""The box that has what is queued heard back, for engines that speak."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cosmos_workflow.checking.models import DEFAULT, require_recogniser
from cosmos_workflow.engines.registry import known_engine
from cosmos_workflow.errors import UnavailableError
from cosmos_workflow.ui.page import Page

EXPLAINED = "Whisper listens to each result and compares it with its text; Results has the score."


class HearBack:
    """Follows the engine that is chosen; where no recogniser can run here, it says in a sentence what to do about it."""

    def __init__(self, page: Page, engine: gr.Dropdown, first: str) -> None:
        self.box = gr.Checkbox(False, label="Check what is said", elem_id="check-said", **_state(first))
        page.on(engine.change, self.show, [engine], [self.box])
        page.on_load(self.show, [engine], [self.box])

    def show(self, engine: str) -> Any:
        """The box for an engine, as things are now."""
        return gr.Checkbox(**_state(engine))

    @staticmethod
    def model(ticked: bool, engine: str) -> str:
        """The recogniser for what is queued; "" for none."""
        return DEFAULT if ticked and known_engine(engine).speaks and not _reason() else ""


def _state(engine: str) -> dict[str, Any]:
    reason = _reason()
    return {"visible": known_engine(engine).speaks, "interactive": not reason, "info": reason or EXPLAINED}


def _reason() -> str:
    try:
        require_recogniser(DEFAULT)
    except UnavailableError as error:
        return str(error)
    return ""
