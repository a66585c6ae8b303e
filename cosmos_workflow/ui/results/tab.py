"""The results tab: everything that was made, to play, to look into, to make again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from cosmos_workflow.engines.spec import engine_names
from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing import ItemStatus, Prompt, Queue
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.ui import lists, markup, view
from cosmos_workflow.ui.ask import Ask
from cosmos_workflow.ui.page import Page, ResultFilter, Visit, owner_of, tell
from cosmos_workflow.ui.prompts.configuration import require_available
from cosmos_workflow.ui.prompts.tab import PromptsTab

GALLERY = "results-gallery"
PAGE_SIZE = 24
ENDED = tuple(status for status in ItemStatus if status.is_terminal)


class Results:
    """The gallery with its filters; `prompts` is where a run is loaded to."""

    def __init__(self, page: Page, tabs: gr.Tabs, prompts: PromptsTab) -> None:
        self._page = page
        self._prompts = prompts
        engines = [("Any engine", ""), *((view.engine_title(name), name) for name in engine_names())]
        statuses = [("Any status", ""), *((str(status), str(status)) for status in ENDED)]
        with gr.Row(elem_classes="cw-toolbar"):
            self.text = gr.Textbox(
                label="Search", placeholder="Prompt or error", max_lines=1, scale=3, min_width=140, elem_id="result-search"
            )
            self.engine = gr.Dropdown(
                engines, value="", label="Engine", scale=1, min_width=150, filterable=False, elem_id="result-engine"
            )
            self.status = gr.Dropdown(
                statuses, value="", label="Status", scale=1, min_width=150, filterable=False, elem_id="result-status"
            )
        with gr.Row(elem_classes=["cw-buttons", "cw-for-rows"]):
            self.clear = gr.Button("Delete all that match", size="sm", elem_id="delete-runs")
        self.ask = Ask(page, "delete-run", "Delete")
        with gr.Column(visible=False, elem_classes="cw-ask") as self.panel:
            self.details = gr.HTML(elem_id="run-details", apply_default_css=False)
            with gr.Row(elem_classes="cw-buttons"):
                self.close = gr.Button("Close details", size="sm", elem_id="close-run")
        self.gallery = lists.cards(GALLERY, ("open", "again", "reuse", "remove"))
        with gr.Row(elem_classes="cw-buttons", visible=False) as self.pager:
            self.previous = gr.Button("Previous", size="sm")
            self.following = gr.Button("Next", size="sm")
        self.doomed = gr.State(())
        self._shown = [self.gallery, self.pager]
        self._wire(tabs)

    def show(self, visit: Visit, request: gr.Request) -> list[Any]:
        """The page of results that this visit looks at."""
        return self._drawn(owner_of(request), visit)

    def choose(self, visit: Visit, text: str, engine: str, status: str, request: gr.Request) -> list[Any]:
        """The first page of what matches."""
        visit.results = ResultFilter(engine, status, text.strip())
        return self.show(visit, request)

    def turn_back(self, visit: Visit, request: gr.Request) -> list[Any]:
        """The page before this one."""
        visit.results = replace(visit.results, page=max(0, visit.results.page - 1))
        return self.show(visit, request)

    def turn_on(self, visit: Visit, request: gr.Request) -> list[Any]:
        """The page after this one."""
        visit.results = replace(visit.results, page=visit.results.page + 1)
        return self.show(visit, request)

    def open_run(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Show everything known of a run."""
        return [gr.Column(visible=True), markup.run_details(self._run(event, request))]

    def make_again(self, queue: Queue, event: gr.EventData, request: gr.Request) -> None:
        """Queue what a run was made of once more, as it was."""
        run = self._run(event, request)
        require_available(run.engine)
        self._page.session(queue).queue.add_to_queue([prompt_of(run)], run.engine, run.params, run.weights)
        tell("Queued again, with the same parameters.")

    def reuse(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Load a run's prompt and parameters into the forms of the prompts tab."""
        run = self._run(event, request)
        form = self._prompts.configuration.load(run.engine, run.params, run.weights)
        editor = self._prompts.editor.open_text(run.prompt_text, dict(run.inputs), owner_of(request))
        return [gr.Tabs(selected="prompts"), *editor, *form]

    def ask_delete(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Ask, naming what would be deleted."""
        run = self._run(event, request)
        name = view.shorten_text(run.prompt_text, 60) or run.id
        return [*self.ask.shown(f"Delete the result “{name}” and its files? This can't be undone."), (run.id,)]

    def ask_delete_all(self, visit: Visit, request: gr.Request) -> list[Any]:
        """Ask for all that the filters show, on every page; what is made from now on isn't among them."""
        runs = self._page.store.runs.list(owner_of(request), **_wanted(visit.results), limit=None)
        question = f"Delete {view.count(len(runs), 'result')} with all files? This can't be undone."
        return [*self.ask.shown(question), tuple(run.id for run in runs)]

    def really_delete(self, run_ids: Sequence[str], visit: Visit, request: gr.Request) -> list[Any]:
        """Delete runs with their files."""
        gone = self._page.store.runs.delete(run_ids, owner_of(request))
        tell(f"Deleted {view.count(gone, 'result')}.")
        return [self.ask.hidden(), gr.Column(visible=False), *self.show(visit, request)]

    def _run(self, event: gr.EventData, request: gr.Request) -> RunRecord:
        run = self._page.store.runs.get(lists.opened_id(event), owner_of(request))
        if run is None:
            raise InputError("This result isn't there any more; it was deleted meanwhile.")
        return run

    def _drawn(self, owner: str, visit: Visit) -> list[Any]:
        wanted = visit.results
        chosen = _wanted(wanted)
        total = self._page.store.runs.count(owner, **chosen)
        place = min(wanted.page, max(0, (total - 1) // PAGE_SIZE))
        visit.results = replace(wanted, page=place)
        runs = self._page.store.runs.list(owner, **chosen, limit=PAGE_SIZE, offset=place * PAGE_SIZE)
        filtered = bool(wanted.engine or wanted.status or wanted.text)
        value = markup.gallery(runs, place * PAGE_SIZE, total, filtered=filtered, engine=wanted.engine, text=wanted.text)
        return [value, gr.Row(visible=total > PAGE_SIZE)]

    def _wire(self, tabs: gr.Tabs) -> None:
        page, shown = self._page, self._shown
        filters = [page.visit, self.text, self.engine, self.status]
        page.on_load(self.show, [page.visit], shown)
        page.on(self.text.change, self.choose, filters, shown, trigger_mode="always_last")
        page.on(self.engine.change, self.choose, filters, shown)
        page.on(self.status.change, self.choose, filters, shown)
        page.on(self.previous.click, self.turn_back, [page.visit], shown)
        page.on(self.following.click, self.turn_on, [page.visit], shown)
        page.on(self.gallery.open, self.open_run, None, [self.panel, self.details])
        page.on(self.close.click, lambda: gr.Column(visible=False), None, [self.panel])
        page.on(self.gallery.again, self.make_again, [page.queue], None, changes_queue=True)
        loaded = [tabs, *self._prompts.editor.outputs, *self._prompts.configuration.outputs]
        page.on(self.gallery.reuse, self.reuse, None, loaded)
        page.on(self.gallery.remove, self.ask_delete, None, [*self.ask.outputs, self.doomed])
        page.on(self.clear.click, self.ask_delete_all, [page.visit], [*self.ask.outputs, self.doomed])
        page.on(self.ask.yes.click, self.really_delete, [self.doomed, page.visit], [self.ask.group, self.panel, *shown])
        page.follow(
            self.gallery,
            lambda now, visit: (tuple(sorted(now.snapshot.queue.done.items())), visit.results),
            lambda now, visit: self._drawn(now.owner, visit)[0],
        )


def build(page: Page, tabs: gr.Tabs, prompts: PromptsTab) -> None:
    """Components and wiring."""
    Results(page, tabs, prompts)


def _wanted(wanted: ResultFilter) -> dict[str, Any]:
    """A filter as the store takes it."""
    status = [ItemStatus(wanted.status)] if wanted.status else ENDED
    return {"engine": wanted.engine or None, "status": status, "text": wanted.text}


def prompt_of(run: RunRecord) -> Prompt:
    """The prompt that a run was made of."""
    prompt = Prompt(run.prompt_text, dict(run.inputs))
    return replace(prompt, id=run.prompt_id) if run.prompt_id else prompt
