"""Tasks that were sent ahead, and may be taken back as long as the worker hasn't begun them.

Whoever of the two is first has the task. They draw from one pipe, which the worker reads before it runs such a task; where two
processes can't read one pipe without waiting, they draw by a file of the task's number, which one of them can make.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from . import platform

_MOST = 512  # tasks that a worker may hold, twice: what was permitted before these is over


class Permits(Protocol):
    """The pool's side. `theirs` is what the worker is told of it: the number of a pipe, or a folder."""

    @property
    def theirs(self) -> int | str: ...
    def put(self, seq: int) -> None:
        """Permit a task, at the next `flush`."""
        ...

    def flush(self) -> None:
        """Tell the worker."""
        ...

    def take_back(self) -> set[int]:
        """The tasks that the worker hasn't begun, and now won't."""
        ...

    def close(self) -> None: ...


def new_permits() -> Permits:
    """Of the kind that goes here."""
    return _Files() if platform.portable() else _Pipe()


class _Pipe:
    def __init__(self) -> None:
        self.theirs, self._ours = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._unsent = bytearray()

    def put(self, seq: int) -> None:
        self._unsent += seq.to_bytes(8, "little")

    def flush(self) -> None:
        if self._unsent:
            os.write(self._ours, self._unsent)
            self._unsent.clear()

    def take_back(self) -> set[int]:
        found: set[int] = set()
        with suppress(BlockingIOError):
            while data := os.read(self.theirs, 4096):
                found |= {int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)}
        return found

    def close(self) -> None:
        os.close(self.theirs)
        os.close(self._ours)


class _Files:
    def __init__(self) -> None:
        self.theirs = tempfile.mkdtemp(prefix="gpu-dispatch-")
        self._folder = Path(self.theirs)
        self._permitted: deque[int] = deque()

    def put(self, seq: int) -> None:
        self._forget(seq)  # it was taken back once, and comes again
        self._permitted.append(seq)
        if len(self._permitted) > _MOST:
            self._forget(self._permitted.popleft())

    def flush(self) -> None:
        pass

    def take_back(self) -> set[int]:
        found = {seq for seq in self._permitted if _is_first(self._folder, seq)}
        self._permitted.clear()
        return found

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _forget(self, seq: int) -> None:
        (self._folder / str(seq)).unlink(missing_ok=True)


def _is_first(folder: Path, seq: int) -> bool:
    """Make the file of a task; False if it is there."""
    try:
        (folder / str(seq)).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def taker(permits: int | str) -> Callable[[int], bool]:
    """The worker's side: says of each task that was sent ahead, in order, whether it is still the worker's."""
    if isinstance(permits, str):
        return lambda seq: _is_first(Path(permits), seq)
    drawn: list[int] = []

    def take(seq: int) -> bool:
        # Numbers and tasks come in one order, some without the other.
        if not drawn:
            try:
                drawn.append(int.from_bytes(os.read(permits, 8), "little"))
            except BlockingIOError:
                return False
        if drawn[0] != seq:
            return False
        drawn.clear()
        return True

    return take
