"""A `Dispatcher` that shows what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Sized
from typing import Any

from rich.console import Console

from cosmos_workflow.gpu_dispatch.dispatcher import Dispatcher
from cosmos_workflow.gpu_dispatch.protocol import Event
from cosmos_workflow.gpu_dispatch.ui.view import DispatchView
from cosmos_workflow.gpu_dispatch.worker import BaseWorker


class RichDispatcher:
    """A `Dispatcher` with a `DispatchView`; usable from any thread.

    show_ui: False prints nothing. refresh_rate: pictures a second. Further keyword arguments are
    those of `Dispatcher`; what the workers print is discarded unless ``suppress_worker_output`` is
    False, since it would tear the picture.
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
        **options: Any,
    ) -> None:
        self._dispatcher = Dispatcher(worker_cls, gpu_ids, queue_size, suppress_worker_output, **options)
        self._show_ui = show_ui
        self._refresh_rate = refresh_rate
        self._console = console
        self._view(None)  # refuses what can't be shown before anything starts

    def run(
        self,
        generator: Iterable[Any],
        on_success: Callable[[int, Any, int], object] | None = None,
        on_error: Callable[[int, str, int | None], object] | None = None,
        on_timeout: Callable[[int, float, int], object] | None = None,
        on_setup_fail: Callable[[int | None, str], object] | None = None,
        on_task_start: Callable[[int, int], object] | None = None,
        on_exit: Callable[[], object] | None = None,
        base_seed: int = 42,
        task_timeout: float | None = None,
        total_tasks: int | None = None,
        *,
        on_progress: Callable[[int, Any, int], object] | None = None,
        on_event: Callable[[Event], object] | None = None,
        **setup_kwargs: Any,
    ) -> dict[str, Any]:
        """Do what `Dispatcher.run` does, every callback being optional, and return the statistics:
        total, completed, failed, timeout, start_time, and gpu_status by worker (a GPU's number) with
        status, current_task, task_start_time, completed, failed, timeout. Times are seconds since
        the epoch."""
        if total_tasks is None and isinstance(generator, Sized):
            total_tasks = len(generator)
        with self._view(total_tasks) as view:

            def both(event: Event) -> None:
                view.handle(event)
                if on_event is not None:
                    on_event(event)

            self._dispatcher.run(
                generator,
                on_success,
                on_error,
                on_timeout,
                on_setup_fail,
                on_task_start,
                on_exit,
                base_seed,
                task_timeout,
                total_tasks,
                on_progress=on_progress,
                on_event=both,
                **setup_kwargs,
            )
        return view.stats.as_dict()

    def cancel(self, task_id: int) -> None:
        """As `Dispatcher.cancel`."""
        self._dispatcher.cancel(task_id)

    def shutdown(self, graceful: bool = True, timeout: float | None = None) -> None:
        """As `Dispatcher.shutdown`."""
        self._dispatcher.shutdown(graceful, timeout)

    def _view(self, total: int | None) -> DispatchView:
        return DispatchView(total, show_ui=self._show_ui, refresh_rate=self._refresh_rate, console=self._console)
