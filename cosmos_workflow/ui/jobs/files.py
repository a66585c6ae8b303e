"""New, upload, duplicate and delete: what is done with job files as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.manager import TEMPLATES, JobManager
from cosmos_workflow.ui import lists, view
from cosmos_workflow.ui.ask import Ask
from cosmos_workflow.ui.jobs.editor import IN_TURN, JobEditor
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.page import Page, Visit, owner_of, tell

TABLE = "jobs-table"
FILE_TYPES = [".yaml", ".yml", ".json", ".txt", ".md", "audio", "video"]


class JobFiles:
    """Buttons, the form for a new job, and the question before one is deleted."""

    def __init__(self, page: Page, managers: JobManagers) -> None:
        self._page = page
        self._managers = managers
        with gr.Row(elem_classes="cw-buttons"):
            self.new = gr.Button("New job", variant="primary", size="sm", elem_id="new-job")
            self.upload = gr.UploadButton("Upload", size="sm", file_types=FILE_TYPES, file_count="multiple", elem_id="upload-job")
            self.duplicate = gr.Button("Duplicate", size="sm", elem_id="duplicate-jobs", elem_classes="cw-for-rows")
            self.delete = gr.Button("Delete", size="sm", elem_id="delete-jobs", elem_classes="cw-for-rows")
        with gr.Column(visible=False, elem_classes="cw-ask") as self.form:
            with gr.Row(elem_classes="cw-toolbar"):
                self.template = gr.Dropdown(
                    list(TEMPLATES),
                    value=next(iter(TEMPLATES)),
                    label="Template",
                    filterable=False,
                    min_width=150,
                    elem_id="job-template",
                )
                self.name = gr.Textbox(
                    label="Name", placeholder="As the template", max_lines=1, min_width=150, elem_id="job-name"
                )
            with gr.Row(elem_classes="cw-buttons"):
                self.create = gr.Button("Create", variant="primary", size="sm", elem_id="create-job")
                self.cancel = gr.Button("Close", size="sm", elem_id="close-new-job")
        self.ask = Ask(page, "delete-jobs", "Delete")
        self.doomed = gr.State(())

    def wire(self, editor: JobEditor, selection: gr.JSON) -> None:
        """Wire the buttons; a new job is opened in `editor`."""
        page, chosen = self._page, lists.selected_in(TABLE)
        self._editor = editor
        page.on(self.new.click, lambda: gr.Column(visible=True), None, [self.form])
        page.on(self.cancel.click, lambda: gr.Column(visible=False), None, [self.form])
        made = [self.form, self.name, *editor.outputs]
        for event in (self.create.click, self.name.submit):
            page.on(event, self.make, [self.template, self.name, *editor.inputs], made, **IN_TURN)
        page.on(self.upload.upload, self.take_in, [self.upload, *editor.inputs], editor.outputs, **IN_TURN)
        inputs = [selection, *editor.inputs]
        page.on(self.duplicate.click, self.copy, inputs, editor.outputs, js=chosen, **IN_TURN)
        page.on(self.delete.click, self.ask_delete, inputs, [*self.ask.outputs, self.doomed], js=chosen)
        deleted = [self.ask.group, *editor.outputs]
        page.on(self.ask.yes.click, self.really_delete, [self.doomed, *editor.inputs], deleted, **IN_TURN)

    def make(self, template: str, name: str, opened: str, text: str, visit: Visit, request: gr.Request) -> list[Any]:
        """Make a job of a template, and open it."""
        manager = self._managers.of(owner_of(request))
        self._editor.keep(manager, visit.jobs, opened, text or "")
        stored = manager.create((name or "").strip() or template, template=template)
        return [gr.Column(visible=False), "", *self._editor.shown(manager, visit.jobs, stored.id)]

    def take_in(self, paths: list[str] | str, opened: str, text: str, visit: Visit, request: gr.Request) -> list[Any]:
        """Take in files: the texts and clips first, since the job files may name them. The last job is opened."""
        manager = self._managers.of(owner_of(request))
        files = [Path(path) for path in ([paths] if isinstance(paths, str) else paths)]
        self._editor.keep(manager, visit.jobs, opened, text or "")
        job_id, others = "", 0
        for path in sorted(files, key=lambda path: path.suffix.lower() in (".yaml", ".yml")):
            stored = manager.upload(path, path.name)
            job_id, others = (stored.id, others) if stored else (job_id, others + 1)
        if others:
            tell(f"Put {view.count(others, 'file')} beside the jobs; name {'it' if others == 1 else 'them'} in a job file.")
        return self._editor.shown(manager, visit.jobs, job_id) if job_id else [gr.skip()] * len(self._editor.outputs)

    def copy(self, ids: list[str], opened: str, text: str, visit: Visit, request: gr.Request) -> list[Any]:
        """Copy the selected jobs as they are saved, and open the last copy."""
        manager = self._managers.of(owner_of(request))
        self._editor.keep(manager, visit.jobs, opened, text or "")
        copies = [manager.duplicate(job_id) for job_id in whole_jobs(manager, ids, opened)]
        return self._editor.shown(manager, visit.jobs, copies[-1].id)

    def ask_delete(self, ids: list[str], opened: str, _text: str, _visit: Visit, request: gr.Request) -> list[Any]:
        """Ask, naming what would go."""
        manager = self._managers.of(owner_of(request))
        chosen = whole_jobs(manager, ids, opened)
        names = ", ".join(view.shorten_text(manager.get(job_id).name, 40) for job_id in chosen[:3])
        more = f" and {len(chosen) - 3} more" if len(chosen) > 3 else ""
        question = f"Delete {names}{more}, with the finals? The pieces stay in Results. This can't be undone."
        return [*self.ask.shown(question), tuple(chosen)]

    def really_delete(self, ids: tuple[str, ...], opened: str, text: str, visit: Visit, request: gr.Request) -> list[Any]:
        """Delete jobs with their unsaved changes."""
        manager = self._managers.of(owner_of(request))
        for job_id in ids:
            manager.delete(job_id)
        tell(f"Deleted {view.count(len(ids), 'job')}.")
        if opened not in ids:
            return [self.ask.hidden(), *([gr.skip()] * len(self._editor.outputs))]
        visit.jobs.task_id = ""
        return [self.ask.hidden(), *self._editor.closed(visit.jobs)]


def whole_jobs(manager: JobManager, ids: list[str] | None, opened: str) -> list[str]:
    """The selected jobs in their order, or the open one where none is selected; raises InputError for neither."""
    wanted = {row_id for row_id in ids or () if "/" not in row_id} or ({opened} if opened else set())
    found = [job_id for job_id in manager.ids() if job_id in wanted]
    if not found:
        raise InputError("No job is selected; tick one in the table, or open it.")
    return found
