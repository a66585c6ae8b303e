"""The jobs tab: job files with their tasks, the editor beside them, and below what a task is made of."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cosmos_workflow.ui import lists
from cosmos_workflow.ui.jobs.editor import IN_TURN, JobEditor
from cosmos_workflow.ui.jobs.files import JobFiles
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.jobs.run_mode import RunMode
from cosmos_workflow.ui.jobs.table import JobTable
from cosmos_workflow.ui.jobs.task import JobTask
from cosmos_workflow.ui.live import RUNNING_INTERVAL
from cosmos_workflow.ui.page import Page, Visit, Wiring, owner_of


class Jobs:
    """Puts the parts together; a click on a job opens the editor, one on a task its pieces too."""

    def __init__(self, page: Page, managers: JobManagers) -> None:
        self._managers = managers
        RunMode(page, managers)
        with gr.Row(elem_classes="cw-columns"):
            with gr.Column(scale=5, min_width=320):
                files = JobFiles(page, managers)
                table = JobTable(page, managers)
            with gr.Column(scale=6, min_width=320):
                self._editor = JobEditor(page, managers)
        self._task = JobTask(page, managers)
        files.wire(self._editor, table.selection)
        table.wire(self._editor)
        page.on(
            table.table.select,
            self.open_row,
            self._editor.inputs,
            self._editor.outputs,
            then=Wiring(lambda: None, [], [], {"js": "() => window.cosmos.showOpened()"}),
            **IN_TURN,
        )

    def open_row(self, job_id: str, text: str, visit: Visit, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Open the job of a row, and where the row is a task's, its pieces."""
        manager = self._managers.of(owner_of(request))
        self._editor.keep(manager, visit.jobs, job_id, text or "")
        row_id = lists.opened_id(event)
        opened, _, key = row_id.partition("/")
        visit.jobs.task_id = row_id if key else ""
        visit.jobs.pieces_page = 0
        if opened == job_id:
            return [gr.skip()] * len(self._editor.outputs)
        return self._editor.shown(manager, visit.jobs, opened)


def build(page: Page, managers: JobManagers, tab: gr.Tab, others: list[gr.Tab]) -> None:
    """Components and wiring; while the tab is looked at, it is kept up to date even when nothing runs here."""
    Jobs(page, managers)

    def watch(visit: Visit) -> None:
        visit.jobs.watching = True

    def look_away(visit: Visit) -> None:
        visit.jobs.watching = False

    def pace(owner: str, visit: Visit) -> float | None:
        busy = managers.of(owner).snapshot().busy
        if busy:
            return RUNNING_INTERVAL
        return page.operations.workspace.settings.live_interval if visit.jobs.watching else None

    page.pace(pace)
    page.on(tab.select, watch, [page.visit], None, queue=False, changes_queue=True)
    for other in others:
        page.on(other.select, look_away, [page.visit], None, queue=False)
