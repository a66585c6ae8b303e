"""The way of tasks to the workers of one pool and of events back, over the one thread that listens to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Protocol

from cosmos_workflow.errors import UnavailableError
from cosmos_workflow.gpu_dispatch.events import Event, Outcome, SlotStatus, WorkerStarted
from cosmos_workflow.gpu_dispatch.pool import PoolClosedError
from cosmos_workflow.ids import new_id


class Pool(Protocol):
    """What a pool of workers must offer: `gpu_dispatch.WorkerPool` on this machine, the Ray executor on a cluster."""

    def submit(
        self, data: Any, *, task_id: Any = None, setup: Mapping[str, Any] | None = None, timeout: float | None = None
    ) -> Any: ...
    def cancel(self, task_id: Any) -> None: ...
    def send(self, task_id: Any, message: Any) -> None: ...
    def events(self, timeout: float | None = None) -> list[Event]: ...
    def warm(self, setup: Mapping[str, Any] | None = None) -> None: ...
    def unload(self) -> None: ...
    def slots(self) -> list[SlotStatus]: ...
    def shutdown(self, graceful: bool = True) -> list[Event]: ...


class TaskRouter:
    """Hands tasks to the pool from any thread; each caller reads the events of its own task.

    Tasks start in the order in which they were handed in: sessions that hand in one batch at a time take turns.
    `on_event` sees every event, in the listener's thread. Once no task was there for `unload_after` seconds, the workers go, and
    their memory with them; None keeps them.
    """

    def __init__(
        self,
        make_pool: Callable[[], Pool],
        on_event: Callable[[Event], None] | None = None,
        unload_after: float | None = None,
    ) -> None:
        self._make_pool = make_pool
        self._pool: Pool | None = None
        self._lock = threading.Lock()
        self._routes: dict[Any, SimpleQueue[Event]] = {}
        self._closing = False
        self._thread: threading.Thread | None = None
        self._on_event = on_event
        self._unload_after = unload_after
        self._idle_since: float | None = None

    def submit(self, data: Any, setup: Mapping[str, Any]) -> tuple[str, SimpleQueue[Event]]:
        """Hand in a task; its events arrive in the queue that is returned, the last of them its outcome."""
        task_id = new_id("task")
        route: SimpleQueue[Event] = SimpleQueue()
        with self._lock:
            if self._closing:
                raise UnavailableError("The program is shutting down; start it again.")
            pool = self._open()
            self._routes[task_id] = route
            self._idle_since = None
            pool.submit(data, task_id=task_id, setup=setup)
        return task_id, route

    def warm(self, setup: Mapping[str, Any]) -> None:
        """Have the workers load what tasks with this setup will need."""
        with self._lock:
            if not self._closing:
                self._open().warm(setup)
                self._idle_since = None if self._routes else time.monotonic()

    def cancel(self, task_id: str) -> None:
        """Ask a task to stop; a worker that doesn't notice in time is replaced."""
        if self._pool is not None and task_id in self._routes:
            self._pool.cancel(task_id)

    def send(self, task_id: str, message: Any) -> None:
        """Tell a running task something."""
        if self._pool is not None and task_id in self._routes:
            self._pool.send(task_id, message)

    def unload(self) -> None:
        """Idle workers go, and their memory with them; the next task loads its engine again."""
        if self._pool is not None:
            self._pool.unload()

    def slots(self) -> list[SlotStatus]:
        """The state of each device; empty before the first task."""
        return [] if self._pool is None else self._pool.slots()

    @property
    def closing(self) -> bool:
        """Whether `close` was called: what ends from now on ends because of that."""
        return self._closing

    def close(self, graceful: bool = False) -> None:
        """Stop the workers, running tasks too unless `graceful`; every task that was still open gets its outcome."""
        with self._lock:
            self._closing = True
            pool, thread = self._pool, self._thread
        if pool is None or thread is None:
            return
        for event in pool.shutdown(graceful=graceful):
            self._route(event)
        thread.join()

    def _open(self) -> Pool:
        if self._pool is None:
            self._pool = self._make_pool()
            self._thread = threading.Thread(target=self._listen, args=(self._pool,), name="task-router", daemon=True)
            self._thread.start()
        return self._pool

    def _listen(self, pool: Pool) -> None:
        with suppress(PoolClosedError):
            while True:
                for event in pool.events(timeout=self._idle_left()):
                    self._route(event)
                self._unload_idle(pool)

    def _idle_left(self) -> float | None:
        """Seconds until idle workers go; None where none will."""
        since = self._idle_since
        return None if since is None or self._unload_after is None else max(0.0, since + self._unload_after - time.monotonic())

    def _unload_idle(self, pool: Pool) -> None:
        with self._lock:  # no task comes in between
            if self._idle_left() == 0 and not self._closing:
                pool.unload()
                self._idle_since = None

    def _route(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(event)
        task_id = self._task_of(event)
        with self._lock:
            is_last = isinstance(event, Outcome)
            route = self._routes.pop(task_id, None) if is_last else self._routes.get(task_id)
            if is_last and not self._routes:
                self._idle_since = time.monotonic()
        if route is not None:
            route.put(event)

    def _task_of(self, event: Event) -> Any:
        if isinstance(event, WorkerStarted) and self._pool is not None:
            # A worker that is started loads the engine of the task that waits for it.
            return next((slot.task_id for slot in self._pool.slots() if slot.worker_id == event.worker_id), None)
        return getattr(event, "task_id", None)
