"""Panel below an engine whose model files aren't all here: which are missing, and the button that fetches them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cosmos_workflow.engines.model_files.sets import ModelFiles, find_model_files
from cosmos_workflow.engines.registry import all_model_files, known_engine
from cosmos_workflow.errors import InputError
from cosmos_workflow.ui import markup
from cosmos_workflow.ui.components import Question, hide
from cosmos_workflow.ui.live import RUNNING_INTERVAL
from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.prompts.fetcher import Fetch, Fetcher, FetchState, free_bytes, gigabytes


class ModelFilesPanel:
    """Hidden for an engine that has all it needs. A fetch is shown whatever engine is chosen, since it goes on regardless."""

    def __init__(self, page: Page, engine: str, fetcher: Fetcher | None = None) -> None:
        self.fetcher = fetcher or Fetcher()
        with gr.Column(visible=bool(missing_model_files(engine)), elem_id="missing-weights") as self.group:
            with gr.Row(elem_classes="cw-buttons"):
                self.choice = gr.Dropdown(
                    _choices(engine), label="Weights that aren't here", elem_id="weights-choice", filterable=False
                )
                fetch = gr.Button("Fetch weights", size="sm", elem_id="fetch-weights", min_width=120)
            self.question = Question(page, "fetch-weights", "Fetch", no="Not now", harmless=True)
        progress = gr.HTML(apply_default_css=False, elem_id="weights-progress")
        cancel = gr.Button("Cancel fetch", size="sm", elem_id="cancel-fetch", visible=False)
        self.finished = gr.Number(0, visible="hidden")
        self.outputs = [self.group, self.choice]
        page.on(fetch.click, self.plan, [self.choice], self.question.outputs)
        page.on(self.question.yes.click, self.start, [self.choice], [self.question.group], refresh=True)
        page.on(cancel.click, self.fetcher.cancel, None, None, refresh=True)
        page.follow(progress, lambda _now: self.fetcher.last, lambda _now: fetch_words(self.fetcher.last))
        page.show(cancel, lambda _now: self.fetcher.is_running)
        page.follow(self.finished, lambda _now: self.fetcher.finished)
        page.refresh_every(lambda _now: RUNNING_INTERVAL if self.fetcher.has_news else None)

    def show(self, engine: str) -> list[Any]:
        """Updates for `outputs`: which of an engine's model files aren't here."""
        choices = _choices(engine)
        return [gr.Column(visible=bool(choices)), gr.Dropdown(choices, value=choices[0][1] if choices else None)]

    def offer(self, name: str) -> list[Any]:
        """Updates for `outputs` and the question: ask whether to fetch this set, whatever engine is chosen."""
        model = known_model_files(name)
        return [gr.Column(visible=True), gr.Dropdown([(model.title, model.name)], value=model.name), *self.plan(name)]

    def plan(self, name: str) -> list[Any]:
        """Ask whether to fetch, saying how much, and where it goes to."""
        model = known_model_files(name)
        plan = self.fetcher.plan(model)
        missing, total, free = (gigabytes(size) for size in (plan.missing_bytes, plan.total_bytes, free_bytes(plan.place)))
        return self.question.shown(
            f"Fetch {model.title}? {missing} of {total} aren't here yet; they go into {plan.place}, where {free} are free."
        )

    def start(self, name: str) -> Any:
        """Begin to fetch."""
        self.fetcher.start(known_model_files(name))
        return hide()


def fetch_words(fetch: Fetch | None) -> str:
    """A fetch as a bar, or how it ended; empty where there was none."""
    if fetch is None:
        return ""
    title = fetch.model.title
    so_far = f"{gigabytes(fetch.done_bytes)} of {gigabytes(fetch.total_bytes)}"
    if fetch.state is FetchState.RUNNING:
        share = fetch.done_bytes / fetch.total_bytes if fetch.total_bytes else 0.0
        return markup.bar(f"Fetching {title}", share, so_far) + markup.note(f"Into {fetch.place}")
    if fetch.state is FetchState.DONE:
        return markup.note(f"{title} is here ({gigabytes(fetch.total_bytes)}).")
    if fetch.state is FetchState.CANCELLED:
        return markup.note(f"{title}: cancelled at {so_far}. Fetch it again, and it goes on from there.")
    return markup.note(f"{title}: {fetch.error} What has come is kept.", "held")


def missing_model_files(engine: str) -> list[ModelFiles]:
    """The sets of an engine that aren't on this machine."""
    return [model for model in known_engine(engine).model_files if find_model_files(model) is None]


def known_model_files(name: str) -> ModelFiles:
    """A set by its name; raises InputError for one that no installed engine has."""
    found = all_model_files().get(name)
    if found is None:
        raise InputError("No weights are chosen; choose some.")
    return found


def _choices(engine: str) -> list[tuple[str, str]]:
    return [(model.title, model.name) for model in missing_model_files(engine)]
