"""The view of a dispatch, drawn in a terminal or as lines in a log, from the events alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Self

from rich.console import Console
from rich.text import Text

from ..devices import Gpu, discover_gpus
from ..events import Event, PlacesAwaited, SetupFailed, TaskError, TaskId, TaskSuccess, TaskTimeout, WorkerDied
from . import screen
from .board import Board, plain, progress_line, time_line
from .stats import Stats, last_line

_LOG_EVERY = 5.0  # seconds between two progress lines in a log
_NVML_EVERY = 2.0  # seconds between two looks at the GPUs


class DispatchView:
    """Shows what `handle` is given; a context manager.

    In a terminal a panel and a table are drawn in place, `refresh_rate` times a second, and the last state stays on the screen;
    several views on one terminal stand one above the other. Elsewhere failures are printed as they come and a progress line every
    few seconds. What can't be written is left out. With ``show_ui=False`` nothing is printed, and `stats` is kept all the same.

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
        self._drawing = show_ui and self._console.is_terminal
        self._refresh_rate = refresh_rate

    def __enter__(self) -> Self:
        if self._drawing:
            screen.show(self.render, self._console, self._refresh_rate)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.stats.finish()
        if self._drawing:
            screen.leave(self.render)
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

    def render(self, table_only: bool = False) -> Board:
        """What is shown now; or the devices alone, for who shows the progress in a way of their own."""
        with self._lock:
            stats = self.stats.copy()
            here = any(worker.gpu_id is not None and not worker.node for worker in stats.workers.values())
            return Board(stats, self._load_of_gpus() if here else {}, self._label, table_only)

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
            case PlacesAwaited(reason) if reason:
                self._print(reason)
            case WorkerDied():
                self._print(f"worker {event.worker_id} is gone: {event.reason}")
            case TaskSuccess() if time.monotonic() - self._logged >= _LOG_EVERY:
                self._log_progress()
            case _:
                pass

    def _log_progress(self) -> None:
        self._logged = time.monotonic()
        self._print(f"{progress_line(self.stats)}  {time_line(self.stats)}")

    def _print(self, line: str) -> None:
        screen.attempt(lambda: self._console.print(Text(plain(line)), soft_wrap=True))
