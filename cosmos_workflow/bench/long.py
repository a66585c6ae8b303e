"""A long queue through the page: adding, an update of the page, a look at it, and how soon it runs again after a kill.

Real servers on a temporary workspace, one after another, driven as curl and a browser do.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.table import Table

from cosmos_workflow.bench.serving import OpenPage, call, served
from cosmos_workflow.store.records import RUN_FILE

AT_ONCE = 10_000
"""Prompts of one call."""


@dataclass(frozen=True, slots=True)
class LongFigure:
    """Seconds: adding all, and in the median of the rounds an update of the page while the queue runs, a look at its first
    1,000 rows, and after a kill until the next item is done, and until the page is there.
    """

    items: int
    add: float
    update: float
    display: float
    next_item: float
    page: float


def bench_long(items: int = 100_000, rounds: int = 5) -> list[LongFigure]:
    """Queue `items` short speech items, start, look at it; then kill the page and start it again, `rounds` times."""
    next_items: list[float] = []
    pages: list[float] = []
    with tempfile.TemporaryDirectory(prefix="cosmos-bench-") as folder:
        workspace = Path(folder) / "workspace"
        workspace.mkdir()
        (workspace / "settings.yaml").write_text("startup: resume\n", encoding="utf-8")
        with served(workspace) as (process, url), httpx.Client(base_url=url, timeout=600) as client:
            texts = [f"Item number {number}." for number in range(items)]
            token = ""
            started = time.perf_counter()
            for start in range(0, items, AT_ONCE):
                token = call(client, "add_to_queue", token, texts[start : start + AT_ONCE], "espeak", {}, {})["token"]
            added = time.perf_counter() - started
            page = OpenPage(client, token)
            call(client, "process_queue", token, wait=False)
            _wait_for_one_more(workspace, 0)
            updates = [_seconds(page.update) for _ in range(rounds)]
            displays = [_seconds(lambda: call(client, "get_queue_display", token)) for _ in range(rounds)]
            before, killed = _made(workspace), time.time()
            process.kill()
        for _ in range(rounds):
            with served(workspace) as (process, _url):
                pages.append(time.time() - killed)
                next_items.append(_wait_for_one_more(workspace, len(before)) - killed)
                before, killed = _made(workspace), time.time()
                process.kill()
    return [LongFigure(items, added, *map(statistics.median, (updates, displays, next_items, pages)))]


def table(figures: list[LongFigure]) -> Table:
    """The figures as a table for a terminal."""
    shown = Table(title="A long queue on the page, in seconds")
    for column in ("items", "add", "update", "display", "after a kill: next item", "page"):
        shown.add_column(column, justify="right")
    for one in figures:
        seconds = (one.add, one.update, one.display, one.next_item, one.page)
        shown.add_row(f"{one.items:,}", *(f"{value:.2f}" for value in seconds))
    return shown


def _made(workspace: Path) -> list[float]:
    """When each item was done, in seconds since 1970."""
    return sorted(path.stat().st_mtime for path in (workspace / "runs").glob(f"rs_*/{RUN_FILE}") if path.parent.suffix == "")


def _wait_for_one_more(workspace: Path, before: int) -> float:
    while len(made := _made(workspace)) <= before:
        time.sleep(0.05)
    return made[before]


def _seconds(action: Callable[[], Any]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
