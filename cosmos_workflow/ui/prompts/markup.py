"""Pieces of HTML of the Prompts tab: the library's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cosmos_workflow.queueing.items import Prompt
from cosmos_workflow.ui import markup
from cosmos_workflow.ui.markup import Row
from cosmos_workflow.ui.page_view import Window
from cosmos_workflow.ui.text import shorten_text


def prompts_table(prompts: Sequence[Prompt], names: Mapping[str, str], window: Window, *, filtered: bool) -> dict[str, Any]:
    """A page of the library; `names` gives the name an input file came with."""
    empty = "No prompt matches." if filtered else "The library is empty. Write a prompt, or import a CSV or TXT file."
    # A selection may lie on other pages and behind other filters.
    return {**markup.table_value(["Prompt"], [_row(prompt, names) for prompt in prompts], empty, window), "complete": False}


def _row(prompt: Prompt, names: Mapping[str, str]) -> Row:
    title = shorten_text(prompt.name or prompt.text, 160)
    below = markup.sub(shorten_text(prompt.text, 160)) if prompt.name else ""
    cell = markup.main_cell(title, below + markup.file_chips(prompt.inputs, names))
    return {"id": prompt.id, "html": cell, "name": title[:60]}
