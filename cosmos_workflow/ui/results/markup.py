"""Pieces of HTML of the Results tab: cards with buttons, and everything known of a run."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode

from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.ui import markup
from cosmos_workflow.ui.page_view import Window
from cosmos_workflow.ui.results.view import run_facts

ACTIONS = (
    ("open", "Details", "Everything known of this result"),
    ("again", "Run again", "Queue it again with the same parameters"),
    ("reuse", "Reuse", "Load its prompt and parameters into the form"),
)
"""Buttons of a card: event, words, and what they do."""


def gallery(
    runs: Sequence[RunRecord], window: Window, *, filtered: bool, engine: str = "", text: str = "", job: str = ""
) -> dict[str, Any]:
    """The results of `window`, found by `engine`, `text` and `job`."""
    return {
        "rows": [markup.run_card(run, _actions(run)) for run in runs],
        "empty": "No result matches." if filtered else "Nothing was made yet. Queue some prompts and press Start.",
        "page": window.text,
        "download": _download_all(engine, text, job) if any(run.outputs for run in runs) else "",
    }


def run_details(run: RunRecord) -> str:
    """Everything known of a run, and its files."""
    files = "".join(_download(run, key, f"{key}: {name}") for key, name in run.outputs.items())
    downloads = f'<div class="cw-files">{files}</div>' if files else ""
    words = f"{markup.text_block(run.prompt_text)}{markup.error_line(run.error)}"
    return f"{words}{markup.facts(run_facts(run))}{downloads}{markup.traceback(run)}"


def _actions(run: RunRecord) -> str:
    key, _kind = markup.main_output(run)
    words = "".join(
        f'<button type="button" data-action="{action}" title="{title}">{label}</button>' for action, label, title in ACTIONS
    )
    if key:
        words += _download(run, key, "Download")
    return f'<div class="cw-actions">{words}<button type="button" data-action="remove">Delete</button></div>'


def _download(run: RunRecord, key: str, words: str) -> str:
    address = escape(markup.media_url(run.id, key, download=True))
    return f'<a class="cw-download" href="{address}" download>{escape(words)}</a>'


def _download_all(engine: str, text: str, job: str) -> str:
    address = escape(f"media.zip?{urlencode({'engine': engine, 'text': text, 'job': job})}")
    return f'<a class="cw-download" download href="{address}">Download all that succeeded</a>'
