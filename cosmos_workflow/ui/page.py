"""What all tabs share: the sessions, the state of a visit, and one way to wire an event."""

from __future__ import annotations

import functools
import html
import inspect
import logging
import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError, WorkflowError
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.runner import QueueRunner
from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.queueing import Queue
from cosmos_workflow.store.records import LOCAL
from cosmos_workflow.store.store import Store
from cosmos_workflow.ui.jobs.view import JobsVisit
from cosmos_workflow.ui.view import Picture

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Which results a page shows; empty means any."""

    engine: str = ""
    status: str = ""
    text: str = ""
    page: int = 0


@dataclass(slots=True)
class Visit:
    """What one open page looks at; kept on the server, changed in place.

    `seen` says what was sent to it already; `last_words_at` is when it is told once more how a queue ended (monotonic).
    """

    seen: dict[int, Hashable] = field(default_factory=dict)
    queue_page: int = 0
    item_id: str = ""
    results: ResultFilter = field(default_factory=ResultFilter)
    was_running: bool = False
    told_all_at: float = 0.0
    last_words_at: float = math.inf
    jobs: JobsVisit = field(default_factory=JobsVisit)

    def __deepcopy__(self, _memo: dict[int, Any]) -> Visit:
        return Visit()


@dataclass(frozen=True)
class LivePart:
    """A component that follows the queue: `key` tells whether it changed, `render` gives its value."""

    component: Any
    key: Callable[[Picture, Visit], Hashable]
    render: Callable[[Picture, Visit], Any]


@dataclass(frozen=True)
class Wiring:
    """A handler that is wired later."""

    fn: Callable[..., Any]
    inputs: Sequence[Any]
    outputs: Sequence[Any]
    options: Mapping[str, Any] = field(default_factory=dict)


class Page:
    """Built once; `queue` and `visit` are the states of each open page, `live` the components that follow the queue."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.since = time.time()
        self.queue = gr.State(Queue())
        self.visit = gr.State(Visit())
        self.live: list[LivePart] = []
        self.changing: list[tuple[Any, Wiring | None]] = []
        self.loading: list[Wiring] = []
        self.opening: list[Wiring] = []
        self.paces: list[Callable[[str, Visit], float | None]] = []

    @property
    def operations(self) -> Operations:
        """The one facade."""
        return self.sessions.operations

    @property
    def store(self) -> Store:
        """Prompts and runs."""
        return self.operations.store

    def session(self, queue: Queue) -> Session:
        """The session of a page's queue; raises InputError where the server doesn't know it (any more)."""
        try:
            return self.sessions.find(queue.token, queue.owner)
        except InputError:
            raise InputError("This page has lost its queue; reload the page, and it is there again.") from None

    def runner(self, queue: Queue) -> QueueRunner:
        """The runner of a page's queue."""
        return self.session(queue).runner

    def picture(self, queue: Queue) -> Picture:
        """The queue as it is now."""
        session = self.session(queue)
        operations = self.operations
        return Picture(session.runner.snapshot(), session.queue.plan, operations.rate, self.since, queue.owner, operations.gain)

    def follow(
        self,
        component: Any,
        key: Callable[[Picture, Visit], Hashable],
        render: Callable[[Picture, Visit], Any],
    ) -> None:
        """Have a component follow the queue; it is sent only when its key changes."""
        self.live.append(LivePart(component, key, render))

    def pace(self, wanted: Callable[[str, Visit], float | None]) -> None:
        """Have the page updated every so many seconds, as `wanted` says for an owner and a visit; None for no need."""
        self.paces.append(wanted)

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
        changes_queue: bool = False,
        then: Wiring | None = None,
        **options: Any,
    ) -> Any:
        """Wire an event of this page, which is no endpoint.

        With `changes_queue` what follows the queue is sent afterwards, and `then` is called after that. Listeners of one
        event wait for each other in the browser, so one that takes long comes last.
        """
        defaults = {"show_progress": "hidden", "concurrency_limit": None, "api_visibility": "private"}
        dependency = event(guard(fn) if fn else None, inputs, outputs, **{**defaults, **options})
        if changes_queue:
            self.changing.append((dependency, then))
        return dependency


def owner_of(request: gr.Request | None) -> str:
    """Whose page it is: the user who logged in, or the local one."""
    return (request.username if request else None) or LOCAL


def tell(text: str) -> None:
    """A toast that something was done."""
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
                raise sentence(error, wording) from error

        return stream

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except Exception as error:
            raise sentence(error, wording) from error

    return call


def sentence(error: Exception, wording: Callable[[str], str]) -> gr.Error:
    """An error as a toast, or as what a program gets."""
    if isinstance(error, gr.Error):
        return error
    if isinstance(error, WorkflowError):
        return gr.Error(wording(str(error)), title="That didn't work", print_exception=False)
    log.error("a handler of the page broke", exc_info=error)
    text = f"Something went wrong in Cosmos Workflow itself ({type(error).__name__}); the terminal has the details."
    return gr.Error(text, title="That didn't work", print_exception=False)
