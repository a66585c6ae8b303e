"""One source of tasks led through one pool.

Three threads, so that none waits for another's work: the source is read in one, the pool's loop runs in another, and the
events are told in the caller's.
"""

from __future__ import annotations

import atexit
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from .events import Event, Outcome
from .loop import PoolClosedError
from .pool import WorkerPool

_GATHER = 0.0002  # seconds in which tasks are gathered before the loop is woken for them


class AllSetupsFailedError(RuntimeError):
    """No worker could be set up; the message holds what the last one said."""


class Run:
    """One run. With `keep` the pool outlives one that ends by itself, and `kept` says so; after any other the pool is closed."""

    def __init__(
        self,
        pool: WorkerPool,
        source: Iterable[Any],
        queue_size: int,
        timeout: float | None,
        setup: Mapping[str, Any],
        terminated: Callable[[], bool],
        keep: bool = False,
    ) -> None:
        self._keep = keep
        self.kept = False
        self.waiting = 0
        """Outcomes that were told and wait for one before them; they count as read ahead."""
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
            try:
                yield from self._until_closed()
            except KeyboardInterrupt:  # a second time: at once, then
                self._pool.close(graceful=False)
            raise
        finally:
            if not self.kept:
                self._stop()
            for _ in self._until_closed():
                pass
            atexit.unregister(self._end_with_the_program)
        self._error = self._error or self._pool.error
        if self._error is not None:
            raise self._error

    def wait(self) -> None:
        """Until the pool's loop is over, which needs nobody to read the events."""
        self._loop_thread.join()

    def _until_closed(self) -> Iterator[Event]:
        """What happens until the loop is over; ends it when all is done."""
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
            room = max(0, min(self._queue_size - self.waiting, self._pool.capacity()))
            self._allowed = self._reported + room
            done = self._exhausted and self._reported >= self._read
            if 4 * (self._allowed - self._read) >= room:  # not for each one, where there are many
                self._changed.notify()
        if done and self._keep and broken is None and not self._stopped and not self._pool.closed:
            self.kept = True
            self._pool.wake()
        elif done or broken is not None:
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
            while not self.kept:
                if batch := self._pool.events():
                    self._events.put(batch)
        except PoolClosedError:
            pass
        except BaseException as error:
            self._error = error
        finally:
            self._events.put(None)

    def _feed(self) -> None:
        # Of these the next item is there at once; any other may keep us waiting, and its tasks with it.
        known = len(self._source) if type(self._source) in (list, tuple, range) else 0  # pyright: ignore[reportArgumentType]
        woken = 0.0
        try:
            for data in self._source_items():
                now = time.monotonic()
                more = now - woken < _GATHER and self._read + 1 < min(self._allowed, known)
                woken = woken if more else now
                self._pool.submit(data, task_id=self._read, setup=self._setup, timeout=self._timeout, more=more)
                self._read += 1
        except PoolClosedError:
            pass  # the run was ended early; this task was never taken on
        except BaseException as error:
            self._error = error
        finally:
            self._exhausted = True
            self._events.put([])
            with suppress(PoolClosedError):
                self._pool.wake()

    def _source_items(self) -> Iterator[Any]:
        """The source, read only as far as it is allowed to be."""
        items = iter(self._source)
        while True:
            if self._read >= self._allowed:
                with self._changed:
                    self._changed.wait_for(lambda: self._read < self._allowed or self._stopped)
            if self._stopped:
                return
            try:
                yield next(items)
            except StopIteration:
                return
