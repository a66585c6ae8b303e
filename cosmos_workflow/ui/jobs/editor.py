"""The editor of a job file: checked while it is written, and never losing what isn't saved."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable
from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.ui import lists, markup
from cosmos_workflow.ui.jobs import markup as jobs_markup
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.jobs.view import JobsVisit, problem_row
from cosmos_workflow.ui.page import Page, Visit, owner_of, tell
from cosmos_workflow.ui.view import Picture

EDITOR = "job-editor"
REMEMBER = "(id) => { sessionStorage.setItem('cosmos-workflow-job', id || ''); }"
RECALL = "(_id, visit) => [sessionStorage.getItem('cosmos-workflow-job') || '', visit]"
IN_TURN: dict[str, Any] = {"concurrency_id": EDITOR, "concurrency_limit": 1, "changes_queue": True}
"""For all that changes what the editor shows: else the answer to the last keystroke, "not saved", may come after Save's."""
CHANGED = "The file was changed meanwhile. Save yours over it, or load the file and lose what you wrote."
NEWER = "The file was changed meanwhile; load it to see it."
GONE = "The file was deleted meanwhile. Copy what you need; it can't be saved any more."


class JobEditor:
    """Hidden until a job is opened. `opened` is the job's id; it travels with the text, so that neither is taken for another's.

    `outputs` are what `shown` and `closed` give values for.
    """

    def __init__(self, page: Page, managers: JobManagers) -> None:
        self._page = page
        self._managers = managers
        self.opened = gr.Textbox("", visible="hidden", elem_id="job-opened")
        with gr.Column(visible=False, elem_id="job-panel") as self.group:
            self.heading = gr.HTML(apply_default_css=False)
            self.code = gr.Code(
                language="yaml",
                label="Job file (YAML)",
                elem_id=EDITOR,
                lines=14,
                max_lines=24,
                wrap_lines=True,
                interactive=True,
            )
            self.problems = lists.problems("job-problems", EDITOR)
            self.note = gr.HTML(elem_id="job-note", apply_default_css=False)
            with gr.Row(elem_classes="cw-buttons"):
                self.save = gr.Button("Save", variant="primary", size="sm", elem_id="save-job")
                self.over = gr.Button("Save over it", variant="stop", size="sm", elem_id="save-job-over", visible=False)
                self.discard = gr.Button("Discard changes", size="sm", elem_id="discard-job")
                self.close = gr.Button("Close", size="sm", elem_id="close-job")
            self.plan = gr.HTML(elem_id="job-plan", apply_default_css=False)
        self.inputs = [self.opened, self.code, page.visit]
        self._verdict = [self.heading, self.problems, self.save, self.discard]
        self.outputs = [self.group, self.opened, self.code, *self._verdict]
        self._wire()

    def shown(self, manager: JobManager, visit: JobsVisit, job_id: str) -> list[Any]:
        """The editor with a job: with its unsaved changes, where there are some."""
        draft = manager.draft(job_id)
        base = draft.base if draft else manager.read(job_id)
        # The editor strips a text; its first line may not be indented then.
        text = textwrap.dedent(draft.text if draft else base)
        visit.job_id = job_id
        visit.bases[job_id] = base
        return [gr.Column(visible=True), job_id, text, *self._judge(manager, visit, job_id, text)]

    def closed(self, visit: JobsVisit) -> list[Any]:
        """The editor, hidden."""
        visit.job_id = ""
        return [gr.Column(visible=False), "", "", "", {"rows": []}, gr.Button(), gr.Button()]

    def keep(self, manager: JobManager, visit: JobsVisit, job_id: str, text: str) -> None:
        """Keep what isn't saved; a text that is the file's again isn't kept."""
        base = visit.bases.get(job_id)
        if not job_id or base is None:
            return
        manager.keep_draft(job_id, base, text)

    def type(self, job_id: str, text: str, visit: Visit, request: gr.Request) -> list[Any]:
        """Keep what was written, and say what is wrong in it, or what it would do."""
        if not job_id:
            return [gr.skip()] * (len(self._verdict) + 1)
        manager = self._managers.of(owner_of(request))
        # Who writes here looks at this tab, whatever order the browser told of the tabs in.
        visit.jobs.watching = True
        self.keep(manager, visit.jobs, job_id, text or "")
        return [*self._judge(manager, visit.jobs, job_id, text or ""), plan_of(manager, job_id, text or "")]

    def store(self, job_id: str, text: str, visit: Visit, request: gr.Request) -> list[Any]:
        """Save; raises InputError where the text is wrong, or the file was changed meanwhile."""
        return self._store(job_id, text, visit, self._managers.of(owner_of(request)), visit.jobs.bases.get(job_id, ""))

    def store_over(self, job_id: str, text: str, visit: Visit, request: gr.Request) -> list[Any]:
        """Save, whatever the file holds by now; raises InputError where the text is wrong."""
        manager = self._managers.of(owner_of(request))
        return self._store(job_id, text, visit, manager, manager.read(job_id))

    def reload(self, job_id: str, visit: Visit, request: gr.Request) -> list[Any]:
        """Forget what isn't saved, and show the file."""
        manager = self._managers.of(owner_of(request))
        manager.drop_draft(job_id)
        return self.shown(manager, visit.jobs, job_id)

    def leave(self, job_id: str, text: str, visit: Visit, request: gr.Request) -> list[Any]:
        """Hide the editor; what isn't saved stays."""
        self.keep(self._managers.of(owner_of(request)), visit.jobs, job_id, text or "")
        return self.closed(visit.jobs)

    def reopen(self, job_id: str, visit: Visit, request: gr.Request) -> list[Any]:
        """The job that was open before the page was loaded again."""
        manager = self._managers.of(owner_of(request))
        if not job_id or manager.find(job_id) is None:
            return [gr.skip()] * (len(self.outputs) + 1)
        shown = self.shown(manager, visit.jobs, job_id)
        return [*shown, plan_of(manager, job_id, shown[2])]

    def _store(self, job_id: str, text: str, visit: Visit, manager: JobManager, base: str) -> list[Any]:
        manager.update(job_id, f"{(text or '').rstrip()}\n", base)
        manager.drop_draft(job_id)
        visit.jobs.bases[job_id] = manager.read(job_id)
        tell("Saved.")
        return self._judge(manager, visit.jobs, job_id, text or "")

    def _judge(self, manager: JobManager, visit: JobsVisit, job_id: str, text: str) -> list[Any]:
        """Values for heading, problems and buttons."""
        stored = manager.find(job_id)
        changed = not same(text, visit.bases.get(job_id, ""))
        rows = [problem_row(problem) for problem in manager.problems(job_id, text)]
        heading = jobs_markup.editor_heading(job_id, stored.name if stored else job_id, changed)
        return [heading, {"rows": rows}, gr.Button(interactive=changed and not rows), gr.Button(interactive=changed)]

    def _wire(self) -> None:
        page = self._page
        saved = [self.heading, self.problems, self.save, self.discard]
        typed = [*self._verdict, self.plan]
        page.on(self.code.input, self.type, self.inputs, typed, trigger_mode="always_last", **IN_TURN)
        page.on(self.save.click, self.store, self.inputs, saved, **IN_TURN)
        page.on(self.over.click, self.store_over, self.inputs, saved, **IN_TURN)
        page.on(self.discard.click, self.reload, [self.opened, page.visit], self.outputs, **IN_TURN)
        page.on(self.close.click, self.leave, self.inputs, self.outputs, **IN_TURN)
        page.on(self.opened.change, None, [self.opened], None, js=REMEMBER)
        page.on_open(self.reopen, [self.opened, page.visit], [*self.outputs, self.plan], js=RECALL)
        page.follow(self.plan, self._plan_key, self._plan)
        page.follow(self.note, self._file_state, lambda now, visit: markup.note(self._file_state(now, visit), "held"))
        page.follow(
            self.over,
            lambda now, visit: self._file_state(now, visit) == CHANGED,
            lambda now, visit: gr.Button(visible=self._file_state(now, visit) == CHANGED),
        )
        page.follow(
            self.discard,
            lambda now, visit: (visit.jobs.job_id, self._file_state(now, visit)),
            lambda now, visit: _discard(self._file_state(now, visit)),
        )

    def _plan_key(self, now: Picture, visit: Visit) -> Hashable:
        entry = self._managers.of(now.owner).snapshot().entry(visit.jobs.job_id)
        made = tuple(len(task.missing) for task in entry.report.tasks) if entry and entry.report else ()
        return visit.jobs.job_id, made

    def _plan(self, now: Picture, visit: Visit) -> str:
        manager, job_id = self._managers.of(now.owner), visit.jobs.job_id
        draft = manager.draft(job_id) if job_id else None
        if not job_id or manager.find(job_id) is None:
            return ""
        return plan_of(manager, job_id, draft.text if draft else manager.read(job_id))

    def _file_state(self, now: Picture, visit: Visit) -> str:
        """What happened to the file of the open job behind the editor's back; empty where nothing did."""
        manager, job_id = self._managers.of(now.owner), visit.jobs.job_id
        if not job_id or job_id not in visit.jobs.bases:
            return ""
        try:
            text = manager.read(job_id)
        except InputError:
            return GONE
        if same(text, visit.jobs.bases[job_id]):
            return ""
        return CHANGED if manager.draft(job_id) else NEWER


def plan_of(manager: JobManager, job_id: str, text: str) -> str:
    """What a text would do; empty where it is wrong."""
    try:
        return jobs_markup.plan(manager.check(job_id, text))
    except InputError:
        return ""


def same(text: str, other: str) -> bool:
    """Whether two texts are the same but for the white space at their ends, which the editor doesn't keep."""
    return text.strip() == other.strip()


def _discard(state: str) -> Any:
    if state in (CHANGED, NEWER):
        return gr.Button("Load the file", interactive=True)
    return gr.Button("Discard changes")
