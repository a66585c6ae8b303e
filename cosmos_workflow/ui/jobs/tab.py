"""The jobs tab: job files with their tasks, the editor beside them, and below what a task is made of."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cosmos_workflow.ui import components
from cosmos_workflow.ui.jobs import markup as jobs_markup
from cosmos_workflow.ui.jobs.book import JobBook
from cosmos_workflow.ui.jobs.editor import JobEditor
from cosmos_workflow.ui.jobs.files import JobFiles
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.jobs.part import JobsPart, JobsTabState
from cosmos_workflow.ui.jobs.table import JobTable
from cosmos_workflow.ui.jobs.task import JobTask
from cosmos_workflow.ui.live import RUNNING_INTERVAL
from cosmos_workflow.ui.page import Page, Wiring
from cosmos_workflow.ui.page_view import PageState, PageView


class RunMode(JobsPart):
    """A line above the jobs."""

    def __init__(self, page: Page, managers: JobManagers) -> None:
        super().__init__(page, managers)
        with gr.Row(elem_id="run-mode-row"):
            self.checkbox = gr.Checkbox(False, label="Run mode", elem_id="run-mode", container=False, scale=0, min_width=110)
            line = gr.HTML(elem_id="run-mode-state", apply_default_css=False)
            go_on = gr.Button("Go on", variant="primary", size="sm", elem_id="run-mode-go-on", visible=False)
            leave_off = gr.Button("Leave it off", size="sm", elem_id="run-mode-leave-off", visible=False)
        page.on(self.checkbox.input, self.switch, [self.checkbox, page.state], None, refresh=True)
        page.follow(line, lambda now: jobs_markup.run_mode(self.snapshot(now)))
        # Counted, since it may have switched itself off before this page was sent that it was on.
        page.follow(
            self.checkbox,
            lambda now: (self._is_on(now), now.state.of(JobsTabState).switched),
            lambda now: gr.Checkbox(self._is_on(now)),
        )
        for button, on in ((go_on, True), (leave_off, False)):
            page.on(button.click, self.switch, [gr.State(on), page.state], None, refresh=True)
            page.show(button, lambda now: self.snapshot(now).background.asks)

    def switch(self, on: bool, state: PageState, request: gr.Request) -> None:
        """Switch run mode on or off."""
        state.of(JobsTabState).switched += 1
        self.manager(request).background.switch(on)

    def _is_on(self, now: PageView) -> bool:
        return self.snapshot(now).background.on


class JobsTab(JobsPart):
    """Puts the parts together; a click on a job opens the editor, one on a task its pieces too.

    While the tab is open, it is kept up to date even when nothing runs here; `others` are the tabs that are opened instead.
    """

    def __init__(self, page: Page, managers: JobManagers, tab: gr.Tab, others: list[gr.Tab]) -> None:
        super().__init__(page, managers)
        RunMode(page, managers)
        with gr.Row(elem_classes="cw-columns"):
            with gr.Column(scale=5, min_width=320):
                files = JobFiles(page, managers)
                book = JobBook(page, managers)
                table = JobTable(page, managers)
            with gr.Column(scale=6, min_width=320):
                self._editor = JobEditor(page, managers)
        self._task = JobTask(page, managers)
        files.wire(self._editor, table.selection)
        table.wire(self._editor)
        book.wire(self._editor)
        opened = Wiring(lambda: None, [], [], {"js": "() => window.cosmos.showOpened()"})
        self._editor.on(table.table.select, self.open_row, self._editor.inputs, self._editor.outputs, then=opened)
        page.on(tab.select, self.enter, [page.state], None, queue=False, refresh=True)
        for other in others:
            page.on(other.select, self.leave, [page.state], None, queue=False)
        page.refresh_every(self.refresh_interval)

    def open_row(self, job_id: str, text: str, state: PageState, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Open the job of a row, and where the row is a task's, its pieces."""
        manager, row_id = self._editor.keep(job_id, text, state, request), components.clicked_id(event)
        opened, _, key = row_id.partition("/")
        self._task.open(state, row_id if key else "")
        return self._editor.unchanged() if opened == job_id else self._editor.shown(manager, state, opened)

    def enter(self, state: PageState) -> None:
        """The tab is opened."""
        state.of(JobsTabState).is_open = True

    def leave(self, state: PageState) -> None:
        """Another tab is opened."""
        state.of(JobsTabState).is_open = False

    def refresh_interval(self, now: PageView) -> float | None:
        """Seconds between two updates; None for no need."""
        if self.snapshot(now).busy:
            return RUNNING_INTERVAL
        return self.page.operations.workspace.settings.live_interval if now.state.of(JobsTabState).is_open else None
