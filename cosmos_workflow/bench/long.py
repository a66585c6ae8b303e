"""A long queue through the page: adding, an update of the page, a look at it, and how soon it runs again after a kill.

Real servers on a temporary workspace, one after another, driven as curl and a browser do.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

import httpx

from cosmos_workflow.bench.frame import Column, medians, seconds_of
from cosmos_workflow.bench.serving import OpenPage, call, served
from cosmos_workflow.store.records import RUN_FILE

AT_ONCE = 10_000
"""Prompts of one call."""


@dataclass(frozen=True, slots=True)
class LongFigure:
    """Seconds: adding all, and in the median of the rounds an update of the page while the queue runs, a look at its first
    1,000 rows, and after a kill until the next item is done, and until the page is there.
    """

    TITLE: ClassVar[str] = "A long queue on the page, in seconds"
    items: Annotated[int, Column("items", "{:,}")]
    add: Annotated[float, Column("add", "{:.2f}")]
    update: Annotated[float, Column("update", "{:.2f}")]
    display: Annotated[float, Column("display", "{:.2f}")]
    next_item: Annotated[float, Column("after a kill: next item", "{:.2f}")]
    page: Annotated[float, Column("page", "{:.2f}")]


def bench_long(items: int = 100_000, rounds: int = 5) -> list[LongFigure]:
    """Queue `items` short speech items, start, look at it; then kill the page and start it again, `rounds` times."""
    restarts: list[tuple[float, float]] = []
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
            look = partial(call, client, "get_queue_display", token)
            looks = medians((seconds_of(page.update), seconds_of(look)) for _ in range(rounds))
            before, killed = _made(workspace), time.time()
            process.kill()
        for _ in range(rounds):
            with served(workspace) as (process, _url):
                there = time.time() - killed
                restarts.append((_wait_for_one_more(workspace, len(before)) - killed, there))
                before, killed = _made(workspace), time.time()
                process.kill()
    return [LongFigure(items, added, *looks, *medians(restarts))]


def _made(workspace: Path) -> list[float]:
    """When each item was done, in seconds since 1970."""
    return sorted(path.stat().st_mtime for path in (workspace / "runs").glob(f"rs_*/{RUN_FILE}") if path.parent.suffix == "")


def _wait_for_one_more(workspace: Path, before: int) -> float:
    while len(made := _made(workspace)) <= before:
        time.sleep(0.05)
    return made[before]
