"""New, upload, duplicate and delete: what is done with job files as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from cosmos_workflow.jobs.templates import TEMPLATES
from cosmos_workflow.ui import components
from cosmos_workflow.ui.components import EditorFrame, Question, hide
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.jobs.part import TABLE, JobsPart, JobsTabState, selected_jobs
from cosmos_workflow.ui.page import Page, toast
from cosmos_workflow.ui.page_view import PageState
from cosmos_workflow.ui.text import count, shorten_text

if TYPE_CHECKING:
    from cosmos_workflow.ui.jobs.editor import JobEditor

FILE_TYPES = [".yaml", ".yml", ".json", ".txt", ".md", "audio", "video"]


class JobFiles(JobsPart):
    """Buttons, the form for a new job, and the question before one is deleted."""

    def __init__(self, page: Page, managers: JobManagers) -> None:
        super().__init__(page, managers)
        with gr.Row(elem_classes="cw-buttons"):
            self.new = gr.Button("New job", variant="primary", size="sm", elem_id="new-job")
            self.upload = gr.UploadButton("Upload", size="sm", file_types=FILE_TYPES, file_count="multiple", elem_id="upload-job")
            self.copy = gr.Button("Duplicate", size="sm", elem_id="duplicate-jobs", elem_classes="cw-for-rows")
            self.delete = gr.Button("Delete", size="sm", elem_id="delete-jobs", elem_classes="cw-for-rows")
        with EditorFrame(page, "create-job", "close-new-job", save="Create") as self.form, gr.Row(elem_classes="cw-toolbar"):
            self.template = components.menu([(name, name) for name in TEMPLATES], "Template", "job-template")
            self.name = gr.Textbox(label="Name", placeholder="As the template", max_lines=1, min_width=150, elem_id="job-name")
        self.question = Question(page, "delete-jobs", "Delete")

    def wire(self, editor: JobEditor, selection: gr.JSON) -> None:
        """Wire the buttons; a new job is opened in `editor`."""
        page, question, chosen = self.page, self.question, components.selected_in(TABLE)
        self._editor = editor
        page.on(self.new.click, lambda: gr.Column(visible=True), None, [self.form.group])
        for event in (self.form.save.click, self.name.submit):
            outputs = [self.form.group, self.name, *editor.outputs]
            editor.on(event, self.create, [self.template, self.name, *editor.inputs], outputs)
        editor.on(self.upload.upload, self.upload_files, [self.upload, *editor.inputs], editor.outputs)
        editor.on(self.copy.click, self.duplicate, [selection, *editor.inputs], editor.outputs, js=chosen)
        page.on(self.delete.click, self.ask_delete, [selection, editor.opened], question.outputs, js=chosen)
        inputs, outputs = [question.subject, *editor.inputs], [question.group, *editor.outputs]
        editor.on(question.yes.click, self.confirm_delete, inputs, outputs)

    def create(self, template: str, name: str, opened: str, text: str, state: PageState, request: gr.Request) -> list[Any]:
        """Make a job of a template, and open it."""
        manager = self._editor.keep(opened, text, state, request)
        stored = manager.create((name or "").strip() or template, template=template)
        return [hide(), "", *self._editor.shown(manager, state, stored.id)]

    def upload_files(self, paths: list[str], opened: str, text: str, state: PageState, request: gr.Request) -> list[Any]:
        """Take in files: the texts and clips first, since the job files may name them. The last job is opened."""
        manager = self._editor.keep(opened, text, state, request)
        job_id, others = "", 0
        for path in sorted(map(Path, paths), key=lambda path: path.suffix.lower() in (".yaml", ".yml")):
            stored = manager.upload(path, path.name)
            job_id, others = (stored.id, others) if stored else (job_id, others + 1)
        if others:
            toast(f"Put {count(others, 'file')} beside the jobs; name {'it' if others == 1 else 'them'} in a job file.")
        return self._editor.shown(manager, state, job_id) if job_id else self._editor.unchanged()

    def duplicate(self, ids: list[str], opened: str, text: str, state: PageState, request: gr.Request) -> list[Any]:
        """Copy the selected jobs as they are saved, and open the last copy."""
        manager = self._editor.keep(opened, text, state, request)
        copies = [manager.duplicate(job_id) for job_id in selected_jobs(manager, ids, opened, whole=True)]
        return self._editor.shown(manager, state, copies[-1].id)

    def ask_delete(self, ids: list[str], opened: str, request: gr.Request) -> list[Any]:
        """Ask, naming what would go."""
        manager = self.manager(request)
        chosen = selected_jobs(manager, ids, opened, whole=True)
        names = ", ".join(shorten_text(manager.jobs.get(job_id).name, 40) for job_id in chosen[:3])
        more = f" and {len(chosen) - 3} more" if len(chosen) > 3 else ""
        question = f"Delete {names}{more}, with the finals? The pieces stay in Results. This can't be undone."
        return self.question.shown(question, chosen)

    def confirm_delete(self, ids: tuple[str, ...], opened: str, _text: str, state: PageState, request: gr.Request) -> list[Any]:
        """Delete the jobs that were asked about, with their unsaved changes."""
        manager = self.manager(request)
        for job_id in ids:
            manager.delete(job_id)
        toast(f"Deleted {count(len(ids), 'job')}.")
        if opened not in ids:
            return [hide(), *self._editor.unchanged()]
        state.of(JobsTabState).task_id = ""
        return [hide(), *self._editor.hidden(state)]
