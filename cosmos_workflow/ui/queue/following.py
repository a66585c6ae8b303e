"""Follows a runner from inside an event of the page or of an endpoint, until it stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from cosmos_workflow.execution.runner import RunnerSnapshot
from cosmos_workflow.execution.sessions import Session
from cosmos_workflow.ui.text import left_text

REPORT_INTERVAL = 0.25
"""Seconds between two reports at least, however often something changes."""


async def follow(session: Session, progress: Callable[..., Any]) -> AsyncIterator[RunnerSnapshot]:
    """Report a runner's progress until it stops; yields when an item is done, and at the end.

    It only looks: who cancels it, or closes the page, stops nothing. It holds no thread while nothing changes.
    """
    changed, loop = asyncio.Event(), asyncio.get_running_loop()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody follows any more
            loop.call_soon_threadsafe(changed.set)

    unsubscribe = session.runner.changes.subscribe(wake)
    try:
        done = -1
        while True:
            changed.clear()
            snapshot = session.runner.snapshot()
            finished = sum(snapshot.queue.done.values())
            progress(snapshot.fraction, desc=f"{finished} of {snapshot.queue.total} done, {left_text(snapshot.left)}")
            if finished != done or not snapshot.active:
                done = finished
                yield snapshot
            if not snapshot.active:
                return
            await asyncio.sleep(REPORT_INTERVAL)
            await changed.wait()
    finally:
        unsubscribe()
