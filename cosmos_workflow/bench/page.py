"""How the page holds up while a long queue runs: the time a click takes, and the memory of app and worker.

A real server in a process of its own, on a temporary workspace, driven through its endpoints. Linux only: memory is read
from /proc.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import httpx

from cosmos_workflow.bench.frame import Column, quantiles, seconds_of
from cosmos_workflow.bench.serving import OpenPage, call, served

EARLY, MEGABYTE = 0.1, 1e6
"""Memory at this share of the items is compared with that at the end: by then everything was imported."""
QUEUED = 300
CHANGES = {"move": "move-down", "duplicate": "duplicate-items", "remove": "remove-selected"}
"""Buttons of the queue that are clicked, by what they do."""


@dataclass(frozen=True, slots=True)
class PageFigure:
    """Milliseconds a click takes while nothing runs and while the queue runs; resident memory, early and at the end, in MB.

    `changes` are the milliseconds of a move, a removal and a duplicate in a queue of `QUEUED` items, with what the page is sent
    after it: median and 95th percentile.
    """

    TITLE: ClassVar[str] = "The page while a queue runs"
    items: Annotated[int, Column("items", "{:,}")]
    seconds: Annotated[float, Column("seconds", "{:.1f}")]
    idle_p50: Annotated[float, Column("click, idle p50/p95 ms", "{:.0f} / {figure.idle_p95:.0f}")]
    idle_p95: float
    busy_p50: Annotated[float, Column("click, busy p50/p95 ms", "{:.0f} / {figure.busy_p95:.0f}")]
    busy_p95: float
    app_early: Annotated[float, Column("app MB", "{:.0f} to {figure.app_late:.0f}")]
    app_late: float
    worker_early: Annotated[float, Column("worker MB", "{:.0f} to {figure.worker_late:.0f}")]
    worker_late: float
    changes: Annotated[
        tuple[tuple[str, float, float], ...],
        Column(
            f"with {QUEUED} queued, p50/p95 ms",
            lambda figure: ", ".join(f"{name} {median:.0f} / {late:.0f}" for name, median, late in figure.changes),
        ),
    ]


def bench_page(items: int = 1000, clicks: int = 50) -> list[PageFigure]:
    """Queue `items` short speech items, start, and click all the while."""
    memory: dict[bool, tuple[float, float]] = {}
    busy: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="cosmos-bench-") as folder,
        served(Path(folder) / "workspace") as (process, url),
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        changes = tuple(_changes(client, clicks))
        token = call(client, "add_to_queue", "", [f"Item number {n}." for n in range(items)], "espeak", {}, {})["token"]
        idle = [_click(client, token)[0] for _ in range(clicks)]
        started = time.perf_counter()
        call(client, "process_queue", token, wait=False)
        while True:
            milliseconds, answer = _click(client, token)
            done = sum(answer["done"].values())
            if done >= items:
                break
            busy.append(milliseconds)
            late = done > items / 2
            if done >= items * EARLY and (late or late not in memory):
                memory[late] = _memory(process.pid)
        seconds = time.perf_counter() - started
    (app_early, worker_early), (app_late, worker_late) = (memory.get(late, (0.0, 0.0)) for late in (False, True))
    clicked = *quantiles(idle), *quantiles(busy or [0.0])
    return [PageFigure(items, seconds, *clicked, app_early, app_late, worker_early, worker_late, changes)]


def _changes(client: httpx.Client, clicks: int) -> Iterator[tuple[str, float, float]]:
    added = call(client, "add_to_queue", "", [f"Item number {n}." for n in range(QUEUED)], "espeak", {}, {})
    page, ids = OpenPage(client, added["token"]), added["added"]
    for name, elem_id in CHANGES.items():
        yield name, *quantiles([seconds_of(partial(page.click, elem_id, [each])) * 1000 for each in ids[:clicks]])
    call(client, "clear_queue", added["token"])


def _click(client: httpx.Client, token: str) -> tuple[float, dict[str, Any]]:
    started = time.perf_counter()
    answer = call(client, "remove_from_queue", token, [])
    return (time.perf_counter() - started) * 1000, answer


def _memory(pid: int) -> tuple[float, float]:
    # A child belongs to the thread that started it.
    listed = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    children = [int(child) for line in listed for child in line.split()]
    workers = [_resident(child) for child in children]
    return _resident(pid), max(workers, default=0.0)


def _resident(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE
