"""The switch of run mode, and what the background does."""

from __future__ import annotations

import gradio as gr

from cosmos_workflow.ui.jobs import markup as jobs_markup
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.page import Page, Visit, owner_of


class RunMode:
    """A line above the jobs."""

    def __init__(self, page: Page, managers: JobManagers) -> None:
        self._managers = managers
        with gr.Row(elem_id="run-mode-row"):
            self.switch = gr.Checkbox(False, label="Run mode", elem_id="run-mode", container=False, scale=0, min_width=110)
            state = gr.HTML(elem_id="run-mode-state", apply_default_css=False)
            go_on = gr.Button("Go on", variant="primary", size="sm", elem_id="run-mode-go-on", visible=False)
            leave_off = gr.Button("Leave it off", size="sm", elem_id="run-mode-leave-off", visible=False)
        page.on(self.switch.input, self.turn, [self.switch, page.visit], None, changes_queue=True)
        page.on(go_on.click, self.turn_on, [page.visit], None, changes_queue=True)
        page.on(leave_off.click, self.turn_off, [page.visit], None, changes_queue=True)

        def words(owner: str) -> str:
            return jobs_markup.run_mode(managers.of(owner).snapshot())

        def asks(owner: str) -> bool:
            return managers.of(owner).snapshot().background.asks

        def is_on(owner: str) -> bool:
            return managers.of(owner).snapshot().background.on

        page.follow(state, lambda now, _visit: words(now.owner), lambda now, _visit: words(now.owner))
        # Counted, since it may have switched itself off before this page was told that it was on.
        page.follow(
            self.switch,
            lambda now, visit: (is_on(now.owner), visit.jobs.switched),
            lambda now, _visit: gr.Checkbox(is_on(now.owner)),
        )
        for button in (go_on, leave_off):
            page.follow(button, lambda now, _visit: asks(now.owner), lambda now, _visit: gr.Button(visible=asks(now.owner)))

    def turn(self, on: bool, visit: Visit, request: gr.Request) -> None:
        """Switch run mode on or off."""
        visit.jobs.switched += 1
        manager = self._managers.of(owner_of(request))
        manager.switch(on)

    def turn_on(self, visit: Visit, request: gr.Request) -> None:
        """Go on where an earlier life of the server stopped."""
        self.turn(True, visit, request)

    def turn_off(self, visit: Visit, request: gr.Request) -> None:
        """Don't."""
        self.turn(False, visit, request)
