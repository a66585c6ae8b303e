"""The queue tab: what waits and runs, how far it is, and everything one can do about it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cosmos_workflow.ui import lists, markup
from cosmos_workflow.ui.ask import Ask
from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.queue.controls import QueueControls
from cosmos_workflow.ui.queue.table import QueueTable
from cosmos_workflow.ui.view import Picture

SHOWN_RESULTS = 24
"""Results of this round that are shown with a player; all are in Results."""


def build(page: Page, comeback: Ask) -> None:
    """Components and wiring; `comeback` asks, outside the tabs, whether to go on with what an earlier life left behind."""
    QueueControls(page, comeback)
    with gr.Row(elem_classes="cw-columns"):
        with gr.Column(scale=3, min_width=320):
            QueueTable(page)
        with gr.Column(scale=2, min_width=320):
            gr.HTML("<h2>Batches</h2>", apply_default_css=False)
            preview = gr.HTML(elem_id="batch-preview", apply_default_css=False)
            gr.HTML("<h2>Done in this round</h2>", apply_default_css=False)
            results = lists.cards("queue-results")
    page.follow(preview, lambda picture, _visit: _preview_key(picture), lambda picture, _visit: markup.batch_preview(picture))
    page.follow(results, lambda picture, _visit: _finished_ids(picture), lambda picture, _visit: _finished(page, picture))


def _preview_key(picture: Picture) -> tuple[int, tuple[str, ...]]:
    return picture.snapshot.queue.version, tuple(batch.id for batch in picture.snapshot.batches)


def _finished_ids(picture: Picture) -> tuple[str, ...]:
    return tuple(item.id for item in picture.snapshot.queue.finished[-SHOWN_RESULTS:])


def _finished(page: Page, picture: Picture) -> dict[str, Any]:
    ids = _finished_ids(picture)
    runs = {run.item_id: run for run in page.store.runs.of_items(ids, picture.owner)}
    rows = [markup.run_card(runs[item_id]) for item_id in reversed(ids) if item_id in runs]
    return {"rows": rows, "empty": "Results show here as they come."}
