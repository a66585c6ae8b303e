"""How fast the queue is with its journal on the disk, beside a plain dict of lists as the limit of grouping."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from cosmos_workflow.bench.frame import Column, in_turn, seconds_of
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
    """A step of the bench, in the median of the rounds."""

    TITLE: ClassVar[str] = "Queue"
    step: Annotated[str, Column("step")]
    items: Annotated[int, Column("items", "{:,}")]
    seconds: Annotated[float, Column("seconds", "{:.4f}")]
    items_per_second: Annotated[float, Column("items/s", "{:,.0f}")]


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
            adding = seconds_of(lambda: _fill(session, items))
            queue, held, claimed = session.queue, session.queue.snapshot().items, []
            steps: dict[str, Callable[[], Any]] = {
                "group": lambda: group_queue_by_batch_key(held, BATCH_SIZE),
                "group, bare dict (the limit)": lambda: _bare(held),
                "claim a batch": lambda: claimed.append(queue.claim()),
                "finish its items": lambda: [queue.finish(item.id, ItemStatus.SUCCEEDED) for item in claimed[-1].items],
                "snapshot after a change": session.runner.snapshot,
                "first rows of the table": lambda: queue.get_queue_display(0, ROWS),
            }
            taken = in_turn({step: lambda call=call: [seconds_of(call)] for step, call in steps.items()}, rounds)
        opening = in_turn({"open again after a restart": lambda: [seconds_of(lambda: _open_again(workspace))]}, rounds)
    counts = {"claim a batch": BATCH_SIZE, "finish its items": BATCH_SIZE, "first rows of the table": ROWS}
    return [
        QueueFigure(step, count := min(items, counts.get(step, items)), seconds, count / seconds)
        for step, (seconds,) in {"add": [adding], **taken, **opening}.items()
    ]


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
