"""The editor of a job file: checked while it is written, and never losing what isn't saved."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.ui import components, markup
from cosmos_workflow.ui.jobs import markup as jobs_markup
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.jobs.part import JobsPart, JobsTabState
from cosmos_workflow.ui.jobs.view import problem_row
from cosmos_workflow.ui.page import Page, toast
from cosmos_workflow.ui.page_view import PageState, PageView

EDITOR = "job-editor"
REMEMBER = "(id) => { sessionStorage.setItem('cosmos-workflow-job', id || ''); }"
RECALL = "(_id, state) => [sessionStorage.getItem('cosmos-workflow-job') || '', state]"
CHANGED = "The file was changed meanwhile. Save yours over it, or load the file and lose what you wrote."
NEWER = "The file was changed meanwhile; load it to see it."
GONE = "The file was deleted meanwhile. Copy what you need; it can't be saved any more."


class JobEditor(JobsPart):
    """Hidden until a job is opened. `opened` is the job's id; it travels with the text, so that neither is taken for another's.

    Handlers of other parts that change what the editor shows take `inputs`, give `outputs`, and are wired by `on`.
    """

    def __init__(self, page: Page, managers: JobManagers) -> None:
        super().__init__(page, managers)
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
            self.problems = components.drawn(f"problems(element, props, watch, '{EDITOR}')", "job-problems")
            self.note = gr.HTML(elem_id="job-note", apply_default_css=False)
            with gr.Row(elem_classes="cw-buttons"):
                self.save = gr.Button("Save", variant="primary", size="sm", elem_id="save-job")
                self.over = gr.Button("Save over it", variant="stop", size="sm", elem_id="save-job-over", visible=False)
                self.discard = gr.Button("Discard changes", size="sm", elem_id="discard-job")
                self.close = gr.Button("Close", size="sm", elem_id="close-job")
            self.plan = gr.HTML(elem_id="job-plan", apply_default_css=False)
        self.inputs = [self.opened, self.code, page.state]
        self._verdict = [self.heading, self.problems, self.save, self.discard]
        self.outputs = [self.group, self.opened, self.code, *self._verdict]
        self._wire()

    def on(
        self, event: Callable[..., Any], fn: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any], **more: Any
    ) -> None:
        """Wire a handler that changes what the editor shows.

        One at a time: else the answer to the last keystroke, "not saved", may come after Save's.
        """
        self.page.on(event, fn, inputs, outputs, concurrency_id=EDITOR, concurrency_limit=1, refresh=True, **more)

    def shown(self, manager: JobManager, state: PageState, job_id: str) -> list[Any]:
        """Values for `outputs` with a job: with its unsaved changes, where there are some."""
        draft = manager.jobs.draft(job_id)
        base = draft.base if draft else manager.jobs.source(job_id)
        # The editor strips a text; its first line may not be indented then.
        text = textwrap.dedent(draft.text if draft else base)
        tab = state.of(JobsTabState)
        tab.job_id = job_id
        tab.bases[job_id] = base
        return [gr.Column(visible=True), job_id, text, *self._judge(manager, state, job_id, text)]

    def hidden(self, state: PageState) -> list[Any]:
        """Values for `outputs` without a job."""
        state.of(JobsTabState).job_id = ""
        return [gr.Column(visible=False), "", "", "", {"rows": []}, gr.Button(), gr.Button()]

    def unchanged(self) -> list[Any]:
        """Values for `outputs` that leave it as it is."""
        return [gr.skip()] * len(self.outputs)

    def keep(self, job_id: str, text: str, state: PageState, request: gr.Request) -> JobManager:
        """Keep what isn't saved, and return its owner's jobs; a text that is the file's again isn't kept, nor one that this page
        was never sent."""
        manager, base = self.manager(request), state.of(JobsTabState).bases.get(job_id)
        if job_id and base is not None:
            manager.keep_draft(job_id, base, text or "")
        return manager

    def type(self, job_id: str, text: str, state: PageState, request: gr.Request) -> list[Any]:
        """Keep what was written, and say what is wrong in it, or what it would do."""
        if not job_id:
            return [gr.skip()] * (len(self._verdict) + 1)
        # Who writes here looks at this tab, in whatever order the browser reported the tabs.
        state.of(JobsTabState).is_open = True
        manager = self.keep(job_id, text, state, request)
        return [*self._judge(manager, state, job_id, text or ""), plan_of(manager, job_id, text or "")]

    def store(self, job_id: str, text: str, state: PageState, request: gr.Request) -> list[Any]:
        """Save; raises InputError where the text is wrong, or the file was changed meanwhile."""
        return self._store(job_id, text, state, self.manager(request), state.of(JobsTabState).bases.get(job_id, ""))

    def store_over(self, job_id: str, text: str, state: PageState, request: gr.Request) -> list[Any]:
        """Save, whatever the file holds by now; raises InputError where the text is wrong."""
        manager = self.manager(request)
        return self._store(job_id, text, state, manager, manager.jobs.source(job_id))

    def reload(self, job_id: str, state: PageState, request: gr.Request) -> list[Any]:
        """Forget what isn't saved, and show the file."""
        manager = self.manager(request)
        manager.drop_draft(job_id)
        return self.shown(manager, state, job_id)

    def leave(self, job_id: str, text: str, state: PageState, request: gr.Request) -> list[Any]:
        """Hide the editor; what isn't saved stays."""
        self.keep(job_id, text, state, request)
        return self.hidden(state)

    def reopen(self, job_id: str, state: PageState, request: gr.Request) -> list[Any]:
        """The job that was open before the page was loaded again."""
        manager = self.manager(request)
        if not job_id or manager.jobs.find(job_id) is None:
            return [*self.unchanged(), gr.skip()]
        shown = self.shown(manager, state, job_id)
        return [*shown, plan_of(manager, job_id, shown[2])]

    def _store(self, job_id: str, text: str, state: PageState, manager: JobManager, base: str) -> list[Any]:
        manager.update(job_id, f"{(text or '').rstrip()}\n", base)
        manager.drop_draft(job_id)
        state.of(JobsTabState).bases[job_id] = manager.jobs.source(job_id)
        toast("Saved.")
        return self._judge(manager, state, job_id, text or "")

    def _judge(self, manager: JobManager, state: PageState, job_id: str, text: str) -> list[Any]:
        """Values for heading, problems and buttons."""
        stored = manager.jobs.find(job_id)
        changed = not same(text, state.of(JobsTabState).bases.get(job_id, ""))
        rows = [problem_row(problem) for problem in manager.problems(job_id, text)]
        heading = jobs_markup.editor_heading(job_id, stored.name if stored else job_id, changed)
        return [heading, {"rows": rows}, gr.Button(interactive=changed and not rows), gr.Button(interactive=changed)]

    def _wire(self) -> None:
        page = self.page
        self.on(self.code.input, self.type, self.inputs, [*self._verdict, self.plan], trigger_mode="always_last")
        self.on(self.save.click, self.store, self.inputs, self._verdict)
        self.on(self.over.click, self.store_over, self.inputs, self._verdict)
        self.on(self.discard.click, self.reload, [self.opened, page.state], self.outputs)
        self.on(self.close.click, self.leave, self.inputs, self.outputs)
        page.on(self.opened.change, None, [self.opened], None, js=REMEMBER)
        page.on_open(self.reopen, [self.opened, page.state], [*self.outputs, self.plan], js=RECALL)
        file_state, unsaved = self._file_state, gr.update(value="Discard changes")
        page.follow(self.plan, self._plan_key, self._plan)
        page.follow(self.note, file_state, lambda now: markup.note(file_state(now), "held"))
        page.show(self.over, lambda now: file_state(now) == CHANGED)
        page.follow(
            self.discard,
            lambda now: (now.state.of(JobsTabState).job_id, file_state(now)),
            lambda now: gr.Button("Load the file", interactive=True) if file_state(now) in (CHANGED, NEWER) else unsaved,
        )

    def _plan_key(self, now: PageView) -> tuple[str, tuple[int, ...]]:
        job_id = now.state.of(JobsTabState).job_id
        entry = self.snapshot(now).entry(job_id)
        return job_id, tuple(len(task.missing) for task in entry.report.tasks) if entry and entry.report else ()

    def _plan(self, now: PageView) -> str:
        manager, job_id = self.managers.of(now.owner), now.state.of(JobsTabState).job_id
        if not job_id or manager.jobs.find(job_id) is None:
            return ""
        draft = manager.jobs.draft(job_id)
        return plan_of(manager, job_id, draft.text if draft else manager.jobs.source(job_id))

    def _file_state(self, now: PageView) -> str:
        """What happened to the file of the open job behind the editor's back; empty where nothing did."""
        manager, tab = self.managers.of(now.owner), now.state.of(JobsTabState)
        if not tab.job_id or tab.job_id not in tab.bases:
            return ""
        try:
            text = manager.jobs.source(tab.job_id)
        except InputError:
            return GONE
        if same(text, tab.bases[tab.job_id]):
            return ""
        return CHANGED if manager.jobs.draft(tab.job_id) else NEWER


def plan_of(manager: JobManager, job_id: str, text: str) -> str:
    """What a text would do; empty where it is wrong."""
    try:
        return jobs_markup.plan(manager.check(job_id, text))
    except InputError:
        return ""


def same(text: str, other: str) -> bool:
    """Whether two texts are the same but for the white space at their ends, which the editor doesn't keep."""
    return text.strip() == other.strip()
