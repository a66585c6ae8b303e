"""The results tab: everything that was made, to play, to look into, to make again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from cosmos_workflow.checking.records import Verdicts
from cosmos_workflow.engines.registry import engine_names, find_engine, require_available
from cosmos_workflow.errors import InputError
from cosmos_workflow.files import Disk
from cosmos_workflow.queueing.items import ItemStatus, Prompt
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.ui import components
from cosmos_workflow.ui.components import Pager, Question, hide
from cosmos_workflow.ui.markup import Row, download, main_output
from cosmos_workflow.ui.page import Page, owner_of, toast
from cosmos_workflow.ui.page_view import PageState, PageView
from cosmos_workflow.ui.results.finals import Finals, ResultFilter
from cosmos_workflow.ui.results.markup import result_card, run_details
from cosmos_workflow.ui.results.shelf import Shelves, shown_runs
from cosmos_workflow.ui.text import count, engine_title, shorten_text

ENDED = tuple(status for status in ItemStatus if status.is_terminal)
GALLERY = "results-gallery"
SHOWN_AT_ONCE = 24
"""Results on a page; each has a player."""


class Results:
    """What jobs have made, and the gallery of the rest, with its filters.

    `load` gives values for `forms`, which show what a run was made from, and `loaded` is told of the event that does; `shelf`
    is what the jobs of an owner have made, `heard` how many results were heard back.
    """

    def __init__(
        self,
        page: Page,
        forms: Sequence[Any],
        load: Callable[[RunRecord, str], list[Any]],
        loaded: Callable[[Any], None],
        shelf: Shelves,
        heard: Callable[[], int],
    ) -> None:
        self._page = page
        self._load = load
        self._heard = heard
        self._verdicts = Verdicts(Disk())
        engines = [("Any engine", ""), *((engine_title(name), name) for name in engine_names())]
        statuses = [("Any status", ""), *((str(status), str(status)) for status in ENDED)]
        with gr.Row(elem_classes="cw-toolbar"):
            text = components.search("Prompt or error", "result-search")
            engine = components.menu(engines, "Engine", "result-engine", scale=1)
            status = components.menu(statuses, "Status", "result-status", scale=1)
        self._shelf = shelf
        self.finals = Finals(page, shelf)
        (clear,) = components.row_buttons(("Delete all that match", "delete-runs"))
        self.question = Question(page, "delete-run", "Delete")
        panel, details, close = components.details("run-details", "close-run")
        self.gallery = components.cards(GALLERY, ("open", "again", "reuse", "remove"))
        self.pager = Pager(page, GALLERY, SHOWN_AT_ONCE)

        shown, question = [self.gallery, self.pager.row], self.question
        page.on_load(self.show, [page.state], shown)
        page.on(self.finals.cards.pieces, self.show_pieces, [page.state], [self.finals.cards, *shown])
        for event in (text.change, engine.change, status.change):
            page.on(event, self.choose, [page.state, text, engine, status], shown, refresh=True, trigger_mode="always_last")
        self.pager.wire(self.show, [page.state], shown)
        page.on(self.gallery.open, self.open_run, None, [panel, details])
        page.on(close.click, hide, None, [panel])
        page.on(self.gallery.again, self.run_again, [page.queue], None, refresh=True)
        loaded(page.on(self.gallery.reuse, self.reuse, None, forms))
        page.on(self.gallery.remove, self.ask_delete, None, question.outputs)
        page.on(clear.click, self.ask_delete_all, [page.state], question.outputs)
        page.on(question.yes.click, self.confirm_delete, [question.subject, page.state], [question.group, panel, *shown])
        page.follow(self.gallery, self._key, lambda now: self._drawn(now.owner, now.state)[0])

    def show(self, state: PageState, request: gr.Request) -> list[Any]:
        """The page of results that is looked at."""
        return self._drawn(owner_of(request), state)

    def choose(self, state: PageState, text: str, engine: str, status: str, request: gr.Request) -> list[Any]:
        """The first page of what matches."""
        chosen = state.of(ResultFilter)
        chosen.engine, chosen.status, chosen.text = engine, status, text.strip()
        self.pager.turn(state, 0)
        self.finals.pager.turn(state, 0)
        return self.show(state, request)

    def show_pieces(self, state: PageState, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Show the pieces of a job, or everything again."""
        chosen, job_id = state.of(ResultFilter), components.clicked_id(event)
        chosen.job = "" if chosen.job == job_id else job_id
        self.pager.turn(state, 0)
        return [self.finals.value(owner_of(request), state), *self.show(state, request)]

    def open_run(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Show everything known of a run."""
        names = {known.file: known.name for known in self._page.store.inputs.list(owner_of(request))}
        return [gr.Column(visible=True), run_details(self._run(event, request), names)]

    def run_again(self, queue: Queue, event: gr.EventData, request: gr.Request) -> None:
        """Queue what a run was made of once more, as it was."""
        run = self._run(event, request)
        require_available(run.engine)
        prompt = Prompt(run.prompt_text, dict(run.inputs), **({"id": run.prompt_id} if run.prompt_id else {}))
        self._page.session(queue).queue.add_to_queue([prompt], run.engine, run.params, run.weights)
        toast("Queued again, with the same parameters.")

    def reuse(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Load a run's prompt, as the one that is selected, and its parameters into the prompts tab."""
        run = self._run(event, request)
        find_engine(run.engine)  # the form of an engine that is gone is gone, too
        return self._load(run, owner_of(request))

    def ask_delete(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Ask, naming what would be deleted."""
        run = self._run(event, request)
        name = shorten_text(run.prompt_text, 60) or run.id
        return self.question.shown(f"Delete the result “{name}” and its files? This can't be undone.", [run.id])

    def ask_delete_all(self, state: PageState, request: gr.Request) -> list[Any]:
        """Ask for all that the filters show, on every page; what is made from now on isn't among them."""
        runs = self._page.store.runs.list(owner_of(request), **self._query(owner_of(request), state), limit=None)
        question = f"Delete {count(len(runs), 'result')} with all files? This can't be undone."
        return self.question.shown(question, [run.id for run in runs])

    def confirm_delete(self, run_ids: Sequence[str], state: PageState, request: gr.Request) -> list[Any]:
        """Delete the runs that were asked about, with their files."""
        gone = self._page.store.runs.delete(run_ids, owner_of(request))
        toast(f"Deleted {count(gone, 'result')}.")
        return [hide(), hide(), *self.show(state, request)]

    def _run(self, event: gr.EventData, request: gr.Request) -> RunRecord:
        run = self._page.store.runs.get(components.clicked_id(event), owner_of(request))
        if run is None:
            raise InputError("This result isn't there any more; it was deleted meanwhile.")
        return run

    def _drawn(self, owner: str, state: PageState) -> list[Any]:
        chosen, query = state.of(ResultFilter), self._query(owner, state)
        window = self.pager.window(state, self._page.store.runs.count(owner, **query))
        runs = self._page.store.runs.list(owner, **query, limit=SHOWN_AT_ONCE, offset=window.first)
        empty = "Nothing was made yet. Queue some prompts and press Start."
        if chosen != ResultFilter():
            empty = "No result matches."
        elif query["without"]:
            empty = "What was made is above, in its jobs."
        found = urlencode({"engine": chosen.engine, "text": chosen.text, "job": chosen.job})
        everything = download(f"media.zip?{found}", "Download all that succeeded") if any(run.outputs for run in runs) else ""
        value = {"rows": [self._card(run) for run in runs], "empty": empty, "page": window.text, "download": everything}
        return [value, gr.Row(visible=not window.is_all)]

    def _card(self, run: RunRecord) -> Row:
        is_sound = main_output(run)[1] == "audio"
        verdict = self._verdicts.heard(self._page.store.runs.folder(run.id)) if is_sound else None
        return result_card(run, self._page.waveform_of(run), verdict)

    def _query(self, owner: str, state: PageState) -> dict[str, Any]:
        chosen, folded = state.of(ResultFilter), self._shelf.folded(owner)
        if chosen.job not in folded:  # its job was deleted meanwhile: its pieces are loose ones now
            chosen.job = ""
        status = [ItemStatus(chosen.status)] if chosen.status else ENDED
        return {"engine": chosen.engine or None, "status": status, "text": chosen.text, **shown_runs(folded, chosen.job)}

    def _key(self, now: PageView) -> tuple[Any, ...]:
        done = tuple(sorted(now.snapshot.queue.done.items()))
        return self.finals.folded_key(now), done, self._heard(), replace(now.state.of(ResultFilter)), now.state.pages.get(GALLERY)
