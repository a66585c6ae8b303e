"""What keeps an open page up to date: one timer outside the tabs, and what changed since the last update."""

from __future__ import annotations

import math
import time
from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.page_view import PageState, PageView

RUNNING_INTERVAL = 1.0
"""Seconds between two updates while something runs."""
FULL_INTERVAL = 5.0
"""Seconds after which an update says everything, not only what changed, while something runs."""
TIMER = -1
"""Where a page's state notes the timer, among the numbers of the live parts."""


class Refresher:
    """Sends an open page what changed; made when all tabs are built."""

    def __init__(self, page: Page, timer: gr.Timer, enabled: gr.Checkbox, refresh: gr.Button) -> None:
        self._page = page
        self.inputs = [page.queue, page.state, enabled]
        self.outputs = [*(part.component for part in page.live), timer]
        page.on(timer.tick, self.refresh, self.inputs, self.outputs, queue=False, trigger_mode="once")
        page.on(enabled.change, self.refresh, self.inputs, self.outputs)
        page.on(refresh.click, self.refresh_all, self.inputs, self.outputs)
        for dependency, then in page.changing:
            refreshed = page.on(dependency.then, self.refresh, self.inputs, self.outputs, queue=False)
            if then is not None:
                page.on(refreshed.then, then.fn, then.inputs, then.outputs, **then.options)

    def refresh(self, queue: Queue, state: PageState, live: bool) -> list[Any]:
        """What changed since this page was sent something; the rest is skipped, and all of it until it has found its queue."""
        try:
            now = self._page.view(queue, state)
        except InputError:
            return [gr.skip()] * len(self.outputs)
        self._forget_what_was_sent(now)
        updates: list[Any] = []
        for number, part in enumerate(self._page.live):
            key = part.key(now)
            updates.append(gr.skip() if state.sent.get(number, ...) == key else part.render(now))
            state.sent[number] = key
        timer = self._timer(now, live)
        updates.append(gr.skip() if state.sent.get(TIMER) == timer else gr.Timer(timer[0], active=timer[1]))
        state.sent[TIMER] = timer
        return updates

    def refresh_all(self, queue: Queue, state: PageState, live: bool) -> list[Any]:
        """Everything, whatever was sent before."""
        state.sent.clear()
        return self.refresh(queue, state, live)

    def _forget_what_was_sent(self, now: PageView) -> None:
        """Two answers may overtake one another on their way: now and then everything is sent again, and how a queue ended
        a tick later, since after that the timer is slow. What was sent of another queue says nothing of this one."""
        state, moment = now.state, time.monotonic()
        ended, final = state.was_running and not now.snapshot.active, moment >= state.final_update_at
        full = now.snapshot.active and moment - state.full_update_at >= FULL_INTERVAL
        another = state.token != now.token
        state.token = now.token
        if ended or final or full or another:
            state.sent.clear()
            state.full_update_at = moment
        if ended:
            state.final_update_at = moment + RUNNING_INTERVAL / 2
        elif final:
            state.final_update_at = math.inf
        state.was_running = now.snapshot.active

    def _timer(self, now: PageView, live: bool) -> tuple[float, bool]:
        """Seconds between two updates, and whether there are any."""
        if now.snapshot.active or now.state.final_update_at < math.inf:
            return RUNNING_INTERVAL, live
        # Slow where nothing runs here: another window may change this queue, and another queue begin.
        wanted = [seconds for interval in self._page.intervals if (seconds := interval(now)) is not None]
        return min([*wanted, self._page.operations.workspace.settings.live_interval]), live
