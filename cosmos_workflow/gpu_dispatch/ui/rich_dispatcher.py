"""A `Dispatcher` that shows what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from ..dispatcher import Dispatcher
from ..worker import BaseWorker
from .view import DispatchView


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
