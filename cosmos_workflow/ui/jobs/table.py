"""Jobs and tasks in one table, and what is done with the selected ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from cosmos_workflow.errors import InputError, WorkflowError
from cosmos_workflow.jobs.document.tasks import JobFile, TaskConfig
from cosmos_workflow.jobs.takes import Mode
from cosmos_workflow.ui import components
from cosmos_workflow.ui.components import Pager
from cosmos_workflow.ui.jobs import markup as jobs_markup
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.jobs.part import TABLE, JobsPart, JobsTabState, selected_jobs
from cosmos_workflow.ui.page import Page, toast
from cosmos_workflow.ui.page_view import PageState, PageView
from cosmos_workflow.ui.text import count, shorten_text

if TYPE_CHECKING:
    from cosmos_workflow.ui.jobs.editor import JobEditor

MODES: list[tuple[str, Mode]] = [
    ("Make what is missing", "resume"),
    ("Only what failed", "failed"),
    ("Everything again", "all"),
]


class JobTable(JobsPart):
    """The table, the buttons above it, and the status cells that are drawn into it."""

    def __init__(self, page: Page, managers: JobManagers) -> None:
        super().__init__(page, managers)
        with gr.Row(elem_classes=["cw-buttons", "cw-for-rows"]):
            self.run = gr.Button("Run now", size="sm", elem_id="run-jobs")
            self.mode = components.menu(MODES, "Mode", "job-mode", min_width=190, show_label=False, container=False)
            self.halt = gr.Button("Stop", size="sm", elem_id="stop-jobs")
            self.join = gr.Button("Put together again", size="sm", elem_id="assemble-jobs")
        self.on, self.off, self.up, self.down = components.row_buttons(
            ("Switch on", "enable-jobs"), ("Switch off", "disable-jobs"), ("Move up", "jobs-up"), ("Move down", "jobs-down")
        )
        self.table = components.table(TABLE)
        self.states = components.drawn(f"states(element, props, watch, '{TABLE}')", "jobs-states")
        self.pager = Pager(page, TABLE, drawn=self.table)
        self.selection = gr.JSON([], visible=False)
        page.follow(self.table, self._rows, lambda now: {**self._rows(now), "version": self.snapshot(now).number})
        page.follow(self.states, lambda now: self.snapshot(now).number, lambda now: jobs_markup.states(self.snapshot(now)))
        self.pager.follow(lambda now: jobs_markup.count_rows(self.snapshot(now)))

    def wire(self, editor: JobEditor) -> None:
        """Wire the buttons; where nothing is selected they mean the job that is open in `editor`."""
        page, chosen = self.page, components.selected_in(TABLE)
        self._editor = editor
        which = [self.selection, editor.opened]
        page.on(self.run.click, self.run_now, [*which, self.mode], None, js=chosen, refresh=True)
        page.on(self.halt.click, self.stop, which, None, js=chosen, refresh=True)
        page.on(self.join.click, self.assemble, which, None, js=chosen, refresh=True)
        for button, offset in ((self.up, -1), (self.down, 1)):
            inputs = [*which, gr.State(offset)]
            page.on(button.click, self.move, inputs, None, js=chosen, refresh=True, trigger_mode="multiple")
        for button, on in ((self.on, True), (self.off, False)):
            editor.on(button.click, self.switch, [self.selection, gr.State(on), *editor.inputs], editor.outputs, js=chosen)

    def run_now(self, ids: list[str], opened: str, mode: Mode, request: gr.Request) -> None:
        """Run the selected jobs before everything else that waits; of a job that isn't selected, its selected tasks."""
        manager = self.manager(request)
        jobs = [manager.jobs.job(job_id) for job_id in selected_jobs(manager, ids, opened)]
        names: list[str] = []
        for job in jobs:
            tasks = selected_tasks(job, ids)
            names += [task.title for task in tasks] or [job.name]
            manager.background.run_now(job.id, mode, [task.key for task in tasks])
        if any(manager.jobs.draft(job.id) for job in jobs):
            gr.Warning("It runs as it is saved; what isn't saved is left out.", duration=6)
        toast(f"Running {shorten_text(', '.join(names), 80).rstrip('.')}.")

    def stop(self, ids: list[str], opened: str, request: gr.Request) -> None:
        """Stop the selected jobs after the batch that runs."""
        manager = self.manager(request)
        for job_id in selected_jobs(manager, ids, opened):
            manager.stop(job_id)
        toast("Stopping after the batch that runs. What is made stays.")

    def assemble(self, ids: list[str], opened: str, request: gr.Request) -> None:
        """Put the selected tasks, or all of the selected jobs', together anew from what is there."""
        manager = self.manager(request)
        made, refused = 0, ""
        for job_id in selected_jobs(manager, ids, opened):
            job = manager.jobs.job(job_id)
            for task in selected_tasks(job, ids) or job.tasks:
                if not task.joined:
                    continue
                try:
                    manager.assemble(job_id, task.key, bind=False)
                    made += 1
                except WorkflowError as error:
                    refused = refused or str(error)
            manager.bind(job_id)
        if refused:
            raise InputError(f"{count(made, 'task')} put together. {refused}" if made else refused)
        if not made:
            raise InputError("Nothing here is put together: its results are single files.")
        toast(f"Put {count(made, 'task')} together again; the earlier finals stay.")

    def move(self, ids: list[str], opened: str, offset: int, request: gr.Request) -> None:
        """Move the selected jobs a place to the front or the end."""
        manager = self.manager(request)
        for job_id in selected_jobs(manager, ids, opened)[::-offset]:
            manager.move(job_id, offset)

    def switch(self, ids: list[str], on: bool, opened: str, text: str, state: PageState, request: gr.Request) -> list[Any]:
        """Let run mode take the selected jobs and tasks, or leave them out."""
        manager = self._editor.keep(opened, text, state, request)
        jobs = selected_jobs(manager, ids, opened)
        for row_id in ids or jobs:
            job_id, _, key = row_id.partition("/")
            manager.jobs.job(job_id)
            manager.enable(job_id, on, key)
        return self._editor.shown(manager, state, opened) if opened in jobs else self._editor.unchanged()

    def _rows(self, now: PageView) -> dict[str, Any]:
        tab, jobs = now.state.of(JobsTabState), self.snapshot(now)
        window = self.pager.window(now.state, jobs_markup.count_rows(jobs))
        return jobs_markup.jobs_table(jobs, window, (tab.job_id, tab.task_id))


def selected_tasks(job: JobFile, ids: list[str] | None) -> list[TaskConfig]:
    """The selected tasks of a job; none where the job itself is selected, or nothing is, which means all of them."""
    selected = set(ids or ())
    return [] if job.id in selected else [task for task in job.tasks if task.id in selected]
