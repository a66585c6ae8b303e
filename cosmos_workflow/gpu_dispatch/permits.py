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

from . import platform

_FOLDERS = "gpu-dispatch-permits-"
_MARK = "in-use"
_MOST = 512  # tasks that a worker may hold, twice: what was permitted before these is over


def new_permits() -> _Pipe | _Files:
    """The pool's side, of the kind that goes here; `theirs` is what the worker is told of it: a pipe's number, or a folder."""
    return _Files() if platform.portable() else _Pipe()


class _Pipe:
    """See `new_permits`; `let_go` is for a process that was forked off and isn't the pool's."""

    def __init__(self) -> None:
        self.theirs, self._ours = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._unsent = bytearray()

    def put(self, seq: int) -> None:
        """Permit a task, at the next `flush`."""
        self._unsent += seq.to_bytes(8, "little")

    def flush(self) -> None:
        if self._unsent:
            os.write(self._ours, self._unsent)
            self._unsent.clear()

    def take_back(self) -> set[int]:
        """The tasks that the worker hasn't begun, and now won't."""
        found: set[int] = set()
        with suppress(BlockingIOError):
            while data := os.read(self.theirs, 4096):
                found |= {int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)}
        return found

    def close(self) -> None:
        os.close(self.theirs)
        os.close(self._ours)

    let_go = close


class _Files:
    """As `_Pipe`, by a file for each task that was begun or taken back."""

    def __init__(self) -> None:
        _sweep()
        self._folder, self._mark = _new_folder()
        self.theirs = str(self._folder)
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

    def let_go(self) -> None:
        os.close(self._mark)

    def close(self) -> None:
        os.close(self._mark)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _forget(self, seq: int) -> None:
        (self._folder / str(seq)).unlink(missing_ok=True)


def _new_folder() -> tuple[Path, int]:
    """A folder with an open file in it, which shows that it is somebody's as long as we live."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_FOLDERS))
        mark = os.open(folder / _MARK, os.O_RDWR | os.O_CREAT)
        if platform.fcntl is not None:
            platform.fcntl.flock(mark, platform.fcntl.LOCK_EX)
        if (folder / _MARK).exists():
            return folder, mark
        os.close(mark)  # somebody swept, before it was ours


def _sweep() -> None:
    """Remove the folders of pools that were killed together with their workers."""
    if platform.fcntl is None and not platform.WINDOWS:
        return  # nothing tells whether a folder is still somebody's
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDERS}*"):
        with suppress(OSError):  # not ours to remove, or just removed by another one
            if platform.fcntl is not None:
                mark = os.open(folder / _MARK, os.O_RDWR)
                try:
                    platform.fcntl.flock(mark, platform.fcntl.LOCK_EX | platform.fcntl.LOCK_NB)
                    (folder / _MARK).unlink()
                finally:
                    os.close(mark)
            else:
                (folder / _MARK).unlink()  # Windows removes no file that is open
            shutil.rmtree(folder)


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
