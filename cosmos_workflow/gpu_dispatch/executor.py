"""An executor: tasks one by one, each with a future, on workers that stay loaded."""

from __future__ import annotations

import asyncio
import atexit
import itertools
import logging
import os
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from queue import SimpleQueue
from typing import Any, Self, Unpack

from .arguments import check_limit
from .events import Event, Outcome, TaskError
from .loop import PoolClosedError
from .options import Line, WorkerOptions, open_pool
from .worker import BaseWorker

_log = logging.getLogger(__name__)


class Executor:
    """Worker processes, one a device, for whoever has tasks; in the manner of concurrent.futures, and for asyncio too.

    worker_cls, gpu_ids: as for `Dispatcher`.
    setup: the arguments of `BaseWorker.setup`. The workers begin to load when the executor is made.
    task_timeout: seconds for a task whose own limit isn't given; None for no limit.
    queue_size: `map` and `amap` read their source never further ahead than this.
    suppress_worker_output: discard what the workers print.
    on_event: told of everything that happens, progress reports included, in a thread of ours.
    Further keyword arguments are those of `WorkerOptions`.

    At the end of a ``with``, of `shutdown`, and of the program, what was submitted is finished first. All methods may be called
    from any thread. A task fails with kind "setup" if no worker can be set up.
    """

    def __init__(
        self,
        worker_cls: type[BaseWorker] | str,
        gpu_ids: Sequence[int | None] | None,
        *,
        setup: Mapping[str, Any] | None = None,
        base_seed: int = 42,
        task_timeout: float | None = None,
        queue_size: int = 1024,
        suppress_worker_output: bool = False,
        on_event: Callable[[Event], object] | None = None,
        **options: Unpack[WorkerOptions],
    ) -> None:
        if queue_size < 1:
            raise ValueError(f"queue_size must be at least 1, not {queue_size}")
        check_limit("task_timeout", task_timeout)
        self._setup = dict(setup or {})
        self._timeout = task_timeout
        self._queue_size = queue_size
        self._on_event = on_event
        self._numbers = itertools.count()
        self._sinks: dict[int, Callable[[Outcome], object]] = {}
        self._over = False
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._pool = open_pool(worker_cls, gpu_ids, base_seed, suppress_worker_output, options)
        self._pool.eager = on_event is None
        try:
            self._pool.warm(self._setup)
        except BaseException:
            self._pool.shutdown(graceful=False)
            raise
        self._thread = threading.Thread(target=self._loop, name="gpu-dispatch-executor", daemon=True)
        self._thread.start()
        atexit.register(self._end_with_the_program)

    def submit(self, data: Any, *, timeout: float | None = None) -> Future[Any]:
        """Queue a task. The future has the result or raises: TaskFailedError, TimeoutError for the task's own limit.

        It counts as pending until then, so that `Future.cancel` always works: a task that waits is dropped, one that runs is
        asked to stop, and its worker killed if it doesn't. Raises PoolClosedError, a RuntimeError, after `shutdown`.
        """
        future: Future[Any] = Future()

        def settle(outcome: Outcome) -> None:
            if future.set_running_or_notify_cancel():
                try:
                    result = outcome.unwrap()
                except Exception as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)

        number = self._submit(data, timeout, settle)
        future.add_done_callback(lambda done: self._cancel([number]) if done.cancelled() else None)
        return future

    async def asubmit(self, data: Any, *, timeout: float | None = None) -> Any:
        """One task's result, as the result of `submit`'s future. A coroutine that is cancelled cancels the task."""
        return await asyncio.wrap_future(self.submit(data, timeout=timeout))

    def map(self, source: Iterable[Any], *, ordered: bool = False, timeout: float | None = None) -> Iterator[Outcome]:
        """The outcomes of a source's tasks, whose ids are their places in it, as they are ready or, if `ordered`, in that order.

        The source is read in the caller's thread, only as far ahead as the workers need it, and at most `queue_size`. Leaving the
        loop early cancels what is running. Raises what the source raises, after the tasks that it gave.
        """
        came: SimpleQueue[tuple[int, Outcome]] = SimpleQueue()
        running: dict[int, int] = {}
        line, items, failure, place = Line(ordered), enumerate(source), None, -1
        try:
            while True:
                room = self._room(len(line))
                while items is not None and len(running) < room:
                    try:
                        place, data = next(items)
                    except StopIteration:
                        items = None
                    except Exception as error:
                        items, failure = None, error
                    else:
                        running[place] = self._submit(data, timeout, lambda outcome, at=place: came.put((at, outcome)))
                if not running:
                    break
                place, outcome = came.get()
                del running[place]
                yield from line.take(place, replace(outcome, task_id=place))
            if failure is not None:
                raise failure
        finally:
            self._cancel(running.values())

    async def amap(
        self, source: Iterable[Any] | AsyncIterable[Any], *, ordered: bool = False, timeout: float | None = None
    ) -> AsyncIterator[Outcome]:
        """`map` for ``async for``, whose source may be asynchronous too; an ordinary one is read in the event loop."""
        loop = asyncio.get_running_loop()
        came: asyncio.Queue[tuple[int, Outcome] | None] = asyncio.Queue()
        running: dict[int, int] = {}
        line, changed = Line(ordered), asyncio.Event()

        def tell(item: tuple[int, Outcome]) -> None:
            with suppress(RuntimeError):  # the event loop was closed, and nobody waits
                loop.call_soon_threadsafe(came.put_nowait, item)

        async def feed() -> None:
            try:
                place = 0
                async for data in _asynchronously(source):
                    running[place] = self._submit(data, timeout, lambda outcome, at=place: tell((at, outcome)))
                    place += 1
                    while len(running) >= self._room(len(line)):
                        changed.clear()
                        await changed.wait()
            finally:
                came.put_nowait(None)

        feeder = asyncio.create_task(feed())
        try:
            while running or not feeder.done():
                if (item := await came.get()) is None:
                    await asyncio.wait([feeder])
                    continue
                place, outcome = item
                del running[place]
                changed.set()
                for ready in line.take(place, replace(outcome, task_id=place)):
                    yield ready
            await feeder
        finally:
            feeder.cancel()
            self._cancel(running.values())
            await asyncio.gather(feeder, return_exceptions=True)  # what it raised was raised above, or nobody wants it any more

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks, finish those that were submitted, or cancel them, and let the workers clean up and leave.

        Returns when no worker is left, unless `wait` is False. A second call may be less patient.
        """
        with self._lock:
            self._over = True
        with suppress(PoolClosedError):
            if cancel_futures:
                self._pool.cancel_all()
            self._pool.wake()
        if wait and threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.shutdown(cancel_futures=kind is not None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        await asyncio.to_thread(self.shutdown, cancel_futures=kind is not None)

    def _room(self, waiting: int) -> int:
        """How many tasks may be under way while `waiting` outcomes wait for one before them."""
        return max(1, min(self._queue_size - waiting, self._pool.capacity()))

    def _submit(self, data: Any, timeout: float | None, sink: Callable[[Outcome], object]) -> int:
        with self._lock:
            if self._over:
                raise PoolClosedError("the executor is shut down and takes no more tasks")
            number = next(self._numbers)
            self._sinks[number] = sink
        try:
            self._pool.submit(data, task_id=number, setup=self._setup, timeout=self._timeout if timeout is None else timeout)
        except BaseException:
            self._sinks.pop(number, None)
            with suppress(PoolClosedError):
                self._pool.wake()  # it may have been the last one
            raise
        return number

    def _cancel(self, numbers: Iterable[int]) -> None:
        with suppress(PoolClosedError):  # everything is over
            for number in list(numbers):
                self._pool.cancel(number)

    def _loop(self) -> None:
        try:
            closing = False
            while True:
                if self._over and not self._sinks and not closing:
                    closing = True
                    self._pool.close()
                for event in self._pool.events():
                    self._tell(event)
        except PoolClosedError:
            pass
        finally:
            atexit.unregister(self._end_with_the_program)
            with self._lock:
                self._over = True
                left, self._sinks = self._sinks, {}
            for number, sink in left.items():  # the pool was closed between taking a number and the task
                sink(TaskError(number, "the executor was shut down", None, "cancelled"))

    def _tell(self, event: Event) -> None:
        if self._on_event is not None:
            try:
                self._on_event(event)
            except Exception:
                _log.exception("on_event failed with %s", event)
        if isinstance(event, Outcome) and isinstance(event.task_id, int) and (sink := self._sinks.pop(event.task_id, None)):
            sink(event)

    def _end_with_the_program(self) -> None:
        if os.getpid() == self._pid:
            self.shutdown()


async def _asynchronously(source: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    if isinstance(source, AsyncIterable):
        async for item in source:
            yield item
    else:
        for item in source:
            yield item
