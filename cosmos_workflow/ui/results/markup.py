"""Pieces of HTML of the Results tab: cards with buttons, and everything known of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode

from cosmos_workflow.checking.verdict import Verdict
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.waveforms import Waveform
from cosmos_workflow.ui import markup
from cosmos_workflow.ui.heard import fault_list, score_text
from cosmos_workflow.ui.markup import Row, sub
from cosmos_workflow.ui.page_view import Window
from cosmos_workflow.ui.results.view import run_facts
from cosmos_workflow.ui.waveform import waveform

ACTIONS = (
    ("open", "Details", "Everything known of this result"),
    ("reuse", "Reuse as the one prompt", "Select its prompt, and no other, and put its parameters into the form"),
    ("again", "Queue again", "Queue it at once, with the same parameters"),
)
"""Buttons of a card: event, words, and what they do."""


def result_card(run: RunRecord, shape: Waveform | None = None, verdict: Verdict | None = None) -> Row:
    """A result with its player; a sound with its picture, and with its score and its faults where it was heard back."""
    faults = verdict.faults if verdict else ()
    heard = f"{sub(score_text(verdict))}{fault_list(faults)}" if verdict else ""
    return markup.run_card(run, f"{heard}{_actions(run)}", waveform(shape, faults))


def gallery(
    rows: Sequence[Row],
    runs: Sequence[RunRecord],
    window: Window,
    empty: str,
    *,
    engine: str = "",
    text: str = "",
    job: str = "",
) -> dict[str, Any]:
    """The cards of `runs`, the results of `window`, found by `engine`, `text` and `job`; `empty` stands where there are none."""
    return {
        "rows": rows,
        "empty": empty,
        "page": window.text,
        "download": _download_all(engine, text, job) if any(run.outputs for run in runs) else "",
    }


def run_details(run: RunRecord, names: Mapping[str, str]) -> str:
    """Everything known of a run, and its files; `names` has its input files' own names."""
    files = "".join(_download(run, key, f"{key}: {name}") for key, name in run.outputs.items())
    downloads = f'<div class="cw-files">{files}</div>' if files else ""
    words = f"{markup.text_block(run.prompt_text)}{markup.error_line(run.error)}"
    return f"{words}{markup.facts(run_facts(run, names))}{downloads}{markup.traceback(run)}"


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
