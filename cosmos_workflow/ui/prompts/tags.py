"""Buttons for what an engine does instead of saying it, below the text of a prompt: [laugh] and the like."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from cosmos_workflow.engines.registry import known_engine

if TYPE_CHECKING:
    from cosmos_workflow.ui.engine_forms import EngineForms
    from cosmos_workflow.ui.page import Page


class TagButtons:
    """Follow the engine and the model that are chosen; a press writes the tag where the text's cursor is (`static/tags.js`).

    Made inside the editor; `wire` is called once there is a form to follow.
    """

    def __init__(self, text_id: str) -> None:
        self._text_id = text_id
        self.html = gr.HTML(visible=False, apply_default_css=False, elem_id="prompt-tags")

    def wire(self, page: Page, engine: gr.Dropdown, forms: EngineForms) -> None:
        """Show the tags of what is chosen in the form, now and whenever that changes."""
        menus = forms.tag_menus()

        def show(name: str, *values: Any) -> Any:
            chosen = {menu: value for (owner, menu), value in zip(menus, values, strict=True) if owner == name}
            return self._shown(known_engine(name).tags(chosen))

        fields = list(menus.values())
        for event in (engine.change, *(field.change for field in fields)):
            page.on(event, show, [engine, *fields], [self.html])
        page.on_load(show, [engine, *fields], [self.html])

    def _shown(self, tags: Sequence[str]) -> Any:
        buttons = "".join(
            f'<button type="button" class="cw-tag" data-into="{self._text_id}" data-tag="[{escape(tag)}]">{escape(tag)}</button>'
            for tag in tags
        )
        words = "Written where the cursor is, and done instead of said; the first ones most reliably:"
        label = "Write into the text what is done instead of said"
        value = f'<p class="cw-heading">{words}</p><div class="cw-tags" role="group" aria-label="{label}">{buttons}</div>'
        return gr.HTML(value if tags else "", visible=bool(tags))
