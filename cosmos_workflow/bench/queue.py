"""How fast the queue adds, groups and hands out items, beside a plain dict of lists as the limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from cosmos_workflow.queueing.batches import group_queue_by_batch_key
from cosmos_workflow.queueing.items import ItemStatus, Prompt, QueueItem
from cosmos_workflow.queueing.queue import Queue

SEEDS = 50
"""Different configurations in the queue, so different batch keys."""
BATCH_SIZE = 8


@dataclass(frozen=True, slots=True)
class QueueFigure:
    """A step of the bench: items a second in the median of the rounds."""

    step: str
    items: int
    items_per_second: float
    seconds: float


def bench_queue(items: int = 100_000, rounds: int = 5) -> list[QueueFigure]:
    """Times adding, grouping, the bare dict that grouping can't beat, and one claim-and-finish cycle of a batch."""
    queue = Queue()
    figures = [_figure("add", items, [_seconds(lambda: _fill(queue, items))])]
    held = queue.snapshot().items
    grouped, bare = [], []
    for _ in range(rounds):
        grouped.append(_seconds(lambda: group_queue_by_batch_key(held, BATCH_SIZE)))
        bare.append(_seconds(lambda: _bare(held)))
    cycles = [_seconds(lambda: _cycle(queue)) for _ in range(rounds)]
    figures.append(_figure("group", items, grouped))
    figures.append(_figure("group, bare dict (the limit)", items, bare))
    figures.append(_figure("claim and finish a batch", BATCH_SIZE, cycles))
    return figures


def table(figures: list[QueueFigure]) -> Table:
    """The figures as a table for a terminal."""
    shown = Table(title="Queue")
    for column in ("step", "items", "seconds", "items/s"):
        shown.add_column(column, justify="left" if column == "step" else "right")
    for figure in figures:
        shown.add_row(figure.step, f"{figure.items:,}", f"{figure.seconds:.4f}", f"{figure.items_per_second:,.0f}")
    return shown


def _fill(queue: Queue, items: int) -> None:
    share = [Prompt(f"prompt {number}") for number in range(max(1, items // SEEDS))]
    for seed in range(SEEDS):
        queue.add_to_queue(share, "chatterbox", {"cfm_steps": 1 + seed})


def _bare(items: tuple[QueueItem, ...]) -> dict[str, list[QueueItem]]:
    groups: dict[str, list[QueueItem]] = {}
    for item in items:
        groups.setdefault(item.batch_key, []).append(item)
    return groups


def _cycle(queue: Queue) -> None:
    batch = queue.claim()
    for item in batch.items if batch else ():
        queue.finish(item.id, ItemStatus.SUCCEEDED)


def _seconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _figure(step: str, items: int, seconds: list[float]) -> QueueFigure:
    median = sorted(seconds)[len(seconds) // 2]
    return QueueFigure(step, items, items / median, median)
