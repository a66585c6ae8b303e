"""What all tabs are built on: the sessions, the states of an open page, and one way to wire an event."""

from __future__ import annotations

import functools
import html
import inspect
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.errors import InputError, WorkflowError
from cosmos_workflow.execution.background_queue import BackgroundQueues
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.store.records import LOCAL, RunRecord
from cosmos_workflow.store.store import Store
from cosmos_workflow.store.waveforms import Waveform
from cosmos_workflow.ui.markup import main_output
from cosmos_workflow.ui.page_view import PageState, PageView

log = logging.getLogger(__name__)

Render = Callable[[PageView], Any]


@dataclass(frozen=True)
class LivePart:
    """A component that is kept up to date: `key` tells whether it changed, `render` gives its value."""

    component: Any
    key: Render
    render: Render


@dataclass(frozen=True)
class Wiring:
    """A handler that is wired later."""

    fn: Callable[..., Any]
    inputs: Sequence[Any]
    outputs: Sequence[Any]
    options: Mapping[str, Any] = field(default_factory=dict)


class Page:
    """Built once; `queue` and `state` are the states of each open page, `live` the components that are kept up to date."""

    def __init__(self, sessions: Sessions, background: BackgroundQueues | None = None) -> None:
        self.sessions = sessions
        self.background = background or BackgroundQueues(sessions)
        self.since = time.time()
        self.queue = gr.State(Queue())
        self.state = gr.State(PageState())
        self.live: list[LivePart] = []
        self.changing: list[tuple[Any, Wiring | None]] = []
        self.loading: list[Wiring] = []
        self.opening: list[Wiring] = []
        self.intervals: list[Callable[[PageView], float | None]] = []

    @property
    def operations(self) -> Operations:
        """The one facade."""
        return self.sessions.operations

    @property
    def store(self) -> Store:
        """Prompts and runs."""
        return self.operations.store

    def waveform_of(self, run: RunRecord) -> Waveform | None:
        """How the main output of a run looks; None for what isn't sound."""
        key, medium = main_output(run)
        return self.store.waveforms.of(run, key) if medium == "audio" else None

    def session(self, queue: Queue) -> Session:
        """The session of a page's queue; raises InputError where the server doesn't know it (any more)."""
        try:
            return self.sessions.find(queue.token, queue.owner)
        except InputError:
            raise InputError("This page has lost its queue; reload the page, and it is there again.") from None

    def spoken_params(self, engine: str, params: Mapping[str, Any], owner: str) -> dict[str, Any]:
        """Params with the owner's own pronunciations; raises InputError where there is no such engine."""
        return find_engine(engine).with_pronunciations(params, self.store.pronunciations.of(owner))

    def view(self, queue: Queue, state: PageState | None = None) -> PageView:
        """A page as it is now."""
        session, operations = self.session(queue), self.operations
        snapshot, state = session.runner.snapshot(), state or PageState()
        return PageView(
            snapshot,
            session.queue.plan,
            session.queue.labels,
            operations.rate,
            self.since,
            queue.owner,
            operations.gain,
            state,
            session.token,
        )

    def follow(self, component: Any, key: Render, render: Render | None = None) -> None:
        """Keep a component up to date: it is sent `render`'s value, or the key itself, and only when the key changes."""
        self.live.append(LivePart(component, key, render or key))

    def update(self, component: Any, properties: Callable[[PageView], dict[str, Any]]) -> None:
        """Keep properties of a component up to date."""
        self.follow(component, properties, lambda now: gr.update(**properties(now)))

    def show(self, component: Any, when: Callable[[PageView], bool]) -> None:
        """Show a component, or hide it."""
        self.update(component, lambda now: {"visible": when(now)})

    def refresh_every(self, seconds: Callable[[PageView], float | None]) -> None:
        """Have the page refreshed every so many seconds while nothing runs in its queue; None for no need."""
        self.intervals.append(seconds)

    def on_load(self, fn: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Have a handler run when a page is opened, after it found its queue."""
        self.loading.append(Wiring(fn, inputs, outputs))

    def on_open(self, fn: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any], **options: Any) -> None:
        """Have a handler run when a page has been opened, after everything else."""
        self.opening.append(Wiring(fn, inputs, outputs, options))

    def on(
        self,
        event: Callable[..., Any],
        fn: Callable[..., Any] | None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        *,
        refresh: bool = False,
        then: Wiring | None = None,
        **options: Any,
    ) -> Any:
        """Wire an event of this page, which is no endpoint.

        With `refresh` the live parts that changed are sent afterwards, and `then` is called after that. Listeners of one
        event wait for each other in the browser, so one that takes long comes last.
        """
        defaults = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}
        dependency = event(guard(fn) if fn else None, inputs, outputs, **{**defaults, **options})
        if refresh:
            self.changing.append((dependency, then))
        return dependency


def owner_of(request: gr.Request | None) -> str:
    """Whose page it is: the user who logged in, or the local one."""
    return (request.username if request else None) or LOCAL


def toast(text: str) -> None:
    """Say for some seconds that something was done."""
    gr.Info(as_toast(text), duration=4)


def as_toast(text: str) -> str:
    """A text for a toast, which takes what it gets for HTML."""
    return html.escape(text, quote=False)


def guard(fn: Callable[..., Any], wording: Callable[[str], str] = as_toast) -> Callable[..., Any]:
    """A handler whose errors reach a person as one sentence; one that nobody expected is logged with its traceback."""
    if inspect.isasyncgenfunction(fn):

        @functools.wraps(fn)
        async def stream(*args: Any, **kwargs: Any) -> Any:
            try:
                async for value in fn(*args, **kwargs):
                    yield value
            except Exception as error:
                raise one_sentence(error, wording) from error

        return stream

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except Exception as error:
            raise one_sentence(error, wording) from error

    return call


def one_sentence(error: Exception, wording: Callable[[str], str]) -> gr.Error:
    """An error as a toast, or as what a program gets."""
    if isinstance(error, gr.Error):
        return error
    if isinstance(error, WorkflowError):
        return gr.Error(wording(str(error)), title="That didn't work", print_exception=False)
    log.error("a handler of the page broke", exc_info=error)
    text = f"Something went wrong in Cosmos Workflow itself ({type(error).__name__}); the terminal has the details."
    return gr.Error(text, title="That didn't work", print_exception=False)
