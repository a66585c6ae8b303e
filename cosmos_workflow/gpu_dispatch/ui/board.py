"""A dispatch's numbers as what Rich draws: it fits the width and height that it is given, down to 40 columns."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..devices import Gpu
from ..events import TaskId
from .stats import Stats, Status, WorkerStats

_SHOWN: dict[Status, tuple[str, str]] = {
    "processing": ("yellow", "busy"),
    "initializing": ("blue", "loading"),
    "error": ("bold red", "error"),
    "idle": ("green", "idle"),
    "finished": ("bold green", "done"),
}
"""In the order of the table: a status's style, and its name where there is little room."""
_ORDER = list(_SHOWN)
_NARROW = 72  # columns, below which what can be left out is
_AROUND = 11  # lines that aren't a worker's
_FEWEST = 4
_UNSEEN = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """`text` without what would move the cursor, colour the screen or turn the direction of writing; on one line."""
    return _UNSEEN.sub("", text.replace("\n", " ").replace("\t", " "))


def clock(seconds: float) -> str:
    """``0:07``, ``12:34``, ``1:02:03``."""
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def progress_line(stats: Stats) -> str:
    """``Progress: 847/1000 (820 ok, 15 failed, 12 timed out)``"""
    of = "" if stats.expected is None else f"/{stats.expected}"
    return f"Progress: {stats.total}{of} ({stats.completed} ok, {stats.failed} failed, {stats.timeout} timed out)"


def time_line(stats: Stats) -> str:
    """``Elapsed: 12:34  ETA: 2:10  67.4 tasks/s``"""
    parts = [f"Elapsed: {clock(stats.elapsed)}"]
    if stats.end_time is None and (remaining := stats.remaining) is not None:
        parts.append(f"ETA: {clock(remaining)}")
    if (rate := stats.rate) is not None:
        parts.append(f"{rate:,.0f} tasks/s" if rate >= 100 else f"{rate:.3g} tasks/s")
    return "  ".join(parts)


class Board:
    """The panel and the table; `table_only` for who shows the progress in a way of their own."""

    def __init__(self, stats: Stats, gpus: Mapping[int, Gpu], label: Callable[[TaskId], str], table_only: bool = False) -> None:
        self._stats = stats
        self._gpus = gpus
        self._label = label
        self._table_only = table_only

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        if not self._table_only:
            yield self._panel()
        elif self._stats.awaited:
            yield Text(self._stats.awaited, style="yellow")
        yield from self._workers(options.max_width < _NARROW, max(_FEWEST, console.height - _AROUND))

    def _panel(self) -> Panel:
        stats = self._stats
        lines = Table.grid(expand=True)
        lines.add_row(Text(progress_line(stats)))
        if stats.expected:
            share = min(1.0, stats.total / stats.expected)
            bar = Table.grid(expand=True, padding=(0, 1))
            bar.add_column(ratio=1)
            bar.add_column(justify="right", no_wrap=True)
            bar.add_row(ProgressBar(total=1.0, completed=share), f"{100 * share:.0f} %")
            lines.add_row(bar)
        lines.add_row(Text(time_line(stats)))
        if stats.awaited:
            lines.add_row(Text(stats.awaited, style="yellow"))
        if stats.last_error:
            lines.add_row(Text(plain(f"Last error: {stats.last_error}"), style="red", no_wrap=True, overflow="ellipsis"))
        return Panel(lines, title="Overall")

    def _workers(self, narrow: bool, rows: int) -> Iterator[RenderableType]:
        workers = sorted(self._stats.workers.items(), key=lambda pair: (_ORDER.index(pair[1].status), pair[0]))
        nodes = any(worker.node for worker in self._stats.workers.values()) and not narrow
        loads = bool(self._gpus) and not narrow
        done, bad = ("OK", "Bad") if narrow else ("Completed", "Failed")
        table = Table(expand=True, box=None, padding=(0, 1, 0, 0)) if narrow else Table(expand=True, box=box.HEAVY_HEAD)
        for name in ("GPU", *(["Machine"] if nodes else []), "Status"):
            table.add_column(name, no_wrap=True)
        table.add_column("Current", no_wrap=True, overflow="ellipsis", ratio=1)
        for name in (done, bad, *([] if narrow else ["Timed out"]), "Time", *(["Memory", "Load"] if loads else [])):
            table.add_column(name, no_wrap=True, justify="right")
        for worker_id, worker in workers[:rows]:
            table.add_row(*self._row(worker_id, worker, nodes, narrow), *(self._load(worker) if loads else ()))
        yield table
        if len(workers) > rows:
            yield Text(f"and {len(workers) - rows} more", style="dim")

    def _row(self, worker_id: int, worker: WorkerStats, nodes: bool, narrow: bool) -> Sequence[Any]:
        style, short = _SHOWN[worker.status]
        took = worker.took if worker.since is None else time.monotonic() - worker.since
        bad = [str(worker.failed + worker.timeout)] if narrow else [str(worker.failed), str(worker.timeout)]
        return (
            f"CPU {worker_id}" if worker.gpu_id is None else str(worker.gpu_id),
            *((Text(plain(worker.node)),) if nodes else ()),
            Text(short if narrow else worker.status, style=style),
            Text("" if worker.current is None else plain(self._label(worker.current))),
            str(worker.completed),
            *bad,
            "" if took is None else f"{took:.1f} s" if took < 1000 else clock(took),
        )

    def _load(self, worker: WorkerStats) -> tuple[str, str]:
        gpu = None if worker.gpu_id is None or worker.node else self._gpus.get(worker.gpu_id)
        if gpu is None:
            return "", ""
        memory = ""
        if gpu.memory_used is not None and gpu.memory_total is not None:
            memory = f"{gpu.memory_used / 2**30:.1f}/{gpu.memory_total / 2**30:.0f} GiB"
        return memory, "" if gpu.utilisation is None else f"{gpu.utilisation} %"
