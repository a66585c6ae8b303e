"""A worker's process as its parent holds it: started, watched, killed with all its descendants."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.process import ORIGINAL_DIR  # pyright: ignore[reportAttributeAccessIssue]
from pathlib import Path
from typing import IO, Any, Protocol, cast

from . import platform
from .channel import Channel, Frame, Kind, Payload
from .permits import new_permits
from .stderr import Stderr

_CHILD = f"{__package__}.child"


class Wire(Protocol):
    """The pool's end of what it says to a worker and hears from it; see `Channel`."""

    @property
    def eof(self) -> bool: ...
    @property
    def junk(self) -> bool: ...
    @property
    def pending(self) -> bool: ...
    def fileno(self) -> int: ...
    def put(self, kind: Kind, seq: int = 0, payload: Payload = ...) -> None: ...
    def receive(self) -> list[Frame]: ...
    def drain(self) -> list[Frame]: ...


class Process(Protocol):
    """A worker's process as a pool needs it, on this machine (`WorkerProcess`) or on another.

    `pid` is 0 until it is known; `Kind.STARTED` is heard then. `lost`: its machine is gone, and `reason` says how that showed.
    `stderr`: once it has ended, the last lines that it wrote there.
    """

    @property
    def pid(self) -> int: ...
    @property
    def sentinel(self) -> int: ...
    @property
    def channel(self) -> Wire: ...
    @property
    def lost(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def stderr(self) -> str: ...
    def kill(self) -> None: ...
    def reap(self) -> int | None: ...
    def flush(self) -> bool:
        """Send what is in the channel, and before that what is permitted; True once nothing is left."""
        ...

    def permit(self, seq: int) -> bool:
        """Let the worker run a task that is sent ahead; False if there is no need, since it can't be forbidden again."""
        ...

    def revoke(self) -> set[int]:
        """Forbid what was permitted and hasn't begun: the numbers of these tasks."""
        ...


class WorkerProcess:
    """A fresh interpreter in a family of its own, told nothing but the numbers of its files.

    The environment is in place before its first import. `sentinel` becomes readable when the process has ended, whoever else
    holds its pipes; until `reap`, its id can't have been given to another one when it is signalled. `guarded`: the worker is a
    child of that process, see `platform.leave_a_guard`. `path`: where it looks for modules, by default where we do.
    """

    lost = False
    reason = ""

    def __init__(
        self, name: str, env: Mapping[str, str], quiet: bool, guarded: bool = False, path: Sequence[str] | None = None
    ) -> None:
        ours, theirs = socket.socketpair()
        self._permits = new_permits()
        self._collected = False
        self._stderr = Stderr(quiet)
        program, env = platform.interpreter(env)
        # In our own order, so that nothing comes before the standard library that doesn't here; and this package is the same one.
        path = search_path() if path is None else path
        arguments = theirs.fileno(), self._permits.theirs, guarded
        code = f"import sys; sys.path[:] = {list(path)!r}; from {_CHILD} import main; main{arguments}"
        try:
            self._popen = platform.start_family(
                [program, *interpreter_flags(), "-c", code, name],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL if quiet else None,
                stderr=self._stderr.theirs,
                env=env,
                **platform.handed_down(theirs, self._permits.theirs),
            )
        except BaseException:
            ours.close()
            theirs.close()
            self._stderr.close()
            self._permits.close()
            raise
        self._family = platform.Family(self._popen)
        # Held open by nothing but this object and so, at the latest, as long as our process lives.
        self._lifeline = cast("IO[bytes]", self._popen.stdin)
        with theirs, suppress(OSError):  # it may be gone already, which is told like any end
            platform.give(theirs, self._popen)
        self.pid = self._popen.pid
        self.channel = Channel(ours)
        self._over, self._ended = socket.socketpair()
        self.sentinel = self._over.fileno()
        _here.add(self)
        self._stderr.start()
        self._told = False
        self._watcher = threading.Thread(target=self._watch, name=name, daemon=True)
        self._watcher.start()

    @property
    def stderr(self) -> str:
        """Once it has ended: the last lines that it wrote there."""
        return self._stderr.tail

    def kill(self) -> None:
        """End the process and its descendants at once, but for those that started a session or a
        group of their own. Not to be called after `reap`."""
        self._family.kill()

    def reap(self) -> int | None:
        """The exit code, negative for a signal; None if it still runs (a call stuck in the kernel) or nobody knows, because
        someone else collected it. What it left behind in its group is killed; all is closed."""
        self.kill()
        exitcode = None if self._collected else self._popen.poll()
        if self._collected:
            self._popen.returncode, self.reason = 0, "the process ended; how is not known, since SIGCHLD is ignored here"
        _here.discard(self)
        self._family.close()
        self.channel.close()
        self._lifeline.close()
        self._over.close()
        self._permits.close()
        if self._told:  # it has nothing left to do but to close its end
            self._watcher.join()
        return exitcode

    def permit(self, seq: int) -> bool:
        """Let the worker run a task that is sent ahead, by the next `flush`; there is room for some hundreds."""
        self._permits.put(seq)
        return True

    def flush(self) -> bool:
        """Send what is permitted, then what is in the channel; True once nothing is left."""
        self._permits.flush()
        return self.channel.flush()

    def revoke(self) -> set[int]:
        """Forbid what was permitted and hasn't begun: the numbers of these tasks."""
        return self._permits.take_back()

    def _watch(self) -> None:
        self._collected = not platform.wait_for_end(self._popen)
        self._stderr.end()
        with self._ended, suppress(OSError):  # given up and reaped already
            self._told = True
            self._ended.send(b"\0")  # a process that was forked off may hold it too, and then there is no end of it

    def _let_go(self) -> None:
        """In a process that was forked off: the worker is the parent's alone, whose end it must notice."""
        self._lifeline.close()
        self.channel.close()
        self._stderr.close()
        self._permits.let_go()
        self._over.close()
        self._ended.close()


_here: set[WorkerProcess] = set()
"""The workers that this process has."""


def _let_all_go() -> None:
    for process in _here:
        process._let_go()
    _here.clear()


platform.after_fork_in_child(_let_all_go)


def interpreter_flags() -> list[str]:
    """What this interpreter was started with (-O, -W, -X and the like), as spawn passes it on, and every -X."""
    known = {"dev", "faulthandler", "tracemalloc", "importtime", "frozen_modules", "showrefcount", "utf8"}
    others = [f"-X{name}" if value is True else f"-X{name}={value}" for name, value in sys._xoptions.items() if name not in known]
    return [*subprocess._args_from_interpreter_flags(), *others]  # pyright: ignore[reportAttributeAccessIssue]


def search_path() -> list[str]:
    """Where this process looks for modules, as another one can do it."""
    try:
        return [str(Path(path).absolute()) for path in sys.path]
    except FileNotFoundError:  # the working folder was deleted
        return [path for path in sys.path if Path(path).is_absolute()]


def preparation(with_main: bool, same_machine: bool) -> dict[str, Any]:
    """What multiprocessing's spawn would tell a process; with the main module where the worker's class lives there."""
    data: dict[str, Any] = {"sys_argv": sys.argv}
    if same_machine:
        data["sys_path"] = search_path()
        with suppress(FileNotFoundError):  # it was deleted
            data["dir"] = str(Path.cwd())
    # As in spawn's `get_preparation_data`, which fails in a folder that was deleted.
    main = sys.modules["__main__"]
    if with_main and getattr(main, "__spec__", None) is not None:
        data["init_main_from_name"] = main.__spec__.name  # pyright: ignore[reportOptionalMemberAccess]
    elif with_main and (file := getattr(main, "__file__", None)) is not None:
        data["init_main_from_path"] = os.path.normpath(Path(ORIGINAL_DIR or "") / file)
    return data


def describe_exit(exitcode: int | None, which: str = "the process") -> str:
    """How a process ended, in words."""
    if exitcode is None:
        return f"{which} could not be ended"
    if exitcode >= 0:
        return f"{which} exited with code {exitcode}"
    try:
        return f"{which} was killed by {signal.Signals(-exitcode).name} (signal {-exitcode})"
    except ValueError:
        return f"{which} was killed by signal {-exitcode}"
