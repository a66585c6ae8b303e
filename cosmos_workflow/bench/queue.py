"""How fast the queue is with its journal on the disk, beside a plain dict of lists as the limit of grouping."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from cosmos_workflow.config import Settings, Workspace
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.queueing.batches import group_queue_by_batch_key
from cosmos_workflow.queueing.items import ItemStatus, Prompt, QueueItem

SEEDS = 50
"""Different configurations in the queue, so different batch keys."""
BATCH_SIZE = 8
ROWS = 1000
"""Rows of the queue's table that are looked at."""


@dataclass(frozen=True, slots=True)
class QueueFigure:
    """A step of the bench: items a second in the median of the rounds."""

    step: str
    items: int
    items_per_second: float
    seconds: float


def bench_queue(items: int = 100_000, rounds: int = 5) -> list[QueueFigure]:
    """Times each step `rounds` times, adding once: all of it on a workspace of its own, where every change is durable.

    What is imported at the first item and the first table (the engine's own modules, pandas) was imported before, by a queue of
    its own, as it was in an app whose page is open.
    """
    with tempfile.TemporaryDirectory(prefix="cosmos-bench-") as folder:
        workspace = replace(Workspace.open(Path(folder)), settings=Settings(batch_size=BATCH_SIZE))
        with Operations(workspace) as operations:
            sessions = Sessions(operations)
            _import_all(sessions.open())
            session = sessions.open()
            adding = _seconds(lambda: _fill(session, items))
            figures = [QueueFigure("add", items, items / adding, adding), *_figures(session, items, rounds)]
        opening = [_seconds(lambda: _open_again(workspace)) for _ in range(rounds)]
        return [*figures, _figure("open again after a restart", items, opening)]


def table(figures: list[QueueFigure]) -> Table:
    """The figures as a table for a terminal."""
    shown = Table(title="Queue")
    for column in ("step", "items", "seconds", "items/s"):
        shown.add_column(column, justify="left" if column == "step" else "right")
    for figure in figures:
        shown.add_row(figure.step, f"{figure.items:,}", f"{figure.seconds:.4f}", f"{figure.items_per_second:,.0f}")
    return shown


def _figures(session: Session, items: int, rounds: int) -> list[QueueFigure]:
    queue = session.queue
    held = queue.snapshot().items
    steps: dict[str, list[float]] = {}

    def time_step(name: str, call: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        result = call()
        steps.setdefault(name, []).append(time.perf_counter() - started)
        return result

    for _ in range(rounds):
        time_step("group", lambda: group_queue_by_batch_key(held, BATCH_SIZE))
        time_step("group, bare dict (the limit)", lambda: _bare(held))
        batch = time_step("claim a batch", queue.claim)
        time_step("finish its items", lambda found=batch: [queue.finish(item.id, ItemStatus.SUCCEEDED) for item in found.items])
        time_step("snapshot after a change", session.runner.snapshot)
        time_step("first rows of the table", lambda: queue.get_queue_display(0, ROWS))
    counts = {"claim a batch": BATCH_SIZE, "finish its items": BATCH_SIZE, "first rows of the table": ROWS}
    return [_figure(name, min(items, counts.get(name, items)), seconds) for name, seconds in steps.items()]


def _fill(session: Session, items: int) -> None:
    share = [Prompt(f"prompt {number}") for number in range(max(1, items // SEEDS))]
    for seed in range(SEEDS):
        session.queue.add_to_queue(share, "chatterbox", {"cfm_steps": 1 + seed})


def _import_all(session: Session) -> None:
    _fill(session, SEEDS)
    session.queue.get_queue_display(0, ROWS)
    session.queue.clear_queue()


def _open_again(workspace: Workspace) -> None:
    with Operations(workspace) as operations:
        Sessions(operations).restore()


def _bare(items: tuple[QueueItem, ...]) -> dict[str, list[QueueItem]]:
    groups: dict[str, list[QueueItem]] = {}
    for item in items:
        groups.setdefault(item.batch_key, []).append(item)
    return groups


def _seconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _figure(step: str, items: int, seconds: list[float]) -> QueueFigure:
    median = statistics.median(seconds)
    return QueueFigure(step, items, items / median, median)
