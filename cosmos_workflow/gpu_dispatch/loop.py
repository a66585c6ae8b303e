"""The loop of a pool: it waits on every worker's socket and on every process at once, and has the scheduler act on it."""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from .events import Event
from .scheduler import Scheduler

_REST = 0.0002  # seconds; a small part of what workers are sent ahead
_LONGEST_WAIT = 3600.0  # seconds; the system knows no wait of a month


class PoolClosedError(RuntimeError):
    """The pool was shut down."""


class Loop:
    """One turn after another, in one thread at a time; what other threads change meanwhile, they change under its lock.

    `error`: why it died, if it did. `closed`: it is over, and no process is left.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._lock = threading.Lock()
        self.closed = False
        self.error: Exception | None = None
        self._scheduler = scheduler
        self._pid = os.getpid()
        self._turn = threading.Lock()
        self._asleep = False
        self._stirred = False
        self._wake_r, self._wake_w = socket.socketpair()  # not a pipe, which can't be waited for everywhere
        self._wake_r.setblocking(False)
        self._wake_w.setblocking(False)
        scheduler.selector.register(self._wake_r, selectors.EVENT_READ, None)

    def events(self, timeout: float | None = None) -> list[Event]:
        """Run the loop once: wait until something happens, at most `timeout` seconds, and return
        it in order. Raises PoolClosedError once the pool is shut down and everything was returned."""
        with self._turn:
            try:
                return self._turn_once(timeout)
            except PoolClosedError:
                raise
            except Exception as error:  # a bug of ours or of the system: whoever waits for a task must learn of it
                with self._lock:
                    self.error = error
                    self._scheduler.give_up(f"the pool's loop failed\n{traceback.format_exc()}")
                    self._end()
                    return self._take()

    @contextmanager
    def _changing(self, but_not: str = "") -> Iterator[None]:
        """Change something that the loop then acts on. `but_not`: what a pool that is shut down refuses."""
        with self._lock:
            self._require_open(but_not)
            yield
            self._stir()

    def _require_open(self, but_not: str) -> None:
        """Raise PoolClosedError for what this process, or a pool that is shut down, doesn't do."""
        self._require_ours()
        if but_not and self._scheduler.closing:
            raise PoolClosedError(f"the pool is shut down and {but_not}")

    def _stir(self, lazily: bool = False) -> None:
        """Something changed that the loop has to act on; `lazily`: when it next wakes."""
        self._stirred = True
        if self._asleep and not lazily and not self.closed:
            self._asleep = False
            self._wake_w.send(b"\0")

    def wake(self) -> None:
        """Have `events`, if it waits, return now."""
        with self._lock:
            self._require_ours()
            if not self.closed:
                with suppress(BlockingIOError):  # there are enough wake-ups already
                    self._wake_w.send(b"\0")

    def _turn_once(self, timeout: float | None) -> list[Event]:
        if self._scheduler.well_fed(_REST):
            # Nobody needs us: better many answers at once than a switch of processes for each.
            time.sleep(_REST if timeout is None else min(timeout, _REST))
        with self._lock:
            self._require_ours()
            if self.closed and not self._scheduler.out:
                raise PoolClosedError("the pool is shut down")
            self._advance()
            if self._scheduler.out or self.closed:
                return self._take()
            wait = self._patience(timeout)
            self._asleep = True
        ready = self._scheduler.selector.select(wait)
        with self._lock:
            self._asleep = False
            self._handle([key.data for key, _ in ready])
            self._advance()
            return self._take()

    def _require_ours(self) -> None:
        if os.getpid() != self._pid:
            raise PoolClosedError("the pool belongs to the process that this one was forked off from")

    def _end(self) -> None:
        self.closed = True
        self._scheduler.selector.close()
        self._wake_r.close()
        self._wake_w.close()

    def _take(self) -> list[Event]:
        out, self._scheduler.out = self._scheduler.out, []
        return out

    def _patience(self, timeout: float | None) -> float | None:
        """Seconds until a limit has to be looked at."""
        nearest = self._scheduler.deadline()
        if nearest is None:
            return None if timeout is None else min(timeout, _LONGEST_WAIT)
        left = max(0.0, nearest - time.monotonic())
        return min(left, _LONGEST_WAIT if timeout is None else timeout)

    def _handle(self, ready: list[Any]) -> None:
        """First what was said, then who is gone: a death comes after the last word."""
        gone = []
        for data in ready:
            if data is None:
                self._wake_r.recv(4096)
                continue
            slot, process, is_sentinel = data
            if is_sentinel:
                gone.append((slot, process))
            elif slot.runs(process):
                slot.on_readable()
        for slot, process in gone:
            if slot.runs(process):
                slot.on_exit()
        self._scheduler.enforce()
        self._stirred = True

    def _advance(self) -> None:
        """Put everybody to work, or out of it, as far as that goes now."""
        if not self._stirred:
            return
        self._stirred = False
        self._scheduler.advance()
        if self._scheduler.finished:
            self._end()
