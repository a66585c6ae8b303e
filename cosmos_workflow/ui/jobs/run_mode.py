"""The switch of run mode, and what the background does."""

from __future__ import annotations

import gradio as gr

from cosmos_workflow.ui.jobs import markup as jobs_markup
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.jobs.part import JobsPart, JobsTabState
from cosmos_workflow.ui.page import Page
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
