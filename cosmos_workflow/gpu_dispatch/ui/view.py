"""The view of a dispatch, drawn in a terminal or as lines in a log, from the events alone; and a `Dispatcher` that has one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

from rich.console import Console
from rich.text import Text

from ..devices import Gpu, discover_gpus
from ..dispatcher import Dispatcher
from ..events import Event, PlacesAwaited, SetupFailed, TaskError, TaskId, TaskSuccess, TaskTimeout, WorkerDied
from ..worker import BaseWorker
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


class RichDispatcher(Dispatcher):
    """A `Dispatcher` with a `DispatchView`; usable from any thread.

    show_ui: False prints nothing. refresh_rate: how often a second the view is drawn. Further keyword arguments are
    those of `Dispatcher`; what the workers print is discarded unless ``suppress_worker_output`` is
    False, since it would tear the view.

    `run` returns the statistics: total, expected_total, completed, failed, timeout, setup_failures, start_time, end_time, and
    gpu_status by worker (a GPU's number) with status, current_task, task_start_time, last_duration, completed, failed, timeout.
    Times are seconds since the epoch. `timeouts` is `timeout` under the name that it has in the original.
    """

    def __init__(
        self,
        worker_cls: type[BaseWorker] | str,
        gpu_ids: Sequence[int | None] | None,
        queue_size: int = 512,
        show_ui: bool = True,
        refresh_rate: float = 2.0,
        *,
        console: Console | None = None,
        suppress_worker_output: bool = True,
        stop_on_sigterm: bool = True,
        **options: Any,
    ) -> None:
        options["stop_on_sigterm"] = stop_on_sigterm
        super().__init__(worker_cls, gpu_ids, queue_size, suppress_worker_output, **options)
        self._show_ui = show_ui
        self._refresh_rate = refresh_rate
        self._console = console
        self._observer(None)  # refuses what can't be shown before anything starts

    def _observer(self, total: int | None) -> DispatchView:
        return DispatchView(total, show_ui=self._show_ui, refresh_rate=self._refresh_rate, console=self._console)
