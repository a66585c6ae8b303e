"""Follows a runner from inside an event of the page or of an endpoint, until it stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import gradio as gr

from cosmos_workflow.execution.runner import RunnerSnapshot
from cosmos_workflow.execution.sessions import Session
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.ui.queue.view import end_notice
from cosmos_workflow.ui.text import left_text

FOLLOW_INTERVAL = 0.25
"""Seconds between two looks; no thread is held in between."""


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
            progress(snapshot.fraction, desc=f"{finished} of {snapshot.queue.total} done, {left_text(snapshot.left)}")
            if finished != done or not snapshot.active:
                done = finished
                yield snapshot
        if not snapshot.active:
            return
        await asyncio.sleep(FOLLOW_INTERVAL)


def announce_end(snapshot: RunnerSnapshot) -> None:
    """A toast that says how the queue ended, naming failures."""
    show = gr.Warning if snapshot.reason or snapshot.queue.done.get(ItemStatus.FAILED) else gr.Info
    show(end_notice(snapshot))
