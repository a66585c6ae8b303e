"""A dispatcher: tasks from a source, each done on some device and reported once, by callback or one after another.

The callbacks run in the caller's thread, so that Ctrl-C strikes where nothing can be left half done.
"""

from __future__ import annotations

import difflib
import inspect
import logging
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Self, Unpack

from . import events
from .options import Line, WorkerOptions, open_pool
from .pool import WorkerPool
from .run import Run
from .worker import BaseWorker

if TYPE_CHECKING:
    from .ui.view import DispatchView

_log = logging.getLogger(__name__)


class Dispatcher:
    """Runs the tasks of a source on one worker process a device.

    worker_cls: a subclass of `BaseWorker`, or its name as ``"module:Class"``. A class of a notebook, of ``python -c`` or of a
        function needs cloudpickle installed.
    gpu_ids: the devices, each once; None is a CPU worker. See `default_gpu_ids`.
    queue_size: the source is never read further ahead of the outcomes than this. As a rule it is
        read far less ahead: two tasks a worker, a few more where they are quick.
    stop_on_sigterm: on SIGTERM a run in the main thread asks its tasks to stop, cleans up, and returns; else the program ends.
    suppress_worker_output: discard what the workers print.
    Further keyword arguments are those of `WorkerOptions`.

    Each run has its own workers; within ``with Dispatcher(...) as dispatcher`` they stay, loaded, for the next one, if the run
    before it ended by itself, with the same `base_seed`.
    """

    def __init__(
        self,
        worker_cls: type[BaseWorker] | str,
        gpu_ids: Sequence[int | None] | None,
        queue_size: int = 1024,
        suppress_worker_output: bool = False,
        *,
        stop_on_sigterm: bool = False,
        **options: Unpack[WorkerOptions],
    ) -> None:
        if queue_size < 1:
            raise ValueError(f"queue_size must be at least 1, not {queue_size}")
        self.worker_cls = worker_cls
        self.gpu_ids = None if gpu_ids is None else list(gpu_ids)
        self.queue_size = queue_size
        self._stop_on_sigterm = stop_on_sigterm
        grace, cleanup = options.get("cancel_grace", 5.0), options.get("cleanup_timeout", 10.0)
        self._patience = None if grace is None or cleanup is None else grace + cleanup
        self._quiet = suppress_worker_output
        self._options = options
        self._running = threading.Lock()
        self._terminated = False
        self._keeps = False
        self._kept: tuple[int, WorkerPool] | None = None
        self._pool: WorkerPool | None = None
        self._run: Run | None = None
        self._new_pool(base_seed=0).shutdown()  # what can't work is refused here; starts nothing

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
        on_event: Callable[[events.Event], object] | None = None,
        setup: Mapping[str, Any] | None = None,
        **setup_kwargs: Any,
    ) -> Any:
        """Do every task of `generator`; a task's id is its place in it, from 0 on.

        Exactly one of `on_success`, `on_error` and `on_timeout` is called for each task, in the
        calling thread. `on_event` gets every event, before the callback that is
        meant for it. `on_exit` is called last, when no worker is left (unless they stay for the next run), however the run
        ended. `total_tasks` is for whoever shows the progress. `setup`, or what is given by name instead, goes to
        `BaseWorker.setup`. Returns nothing; a `RichDispatcher` its statistics.

        Large arrays are sent from where they lie: one that is handed out must not be changed until its task has its outcome.

        Raises, after an orderly shutdown: what a callback raised (running tasks are cancelled);
        what `generator` raised (running tasks finish first); AllSetupsFailedError;
        KeyboardInterrupt (running tasks are asked to stop; `cleanup` runs; at the second one all is killed). At once ValueError
        for setup arguments named ``seed`` or ``gpu_id``, TypeError for a callback that there isn't.
        """
        arguments = _setup_arguments(setup, setup_kwargs)
        calls: dict[type[Any], Callable[[Any], object] | None] = {
            events.TaskSuccess: None if on_success is None else lambda e: on_success(e.task_id, e.data, e.worker_id),
            events.TaskError: None if on_error is None else lambda e: on_error(e.task_id, e.error, e.worker_id),
            events.TaskTimeout: None if on_timeout is None else lambda e: on_timeout(e.task_id, e.timeout, e.worker_id),
            events.TaskStarted: None if on_task_start is None else lambda e: on_task_start(e.task_id, e.worker_id),
            events.TaskProgress: None if on_progress is None else lambda e: on_progress(e.task_id, e.progress, e.worker_id),
            events.SetupFailed: None if on_setup_fail is None else lambda e: on_setup_fail(e.gpu_id, e.error),
        }
        if total_tasks is None and isinstance(generator, Sized):
            total_tasks = len(generator)
        with self._observer(total_tasks) as observer, self._sigterm():
            log = _log_trouble if on_event is None and observer is None else lambda _event: None  # somebody has had it
            try:
                with closing(self._stream(generator, base_seed, task_timeout, arguments)) as happenings:
                    for event in happenings:
                        if observer is not None:
                            observer.handle(event)
                        if on_event is not None:
                            on_event(event)
                        (calls.get(type(event)) or log)(event)
            finally:
                if on_exit is not None:
                    on_exit()
        return None if observer is None else observer.result()

    def map(
        self,
        generator: Iterable[Any],
        base_seed: int = 42,
        task_timeout: float | None = None,
        *,
        ordered: bool = False,
        setup: Mapping[str, Any] | None = None,
        **setup_kwargs: Any,
    ) -> Iterator[events.Outcome]:
        """The tasks' outcomes: `TaskSuccess`, `TaskError` or `TaskTimeout`; ``unwrap()`` gives the result, or raises.

        They come as they are ready or, if `ordered`, in the order of the tasks; then at most `queue_size` wait for a slow one.
        Leaving the loop early cancels what is running. Arguments and errors are those of `run`.
        """
        return self._map(generator, base_seed, task_timeout, _setup_arguments(setup, setup_kwargs), Line(ordered))

    def _map(
        self, source: Iterable[Any], base_seed: int, timeout: float | None, setup: Mapping[str, Any], line: Line
    ) -> Iterator[events.Outcome]:
        with closing(self._stream(source, base_seed, timeout, setup)) as happenings:
            for event in happenings:
                if isinstance(event, events.Outcome):
                    yield from line.take(event.task_id, event)  # pyright: ignore[reportArgumentType] - a run's ids are numbers
                    if self._run is not None:
                        self._run.waiting = len(line)

    def cancel(self, task_id: int) -> None:
        """Cancel one task of the run in progress, as `WorkerPool.cancel` does; from any thread."""
        if (pool := self._pool) is not None:
            pool.cancel(task_id)

    def shutdown(self, graceful: bool = True, timeout: float | None = None) -> None:
        """End the run in progress early, from any thread or callback, without waiting for it.

        The source is read no further. `graceful`: running tasks finish and are delivered, at most
        for `timeout` seconds. What was read and not started is reported as cancelled.
        """
        if (pool := self._pool) is not None:
            pool.close(graceful, timeout)

    def __enter__(self) -> Self:
        self._keeps = True
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """No worker is left afterwards, even of a `map` that was left half read."""
        self._keeps = False
        if (current := self._run) is not None:
            self.shutdown(graceful=False)
            current.wait()
        self._let_go(graceful=kind is None)

    @contextmanager
    def _sigterm(self) -> Iterator[None]:
        """Meanwhile SIGTERM ends the run and not the program, if that is wanted and can be had in this thread."""
        if not self._stop_on_sigterm or threading.current_thread() is not threading.main_thread():
            yield
            return
        self._terminated = False
        before = signal.signal(signal.SIGTERM, self._terminate)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)

    def _terminate(self, *_: object) -> None:
        self._terminated = True
        if (run := self._run) is not None:
            run.wake()  # a handler may take no lock

    def _observer(self, total: int | None) -> AbstractContextManager[DispatchView | None]:
        """Who is told of every event of a run before the callbacks are, and what that run returns; `total`: its tasks."""
        return nullcontext(None)

    def _new_pool(self, base_seed: int) -> WorkerPool:
        return open_pool(self.worker_cls, self.gpu_ids, base_seed, self._quiet, self._options)

    def _let_go(self, graceful: bool = True) -> None:
        """End the workers that were kept."""
        kept, self._kept = self._kept, None
        if kept is not None:
            for event in kept[1].shutdown(graceful):
                _log_trouble(event)

    def _stream(
        self, source: Iterable[Any], base_seed: int, timeout: float | None, setup: Mapping[str, Any]
    ) -> Generator[events.Event, None, None]:
        """Everything that happens, from the first process to the last."""
        if not self._running.acquire(blocking=False):
            raise RuntimeError("this dispatcher is running already; make a second one")
        try:
            if self._kept is not None and self._kept[0] != base_seed:
                self._let_go()
            self._pool = pool = self._new_pool(base_seed) if self._kept is None else self._kept[1]
            self._kept = None
            try:
                pool.warm(setup)
                for slot in pool.slots():
                    if slot.state == "idle" and slot.pid is not None:
                        yield events.WorkerReady(slot.worker_id, slot.gpu_id, slot.pid, slot.node)
                self._run = Run(pool, source, self.queue_size, timeout, setup, lambda: self._terminated, self._keeps)
                yield from self._run.events(self._patience)
            finally:
                if self._run is not None and self._run.kept:
                    self._kept = base_seed, pool
                else:
                    pool.shutdown(graceful=False)
        finally:
            self._pool = self._run = None
            self._running.release()


def _setup_arguments(setup: Mapping[str, Any] | None, by_name: Mapping[str, Any]) -> Mapping[str, Any]:
    """What goes to `BaseWorker.setup`."""
    known = [name for name in inspect.signature(Dispatcher.run).parameters if name.startswith("on_")]
    for name in by_name:
        if setup is not None or name.startswith("on_"):
            near = difflib.get_close_matches(name, known, 1)
            meant = f"; did you mean {near[0]!r}?" if near else "; arguments of setup go into setup={...}"
            raise TypeError(f"unexpected argument {name!r}{meant}")
    return by_name if setup is None else setup


def _log_trouble(event: events.Event) -> None:
    """Log what no callback was given for."""
    if isinstance(event, events.TaskError | events.TaskTimeout | events.SetupFailed | events.CleanupFailed | events.WorkerDied):
        _log.warning("%s", event)
