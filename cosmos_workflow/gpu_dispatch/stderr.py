"""What a worker writes to its stderr: passed on as it comes, and the end of it kept, since a process that dies natively says
there why."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from . import platform

_KEPT = 4096  # bytes
_LINES = 40
_PATIENCE = 1.0  # seconds for what was written last; our own stderr may take nothing just then
_LAST = 1 << 20  # bytes that are still read after the end; another process may hold the pipe, and go on


class Stderr:
    """A pipe to be a worker's stderr, `theirs` being its end of it, and the thread that reads it."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._tail = b""
        self._ours, self.theirs = os.pipe()
        # Where a pipe can't be waited for beside something else, it is read until nobody can write there any more.
        self._over = -1 if platform.portable() else os.eventfd(0, os.EFD_CLOEXEC)
        self._lock = threading.Lock()
        self._reading, self._ended = True, False
        self._thread = threading.Thread(target=self._listen, name="gpu-dispatch-stderr", daemon=True)

    def start(self) -> None:
        """Read, now that the worker has its end."""
        self.let_go_of_theirs()
        self._thread.start()

    @property
    def tail(self) -> str:
        """The last lines; all of them once `end` has returned."""
        lines = self._tail.decode(errors="replace").strip().splitlines()
        return "\n".join(lines[-_LINES:])

    def end(self) -> None:
        """The worker is gone: take in what it wrote last, and close the pipe, if need be later."""
        if self._over >= 0:
            os.eventfd_write(self._over, 1)
        self._thread.join(_PATIENCE)
        with self._lock:
            self._ended = True
            if not self._reading:
                self.close()

    def let_go_of_theirs(self) -> None:
        """The worker's end is the worker's alone."""
        theirs, self.theirs = self.theirs, -1
        if theirs >= 0:
            os.close(theirs)

    def close(self) -> None:
        """Close what is open."""
        self.let_go_of_theirs()
        ours, over, self._ours, self._over = self._ours, self._over, -1, -1
        for fd in (ours, over):
            if fd >= 0:
                os.close(fd)

    def _listen(self) -> None:
        try:
            self._read_all()
        finally:
            with self._lock:
                self._reading = False
                if self._ended:
                    self.close()

    def _read_all(self) -> None:
        if self._over < 0:
            while self._read():
                pass
            return
        while self._over not in platform.readable([self._ours, self._over]):
            if not self._read():
                return
        left = _LAST
        while left > 0 and platform.readable([self._ours], 0) and (count := self._read()):
            left -= count

    def _read(self) -> int:
        data = os.read(self._ours, 1 << 16)
        self._tail = (self._tail + data)[-_KEPT:]
        if not self._quiet:
            with suppress(OSError):  # ours is closed
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(2, rest) :]
        return len(data)
