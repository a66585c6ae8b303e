"""The view of a dispatch, drawn in a terminal or as lines in a log, from the events alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cosmos_workflow.gpu_dispatch.devices import Gpu, discover_gpus
from cosmos_workflow.gpu_dispatch.events import (
    Event,
    SetupFailed,
    TaskError,
    TaskId,
    TaskSuccess,
    TaskTimeout,
    WorkerDied,
)
from cosmos_workflow.gpu_dispatch.ui.stats import Stats, Status, WorkerStats, last_line

_STYLES: dict[Status, str] = {
    "initializing": "blue",
    "processing": "yellow",
    "idle": "green",
    "finished": "bold green",
    "error": "bold red",
}
_LOG_EVERY = 5.0  # seconds between two progress lines in a log
_NVML_EVERY = 2.0  # seconds between two looks at the GPUs


class DispatchView:
    """Shows what `handle` is given; a context manager.

    In a terminal a panel and a table are drawn in place, `refresh_rate` times a second, and the
    last state stays on the screen. Elsewhere failures are printed as they come and a progress line
    every few seconds; what can't be written is left out. With ``show_ui=False`` nothing is printed, and
    `stats` is kept all the same.

    total: how many tasks there will be, for the share and the time left.
    label: the text shown for a task's id.
    """

    def __init__(
        self,
        total: int | None = None,
        *,
        show_ui: bool = True,
        refresh_rate: float = 2.0,
        console: Console | None = None,
        label: Callable[[TaskId], str] = str,
    ) -> None:
        if not refresh_rate > 0:
            raise ValueError(f"refresh_rate must be above 0, not {refresh_rate}")
        self.stats = Stats(expected=total)
        self._console = console or Console()
        self._label = label
        self._lock = threading.Lock()
        self._logging = show_ui and not self._console.is_terminal
        self._logged = time.monotonic()
        self._gpus: list[Gpu] = []
        self._asked = float("-inf")
        self._live: Live | None = None
        if show_ui and self._console.is_terminal:
            self._live = _LastingLive(
                console=self._console,
                get_renderable=self.render,
                refresh_per_second=refresh_rate,
                transient=False,
            )

    def __enter__(self) -> Self:
        if self._live is not None and not _try(lambda live=self._live: live.start(refresh=True)):
            self._live = None
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.stats.finish()
        if self._live is not None:
            _try(self._live.stop)
        elif self._logging:
            self._log_progress()

    def handle(self, event: Event) -> None:
        """Take one event in; from any thread."""
        with self._lock:
            self.stats.handle(event)
        if self._logging:
            self._log(event)

    def result(self) -> dict[str, Any]:
        """The statistics, see `Stats.as_dict`."""
        return self.stats.as_dict()

    def render(self) -> Group:
        """What is shown now."""
        with self._lock:
            return Group(self._panel(), self._table())

    def table(self) -> Table:
        """The devices alone, for who shows the progress in a way of their own."""
        with self._lock:
            return self._table()

    def progress_line(self) -> str:
        """``Progress: 847/1000 (820 ok, 15 failed, 12 timed out)``"""
        stats = self.stats
        of = "" if stats.expected is None else f"/{stats.expected}"
        counts = f"{stats.completed} ok, {stats.failed} failed, {stats.timeout} timed out"
        return f"Progress: {stats.total}{of} ({counts})"

    def _time_line(self) -> str:
        remaining = self.stats.remaining if self.stats.end_time is None else None
        line = f"Elapsed: {clock(self.stats.elapsed)}"
        return line if remaining is None else f"{line}  ETA: {clock(remaining)}"

    def _panel(self) -> Panel:
        lines = [Text(self.progress_line()), Text(self._time_line())]
        if self.stats.last_error:
            text = f"Last error: {self.stats.last_error}"
            lines.append(Text(text, style="red", no_wrap=True, overflow="ellipsis"))
        return Panel(Group(*lines), title="Overall")

    def _table(self) -> Table:
        here = any(worker.gpu_id is not None and not worker.node for worker in self.stats.workers.values())
        gpus = self._load_of_gpus() if here else {}
        nodes = any(worker.node for worker in self.stats.workers.values())
        names = ["GPU", *(["Machine"] if nodes else []), "Status", "Current", "Completed", "Failed", "Time"]
        names += ["Memory", "Load"] if gpus else []
        table = Table(*names, expand=True)
        for worker_id, worker in sorted(self.stats.workers.items()):
            table.add_row(*self._row(worker_id, worker, nodes), *_load_cells(gpus, worker.gpu_id if not worker.node else None))
        return table

    def _row(self, worker_id: int, worker: WorkerStats, nodes: bool) -> Sequence[Any]:
        now = time.time()
        took = worker.took if worker.started is None else now - worker.started
        return (
            f"CPU {worker_id}" if worker.gpu_id is None else str(worker.gpu_id),
            *((worker.node,) if nodes else ()),
            Text(worker.status, style=_STYLES[worker.status]),
            Text("" if worker.current is None else self._label(worker.current)),
            str(worker.completed),
            str(worker.failed + worker.timeout),
            "" if took is None else f"{took:.1f} s",
        )

    def _load_of_gpus(self) -> dict[int, Gpu]:
        if time.monotonic() - self._asked >= _NVML_EVERY:
            self._gpus, self._asked = discover_gpus(), time.monotonic()
        return {gpu.id: gpu for gpu in self._gpus}

    def _log(self, event: Event) -> None:
        match event:
            case TaskError():
                self._print(f"task {self._label(event.task_id)} failed: {last_line(event.error)}")
            case TaskTimeout():
                self._print(f"task {self._label(event.task_id)} took longer than {event.timeout:g} s")
            case SetupFailed():
                self._print(f"setup of worker {event.worker_id} failed: {last_line(event.error)}")
            case WorkerDied():
                self._print(f"worker {event.worker_id} is gone: {event.reason}")
            case TaskSuccess() if time.monotonic() - self._logged >= _LOG_EVERY:
                self._log_progress()
            case _:
                pass

    def _log_progress(self) -> None:
        self._logged = time.monotonic()
        self._print(f"{self.progress_line()}  {self._time_line()}")

    def _print(self, line: str) -> None:
        _try(lambda: self._console.print(Text(line), soft_wrap=True))


class _LastingLive(Live):
    """Drawn by a thread of its own, too."""

    def refresh(self) -> None:
        _try(super().refresh)


def _try(show: Callable[[], object]) -> bool:
    """Show something, and whether it was; where the output is closed, full or of another encoding, the work goes on without."""
    # rich ends the program with SystemExit where nobody reads any more.
    with suppress(OSError, ValueError, SystemExit):
        show()
        return True
    return False


def _load_cells(gpus: dict[int, Gpu], gpu_id: int | None) -> tuple[str, ...]:
    if not gpus:
        return ()
    gpu = None if gpu_id is None else gpus.get(gpu_id)
    if gpu is None:
        return "", ""
    memory = ""
    if gpu.memory_used is not None and gpu.memory_total is not None:
        memory = f"{gpu.memory_used / 2**30:.1f}/{gpu.memory_total / 2**30:.0f} GiB"
    return memory, "" if gpu.utilisation is None else f"{gpu.utilisation} %"


def clock(seconds: float) -> str:
    """``0:07``, ``12:34``, ``1:02:03``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
