"""The queue tab: what waits and runs, how far it is, and everything one can do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from cosmos_workflow.ui import components, markup
from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.page_view import PageView
from cosmos_workflow.ui.queue.controls import QueueControls
from cosmos_workflow.ui.queue.markup import batch_preview
from cosmos_workflow.ui.queue.table import QueueTable

SHOWN_RESULTS = 24
"""Results of this round that are shown with a player; all are in Results."""


def build(page: Page, welcome: Callable[[], object]) -> None:
    """Components and wiring; `welcome` builds what stands there for whoever never made anything."""

    def finished_cards(now: PageView) -> dict[str, Any]:
        ids = _finished_ids(now)
        runs = {run.item_id: run for run in page.store.runs.of_items(ids, now.owner)}
        rows = [markup.run_card(runs[item_id]) for item_id in reversed(ids) if item_id in runs]
        return {"rows": rows, "empty": "Results show here as they come."}

    QueueControls(page)
    welcome()
    with gr.Row(elem_classes="cw-columns"):
        with gr.Column(scale=3, min_width=320):
            QueueTable(page)
        with gr.Column(scale=2, min_width=320):
            with gr.Column(elem_classes="cw-of-batches"):
                gr.HTML("<h2>Batches</h2>", apply_default_css=False)
                preview = gr.HTML(elem_id="batch-preview", apply_default_css=False)
            gr.HTML("<h2>Done in this round</h2>", apply_default_css=False)
            results = components.cards("queue-results")
    page.follow(preview, _batches, batch_preview)
    page.follow(results, _finished_ids, finished_cards)


def _batches(now: PageView) -> tuple[int, tuple[str, ...]]:
    return now.snapshot.queue.version, tuple(batch.id for batch in now.snapshot.batches)


def _finished_ids(now: PageView) -> tuple[str, ...]:
    return tuple(item.id for item in now.snapshot.queue.finished[-SHOWN_RESULTS:])
