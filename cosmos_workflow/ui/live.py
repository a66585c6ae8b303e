"""What keeps the page up to date: one timer outside the tabs, and the follower of a running queue."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.runner import RunnerSnapshot
from cosmos_workflow.execution.sessions import Session
from cosmos_workflow.queueing import ItemStatus, Queue
from cosmos_workflow.ui import view
from cosmos_workflow.ui.page import Page, Visit, as_toast

RUNNING_INTERVAL = 1.0
"""Seconds between two updates while the queue runs."""
FULL_INTERVAL = 5.0
"""Seconds after which an update says everything, not only what changed."""
FOLLOW_INTERVAL = 0.25
"""Seconds between two looks of a follower; it holds no thread while it waits."""
TIMER = -1
"""Where a visit notes the timer's state, among the numbers of the live parts."""


class Refresher:
    """Sends an open page what changed; made when all tabs are built."""

    def __init__(self, page: Page, timer: gr.Timer, enabled: gr.Checkbox, wake: gr.Button) -> None:
        self._page = page
        self.inputs = [page.queue, page.visit, enabled]
        self.outputs = [*(part.component for part in page.live), timer]
        page.on(timer.tick, self.refresh, self.inputs, self.outputs, queue=False, trigger_mode="once")
        page.on(enabled.change, self.refresh, self.inputs, self.outputs)
        page.on(wake.click, self.refresh_all, self.inputs, self.outputs)
        for dependency, then in page.changing:
            refreshed = page.on(dependency.then, self.refresh, self.inputs, self.outputs, queue=False)
            if then is not None:
                page.on(refreshed.then, then.fn, then.inputs, then.outputs, **then.options)

    def refresh(self, queue: Queue, visit: Visit, live: bool) -> list[Any]:
        """What changed since this page was sent something; the rest is skipped, and all of it until it has found its queue."""
        try:
            picture = self._page.picture(queue)
        except InputError:
            return [gr.skip()] * len(self.outputs)
        now = time.monotonic()
        # Two answers may have overtaken one another on their way: now and then everything is said again, and how a queue
        # ended a tick later, since after that the timer is off.
        ended, last_words = visit.was_running and not picture.is_running, now >= visit.last_words_at
        if ended or last_words or now - visit.told_all_at >= FULL_INTERVAL:
            visit.seen.clear()
            visit.told_all_at = now
        if ended:
            visit.last_words_at = now + RUNNING_INTERVAL / 2
        elif last_words:
            visit.last_words_at = math.inf
        visit.was_running = picture.is_running
        updates: list[Any] = []
        for number, part in enumerate(self._page.live):
            key = part.key(picture, visit)
            if visit.seen.get(number, ...) == key:
                updates.append(gr.skip())
            else:
                updates.append(part.render(picture, visit))
                visit.seen[number] = key
        state = self._timer_state(queue, visit, live, picture.is_running)
        updates.append(gr.skip() if visit.seen.get(TIMER) == state else gr.Timer(state[0], active=state[1]))
        visit.seen[TIMER] = state
        return updates

    def refresh_all(self, queue: Queue, visit: Visit, live: bool) -> list[Any]:
        """Everything, whatever was sent before."""
        visit.seen.clear()
        return self.refresh(queue, visit, live)

    def _timer_state(self, queue: Queue, visit: Visit, live: bool, running: bool) -> tuple[float, bool]:
        if running or visit.last_words_at < math.inf:
            return RUNNING_INTERVAL, live
        others = any(
            session.queue.owner == queue.owner and session.runner.snapshot().active for session in self._page.sessions.all()
        )
        wanted = [pace for ask in self._page.paces if (pace := ask(queue.owner, visit)) is not None]
        if others:
            wanted.append(self._page.operations.workspace.settings.live_interval)
        return min(wanted, default=RUNNING_INTERVAL), live and bool(wanted)


async def follow(session: Session, progress: Callable[..., Any]) -> AsyncIterator[RunnerSnapshot]:
    """Report a runner's progress until it stops; yields when an item is done, and at the end.

    It only looks: who cancels it, or closes the page, stops nothing.
    """
    done, last = -1, -1
    while True:
        snapshot = session.runner.snapshot()
        if snapshot.version != last:
            last = snapshot.version
            finished = sum(snapshot.queue.done.values())
            progress(snapshot.fraction, desc=f"{finished} of {snapshot.queue.total} done, {view.left_text(snapshot.left)}")
            if finished != done or not snapshot.active:
                done = finished
                yield snapshot
        if not snapshot.active:
            return
        await asyncio.sleep(FOLLOW_INTERVAL)


def announce(snapshot: RunnerSnapshot) -> None:
    """A toast that says how the queue ended, naming failures."""
    show = gr.Warning if snapshot.reason or snapshot.queue.done.get(ItemStatus.FAILED) else gr.Info
    show(as_toast(view.end_notice(snapshot)))
