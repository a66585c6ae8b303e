"""The other queues of the same person: those of another window, another browser, or a program; seen from every page."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cosmos_workflow.execution.runner import RunnerState
from cosmos_workflow.execution.sessions import Session
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.ui import components, markup
from cosmos_workflow.ui.page import Page, owner_of
from cosmos_workflow.ui.page_view import PageState, PageView
from cosmos_workflow.ui.queue.view import STATES
from cosmos_workflow.ui.text import count, shorten_text

SHOWN = 3
"""Queues that are shown; more are counted."""


class OtherQueues:
    """Cards below the header, there while another queue of this person holds items: look at it here, pause it, start it."""

    def __init__(self, page: Page, token: gr.BrowserState) -> None:
        self._page = page
        cards = components.cards("other-queues", ("show", "pause", "start"))
        page.on(cards.show, self.show, [page.queue, page.state], [page.queue, token], refresh=True)
        page.on(cards.pause, self.pause, None, None, refresh=True)
        page.on(cards.start, self.start, None, None, refresh=True)
        page.follow(cards, self.value)
        page.show(cards, lambda now: bool(self._others(now)))

    def show(self, queue: Queue, state: PageState, event: gr.EventData, request: gr.Request) -> tuple[Queue, str]:
        """Make the queue this page's own; the one before is among the others then."""
        session = self._session(event, request)
        state.before = queue.token
        return session.queue, session.token

    def pause(self, event: gr.EventData, request: gr.Request) -> None:
        """Stop it after its running batch."""
        self._session(event, request).runner.pause()

    def start(self, event: gr.EventData, request: gr.Request) -> None:
        """Have it go on."""
        self._session(event, request).runner.start()

    def value(self, now: PageView) -> dict[str, Any]:
        """The cards, the longest queues first."""
        others = self._others(now)
        more = f"and {count(len(others) - SHOWN, 'more queue')}" if len(others) > SHOWN else ""
        return {"rows": [self._card(session) for session in others[:SHOWN]], "empty": "", "page": more}

    def _others(self, now: PageView) -> list[Session]:
        theirs = [session for session in self._page.sessions.all() if session.queue.owner == now.owner]
        found = [session for session in theirs if session.token != now.token and len(session.queue)]
        return sorted(found, key=lambda session: -len(session.queue))

    def _card(self, session: Session) -> markup.Row:
        title, snapshot = "Another queue", session.runner.snapshot()
        if self._page.background.tells(session.token):
            hours = self._page.operations.workspace.settings.background_hours
            title = "In the background, when nothing else waits" + (f", {hours}" if hours else "")
        queue, state = snapshot.queue, snapshot.state
        states = [f"{len(items):,} {word}" for items, word in ((queue.running, "running"), (queue.queued, "queued")) if items]
        first = next(iter([*queue.running, *queue.queued]), None)
        begins = shorten_text(first.prompt_text, 60) if first else ""
        chip = markup.chip(STATES[state], "running" if snapshot.active else "queued")
        also = markup.button("pause", "Pause") if state is RunnerState.RUNNING else markup.button("start", "Start")
        buttons = markup.actions(markup.button("show", "Show here"), also if state is not RunnerState.PAUSING else "")
        head = markup.card_head(f"{title}: {', '.join(states)}", chip)
        return {"id": session.token, "html": f"{head}{markup.sub(begins)}{buttons}"}

    def _session(self, event: gr.EventData, request: gr.Request) -> Session:
        return self._page.sessions.find(components.clicked_id(event), owner_of(request))
