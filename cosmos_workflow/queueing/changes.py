"""Who wants to know of a change, and is told in the thread that makes it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Changes:
    """The changes of one thing. `version` grows with each; every method may be called from any thread.

    Listeners are called where the change is made, under whatever locks are held there: they must neither block nor ask the
    changed thing anything, only wake whoever does. `threading.Event.set` and `loop.call_soon_threadsafe` are such listeners.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[object, Callable[[], object]] = {}
        self.version = 0

    def subscribe(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Call `listener` at every change from now on; returns what ends that."""
        key = object()
        with self._lock:
            self._listeners[key] = listener

        def unsubscribe() -> None:
            with self._lock:
                self._listeners.pop(key, None)

        return unsubscribe

    def notify(self) -> None:
        """Something changed."""
        with self._lock:
            self.version += 1
            listeners = tuple(self._listeners.values())
        for listener in listeners:
            listener()

    @contextmanager
    def watch(self) -> Iterator[Callable[[float | None], bool]]:
        """For a thread that follows the changes: gives a function that waits for the next one, at most so many seconds.

        It returns whether something changed since it was last called; the first call returns at once.
        """
        changed = threading.Event()
        changed.set()

        def wait(timeout: float | None = None) -> bool:
            happened = changed.wait(timeout)
            changed.clear()
            return happened

        unsubscribe = self.subscribe(changed.set)
        try:
            yield wait
        finally:
            unsubscribe()
