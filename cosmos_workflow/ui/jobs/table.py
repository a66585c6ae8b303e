"""Jobs and tasks in one table, and what is done with the selected ones."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError, WorkflowError
from cosmos_workflow.jobs.document.tasks import JobFile, TaskConfig
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.plan import Mode
from cosmos_workflow.ui import lists, view
from cosmos_workflow.ui.jobs import markup as jobs_markup
from cosmos_workflow.ui.jobs.editor import IN_TURN, JobEditor
from cosmos_workflow.ui.jobs.files import TABLE
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.page import Page, Visit, owner_of, tell
from cosmos_workflow.ui.prompts.selection import clamp_page
from cosmos_workflow.ui.view import PAGE_SIZE, Picture

MODES: list[tuple[str, Mode]] = [
    ("Make what is missing", "resume"),
    ("Only what failed", "failed"),
    ("Everything again", "all"),
]


class JobTable:
    """The table, the buttons above it, and the status cells that are drawn into it."""

    def __init__(self, page: Page, managers: JobManagers) -> None:
        self._page = page
        self._managers = managers
        with gr.Row(elem_classes=["cw-buttons", "cw-for-rows"]):
            self.run = gr.Button("Run now", size="sm", elem_id="run-jobs")
            self.mode = gr.Dropdown(
                MODES,
                value="resume",
                show_label=False,
                container=False,
                filterable=False,
                min_width=190,
                elem_id="job-mode",
                label="Mode",
            )
            self.stop = gr.Button("Stop", size="sm", elem_id="stop-jobs")
            self.join = gr.Button("Put together again", size="sm", elem_id="assemble-jobs")
        with gr.Row(elem_classes=["cw-buttons", "cw-for-rows"]):
            self.on = gr.Button("Switch on", size="sm", elem_id="enable-jobs")
            self.off = gr.Button("Switch off", size="sm", elem_id="disable-jobs")
            self.up = gr.Button("Move up", size="sm", elem_id="jobs-up")
            self.down = gr.Button("Move down", size="sm", elem_id="jobs-down")
        self.table = lists.table(TABLE)
        self.states = lists.states("jobs-states", TABLE)
        with gr.Row(elem_classes="cw-buttons", visible=False) as self.pager:
            self.previous = gr.Button("Previous", size="sm")
            self.following = gr.Button("Next", size="sm")
        self.selection = gr.JSON([], visible=False)
        self._follow()

    def wire(self, editor: JobEditor) -> None:
        """Wire the buttons; where nothing is selected they mean the job that is open in `editor`."""
        page, chosen = self._page, lists.selected_in(TABLE)
        self._editor = editor
        which = [self.selection, editor.opened]
        acting = {"js": chosen, "changes_queue": True}
        page.on(self.run.click, self.run_now, [*which, self.mode], None, **acting)
        page.on(self.stop.click, self.stop_now, which, None, **acting)
        page.on(self.join.click, self.assemble, which, None, **acting)
        for button, handler in ((self.up, self.move_up), (self.down, self.move_down)):
            page.on(button.click, handler, which, None, trigger_mode="multiple", **acting)
        switching = [*which, editor.code, page.visit]
        page.on(self.on.click, self.switch_on, switching, editor.outputs, js=chosen, **IN_TURN)
        page.on(self.off.click, self.switch_off, switching, editor.outputs, js=chosen, **IN_TURN)
        page.on(self.previous.click, self.turn_back, [page.visit], None, changes_queue=True)
        page.on(self.following.click, self.turn_on, [page.visit], None, changes_queue=True)

    def run_now(self, ids: list[str], opened: str, mode: Mode, request: gr.Request) -> None:
        """Run the selected jobs before everything else that waits; of a job that isn't selected, its selected tasks."""
        manager = self._managers.of(owner_of(request))
        chosen = jobs_of(manager, ids, opened)
        names: list[str] = []
        wanted: list[tuple[str, list[str]]] = []
        for job_id in chosen:
            job = manager.job(job_id)
            tasks = tasks_of(job, ids)
            names += [task.title for task in tasks] or [job.name]
            wanted.append((job_id, [task.key for task in tasks]))
        for job_id, keys in wanted:
            manager.run_now(job_id, mode, keys)
        unsaved = [job_id for job_id in chosen if manager.draft(job_id)]
        if unsaved:
            gr.Warning("It runs as it is saved; what isn't saved is left out.", duration=6)
        tell(f"Running {view.shorten_text(', '.join(names), 80).rstrip('.')}.")

    def stop_now(self, ids: list[str], opened: str, request: gr.Request) -> None:
        """Stop the selected jobs after the batch that runs."""
        manager = self._managers.of(owner_of(request))
        for job_id in jobs_of(manager, ids, opened):
            manager.stop(job_id)
        tell("Stopping after the batch that runs. What is made stays.")

    def assemble(self, ids: list[str], opened: str, request: gr.Request) -> None:
        """Put the selected tasks, or all of the selected jobs', together anew from what is there."""
        manager = self._managers.of(owner_of(request))
        made, refused = 0, ""
        for job_id in jobs_of(manager, ids, opened):
            job = manager.job(job_id)
            for task in tasks_of(job, ids) or job.tasks:
                if not task.joined:
                    continue
                try:
                    manager.assemble(job_id, task.key)
                    made += 1
                except WorkflowError as error:
                    refused = refused or str(error)
        if refused:
            raise InputError(f"{view.count(made, 'task')} put together. {refused}" if made else refused)
        if not made:
            raise InputError("Nothing here is put together: its results are single files.")
        tell(f"Put {view.count(made, 'task')} together again; the earlier finals stay.")

    def move_up(self, ids: list[str], opened: str, request: gr.Request) -> None:
        """Move the selected jobs a place to the front."""
        manager = self._managers.of(owner_of(request))
        for job_id in jobs_of(manager, ids, opened):
            manager.move(job_id, -1)

    def move_down(self, ids: list[str], opened: str, request: gr.Request) -> None:
        """Move the selected jobs a place to the end."""
        manager = self._managers.of(owner_of(request))
        for job_id in reversed(jobs_of(manager, ids, opened)):
            manager.move(job_id, 1)

    def switch_on(self, ids: list[str], opened: str, text: str, visit: Visit, request: gr.Request) -> list[Any]:
        """Let run mode take the selected jobs and tasks."""
        return self._switch(ids, opened, text, visit, owner_of(request), True)

    def switch_off(self, ids: list[str], opened: str, text: str, visit: Visit, request: gr.Request) -> list[Any]:
        """Have run mode leave the selected jobs and tasks out."""
        return self._switch(ids, opened, text, visit, owner_of(request), False)

    def turn_back(self, visit: Visit) -> None:
        """The page before this one."""
        visit.jobs.page = max(0, visit.jobs.page - 1)

    def turn_on(self, visit: Visit) -> None:
        """The page after this one."""
        visit.jobs.page += 1

    def _switch(self, ids: list[str], opened: str, text: str, visit: Visit, owner: str, enabled: bool) -> list[Any]:
        manager = self._managers.of(owner)
        self._editor.keep(manager, visit.jobs, opened, text or "")
        rows = list(ids or ()) or ([opened] if opened else [])
        if not rows:
            raise InputError("No job is selected; tick one in the table, or open it.")
        for row_id in rows:
            job_id, _, key = row_id.partition("/")
            manager.job(job_id)
            manager.enable(job_id, enabled, key)
        if opened in {row_id.partition("/")[0] for row_id in rows}:
            return self._editor.shown(manager, visit.jobs, opened)
        return [gr.skip()] * len(self._editor.outputs)

    def _follow(self) -> None:
        page, managers = self._page, self._managers

        def table(now: Picture, visit: Visit) -> dict[str, Any]:
            picture = managers.of(now.owner).snapshot()
            place = clamp_page(visit.jobs.page, jobs_markup.count_rows(picture))
            visit.jobs.page = place
            return jobs_markup.jobs_table(picture, place, (visit.jobs.job_id, visit.jobs.task_id))

        def table_key(now: Picture, visit: Visit) -> tuple[Any, ...]:
            value = table(now, visit)
            return visit.jobs.page, value["page"], tuple((row["id"], row["html"]) for row in value["rows"])

        def states(now: Picture) -> dict[str, Any]:
            picture = managers.of(now.owner).snapshot()
            return {"version": picture.number, "rows": jobs_markup.states(picture)}

        def is_long(now: Picture) -> bool:
            return jobs_markup.count_rows(managers.of(now.owner).snapshot()) > PAGE_SIZE

        page.follow(self.table, table_key, table)
        page.follow(self.states, lambda now, _visit: managers.of(now.owner).snapshot().number, lambda now, _visit: states(now))
        page.follow(self.pager, lambda now, _visit: is_long(now), lambda now, _visit: gr.Row(visible=is_long(now)))


def tasks_of(job: JobFile, ids: list[str] | None) -> list[TaskConfig]:
    """The selected tasks of a job; none where the job itself is selected, or nothing is, which means all of them."""
    selected = set(ids or ())
    return [] if job.id in selected else [task for task in job.tasks if task.id in selected]


def jobs_of(manager: JobManager, ids: list[str] | None, opened: str) -> list[str]:
    """The jobs of the selected rows in their order, or the open one where none is selected; raises InputError for neither."""
    wanted = {row_id.partition("/")[0] for row_id in ids or ()} or ({opened} if opened else set())
    found = [job_id for job_id in manager.ids() if job_id in wanted]
    if not found:
        raise InputError("No job is selected; tick one in the table, or open it.")
    return found
