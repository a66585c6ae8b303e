"""One run over a source of tasks: each is done on some device and reported once, by callback.

Three threads, so that none waits for another's work: the source is read in one, the pool's loop
runs in another, and the callbacks run in the caller's. A slow source delays no result, a slow
callback no limit, and Ctrl-C strikes where nothing can be left half done.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from typing import Any, Literal, Protocol, Self

from cosmos_workflow.gpu_dispatch.events import (
    CleanupFailed,
    Event,
    Outcome,
    SetupFailed,
    TaskError,
    TaskProgress,
    TaskStarted,
    TaskSuccess,
    TaskTimeout,
    WorkerDied,
)
from cosmos_workflow.gpu_dispatch.pool import PoolClosedError, WorkerPool
from cosmos_workflow.gpu_dispatch.worker import BaseWorker

_log = logging.getLogger(__name__)


class AllSetupsFailedError(RuntimeError):
    """No worker could be set up; the message holds what the last one said."""


class Observer(Protocol):
    """Who is told of every event of a run, before the callbacks are."""

    def handle(self, event: Event) -> None: ...
    def result(self) -> Any:
        """What the run returns."""


class Dispatcher:
    """Runs the tasks of a source on one worker process a device.

    worker_cls: a subclass of `BaseWorker`, or its name as ``"module:Class"``.
    gpu_ids: the devices, each once; None is a CPU worker. See `default_gpu_ids`.
    queue_size: the source is never read further ahead of the outcomes than this. As a rule it is
        read far less ahead: two tasks a worker, a few more where they are quick.
    suppress_worker_output: discard what the workers print.
    max_retries: how often a task is run again whose worker died under it.
    setup_retries: how often a setup is tried again that had gone well before, see `WorkerPool`.
    setup_timeout, cleanup_timeout, cancel_grace: seconds until a worker is killed; None for no limit.
    prefetch: small quick tasks that a worker may be sent at once.
    env: added to the workers' environment.
    stop_on_sigterm: on SIGTERM a run in the main thread asks its tasks to stop, cleans up, and returns; else the program ends.
    executor, address: "ray" for a cluster (see `ray.RayPool`, which then also says what `gpu_ids` means).
    """

    def __init__(
        self,
        worker_cls: type[BaseWorker] | str,
        gpu_ids: Sequence[int | None] | None,
        queue_size: int = 1024,
        suppress_worker_output: bool = False,
        *,
        max_retries: int = 1,
        setup_retries: int = 2,
        setup_timeout: float | None = None,
        cleanup_timeout: float | None = 10.0,
        cancel_grace: float | None = 5.0,
        prefetch: int = 16,
        env: Mapping[str, str] | None = None,
        stop_on_sigterm: bool = False,
        executor: Literal["local", "ray"] = "local",
        address: str | None = None,
    ) -> None:
        if queue_size < 1:
            raise ValueError(f"queue_size must be at least 1, not {queue_size}")
        self.worker_cls = worker_cls
        if executor not in ("local", "ray"):
            raise ValueError(f"executor must be 'local' or 'ray', not {executor!r}")
        if address is not None and executor != "ray":
            raise ValueError("an address is a Ray cluster's; it needs executor='ray'")
        self.gpu_ids = None if gpu_ids is None else list(gpu_ids)
        self._executor, self._address = executor, address
        self.queue_size = queue_size
        self._stop_on_sigterm = stop_on_sigterm
        self._patience = None if cancel_grace is None or cleanup_timeout is None else cancel_grace + cleanup_timeout
        self._options: dict[str, Any] = {
            "suppress_worker_output": suppress_worker_output,
            "max_retries": max_retries,
            "setup_retries": setup_retries,
            "setup_timeout": setup_timeout,
            "cleanup_timeout": cleanup_timeout,
            "cancel_grace": cancel_grace,
            "prefetch": prefetch,
            "env": env,
            "retire_failed_slots": True,
        }
        self._running = threading.Lock()
        self._terminated = False
        self._pool: WorkerPool | None = None
        self._run: _Run | None = None
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
        on_event: Callable[[Event], object] | None = None,
        **setup_kwargs: Any,
    ) -> Any:
        """Do every task of `generator`; a task's id is its place in it, from 0 on.

        Exactly one of `on_success`, `on_error` and `on_timeout` is called for each task, in the
        calling thread. `on_event` gets every event, before the callback that is
        meant for it. `on_exit` is called last, when no worker is left, however the run ended.
        `total_tasks` is for whoever shows the progress. `setup_kwargs` go to `BaseWorker.setup`.
        Returns nothing; a `RichDispatcher` its statistics.

        Raises, after an orderly shutdown: what a callback raised (running tasks are cancelled);
        what `generator` raised (running tasks finish first); AllSetupsFailedError;
        KeyboardInterrupt (running tasks are asked to stop; `cleanup` runs). ValueError at once for
        setup arguments named ``seed`` or ``gpu_id``.
        """
        calls: dict[type[Any], Callable[[Any], object]] = {}
        if on_success is not None:
            calls[TaskSuccess] = lambda e: on_success(e.task_id, e.data, e.worker_id)
        if on_error is not None:
            calls[TaskError] = lambda e: on_error(e.task_id, e.error, e.worker_id)
        if on_timeout is not None:
            calls[TaskTimeout] = lambda e: on_timeout(e.task_id, e.timeout, e.worker_id)
        if on_task_start is not None:
            calls[TaskStarted] = lambda e: on_task_start(e.task_id, e.worker_id)
        if on_progress is not None:
            calls[TaskProgress] = lambda e: on_progress(e.task_id, e.progress, e.worker_id)
        if on_setup_fail is not None:
            calls[SetupFailed] = lambda e: on_setup_fail(e.gpu_id, e.error)
        if total_tasks is None and isinstance(generator, Sized):
            total_tasks = len(generator)
        with self._observer(total_tasks) as observer, self._sigterm():
            log = _log_trouble if on_event is None and observer is None else _ignore
            try:
                with closing(self._stream(generator, base_seed, task_timeout, setup_kwargs)) as events:
                    for event in events:
                        if observer is not None:
                            observer.handle(event)
                        if on_event is not None:
                            on_event(event)
                        calls.get(type(event), log)(event)
            finally:
                if on_exit is not None:
                    on_exit()
        return None if observer is None else observer.result()

    def map(
        self, generator: Iterable[Any], base_seed: int = 42, task_timeout: float | None = None, **setup_kwargs: Any
    ) -> Iterator[Outcome]:
        """The tasks' outcomes as they come: `TaskSuccess`, `TaskError` or `TaskTimeout`.

        Leaving the loop early cancels what is running. Raises as `run` does.
        """
        with closing(self._stream(generator, base_seed, task_timeout, setup_kwargs)) as events:
            for event in events:
                if isinstance(event, Outcome):
                    yield event

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
        return self

    def __exit__(self, *_: object) -> None:
        """No worker is left afterwards, even of a `map` that was left half read."""
        current = self._run
        self.shutdown(graceful=False)
        if current is not None:
            current.wait()

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

    def _observer(self, total: int | None) -> AbstractContextManager[Observer | None]:
        """Who observes one run of `total` tasks, if that is known."""
        return nullcontext(None)

    def _new_pool(self, base_seed: int) -> WorkerPool:
        if self._executor == "ray":
            from cosmos_workflow.gpu_dispatch.ray import RayPool

            return RayPool(self.worker_cls, self.gpu_ids, address=self._address, base_seed=base_seed, **self._options)
        return WorkerPool(self.worker_cls, self.gpu_ids or (), base_seed=base_seed, **self._options)

    def _stream(
        self, source: Iterable[Any], base_seed: int, timeout: float | None, setup: Mapping[str, Any]
    ) -> Generator[Event, None, None]:
        """Everything that happens, from the first process to the last."""
        if not self._running.acquire(blocking=False):
            raise RuntimeError("this dispatcher is running already; make a second one")
        try:
            self._pool = pool = self._new_pool(base_seed)
            try:
                pool.warm(setup)
                self._run = _Run(pool, source, self.queue_size, timeout, setup, lambda: self._terminated)
                yield from self._run.events(self._patience)
            finally:
                pool.shutdown(graceful=False)
        finally:
            self._pool = self._run = None
            self._running.release()


class _Run:
    """One source led through one pool."""

    def __init__(
        self,
        pool: WorkerPool,
        source: Iterable[Any],
        queue_size: int,
        timeout: float | None,
        setup: Mapping[str, Any],
        terminated: Callable[[], bool],
    ) -> None:
        self._terminated = terminated
        self._pool = pool
        self._source = source
        self._queue_size = queue_size
        self._timeout = timeout
        self._setup = setup
        self._events: queue.SimpleQueue[list[Event] | None] = queue.SimpleQueue()
        self._loop_thread = threading.Thread(target=self._loop, name="gpu-dispatch-loop", daemon=True)
        self._changed = threading.Condition()
        self._allowed = min(queue_size, pool.capacity())
        self._read = 0
        self._reported = 0
        self._stopped = False
        self._exhausted = False
        self._ended = False
        self._pid = os.getpid()
        self._patience: float | None = None
        self._error: BaseException | None = None

    def events(self, patience: float | None) -> Iterator[Event]:
        """Run it. An early end leaves at most `patience` seconds to the running tasks."""
        self._patience = patience
        # Registered now, so that it comes before the end of what the pool uses (Ray).
        atexit.register(self._end_with_the_program)
        self._loop_thread.start()
        threading.Thread(target=self._feed, name="gpu-dispatch-source", daemon=True).start()
        try:
            yield from self._until_closed()
        except KeyboardInterrupt:
            self._stop()
            yield from self._until_closed()
            raise
        finally:
            self._stop()
            for _ in self._until_closed():
                pass
            atexit.unregister(self._end_with_the_program)
        self._error = self._error or self._pool.error
        if self._error is not None:
            raise self._error

    def wait(self) -> None:
        """Until the pool is closed, which needs nobody to read the events."""
        self._loop_thread.join()

    def _until_closed(self) -> Iterator[Event]:
        """What happens until the pool is closed; closes it when all is done."""
        while not self._ended and os.getpid() == self._pid:
            batch = self._events.get()
            if batch is None:
                self._ended = True
                return
            for event in batch:
                self._reported += isinstance(event, Outcome)
                yield event
            self._next_step()

    def wake(self) -> None:
        """Have `terminated` looked at."""
        self._events.put([])

    def _next_step(self) -> None:
        if self._terminated() and not self._stopped:
            self._stop()
        broken = self._pool.broken
        if broken is not None and self._error is None:
            self._error = AllSetupsFailedError(f"All workers failed during setup; the last one said:\n{broken}")
        with self._changed:
            self._allowed = self._reported + min(self._queue_size, self._pool.capacity())
            done = self._exhausted and self._reported >= self._read
            self._changed.notify()
        if done or broken is not None:
            self._pool.close(timeout=None)

    def _stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        with suppress(PoolClosedError):  # in a process that was forked off
            self._pool.cancel_all()
            self._pool.close(timeout=self._patience)

    def _end_with_the_program(self) -> None:
        """A program may end while somebody still holds our events; later no thread of ours would run any more."""
        if os.getpid() == self._pid:
            self._stop()
            self._loop_thread.join()

    def _loop(self) -> None:
        try:
            while True:
                if batch := self._pool.events():
                    self._events.put(batch)
        except PoolClosedError:
            pass
        except BaseException as error:
            self._error = error
        finally:
            self._events.put(None)

    def _feed(self) -> None:
        try:
            for data in self._source_items():
                self._pool.submit(data, task_id=self._read, setup=self._setup, timeout=self._timeout)
                self._read += 1
        except PoolClosedError:
            pass  # the run was ended early; this task was never taken on
        except BaseException as error:
            self._error = error
        finally:
            self._exhausted = True
            self._events.put([])

    def _source_items(self) -> Iterator[Any]:
        """The source, read only as far as it is allowed to be."""
        items = iter(self._source)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._read < self._allowed or self._stopped)
                if self._stopped:
                    return
            try:
                yield next(items)
            except StopIteration:
                return


def _ignore(event: Event) -> None:
    """Somebody else has had it."""


def _log_trouble(event: Event) -> None:
    """Log what no callback was given for."""
    if isinstance(event, TaskError | TaskTimeout | SetupFailed | CleanupFailed | WorkerDied):
        _log.warning("%s", event)
