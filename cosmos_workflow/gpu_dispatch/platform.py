"""What systems do in ways of their own; the rest of this package runs on each of them alike.

Linux has ways that leave nothing to chance. Where they lack, and where `portable` is asked for, everything goes the way that
works on each system. On Windows a job object holds a worker with its descendants; elsewhere a process group does.
"""

from __future__ import annotations

import base64
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PORTABLE_VARIABLE = "GPU_DISPATCH_PORTABLE"
"""Set, the portable way is taken also where there is a better one: for tests of it."""
WINDOWS = sys.platform == "win32"
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)
_LINUX = hasattr(fcntl, "F_SETSIG") and all(hasattr(os, name) for name in ("waitid", "pipe2", "eventfd", "killpg"))


def portable() -> bool:
    """Whether only what every system has is to be used."""
    return not _LINUX or bool(os.environ.get(PORTABLE_VARIABLE))


def readable(files: Sequence[Any], seconds: float | None = None) -> set[int]:
    """The numbers of those sockets that can be read, once there is one, or at the end of the wait."""
    return _ready(files, selectors.EVENT_READ, seconds)


def wait_writable(sock: socket.socket) -> None:
    """Wait until a socket takes more."""
    _ready([sock], selectors.EVENT_WRITE, None)


def _ready(files: Sequence[Any], event: int, seconds: float | None) -> set[int]:
    # By poll, which needs no file of its own and knows those beyond number 1023; Windows has only select.
    with _Selector() as selector:
        for file in files:
            selector.register(file, event)
        return {key.fd for key, _ in selector.select(seconds)}


def dont_wait() -> int:
    """The flag that has one call on a socket not wait; 0 where there is none, and the socket itself mustn't."""
    return 0 if portable() else getattr(socket, "MSG_DONTWAIT", 0)


def after_fork_in_child(call: Callable[[], None]) -> None:
    """Have `call` made in every process that is forked off from this one, where there is such a thing."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call)


def interpreter(env: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The program that runs Python as it runs here, and the environment for it."""
    base = getattr(sys, "_base_executable", sys.executable)
    if WINDOWS and base != sys.executable:  # that one only starts the other, and isn't the process that we'd hold
        return base, {**env, "__PYVENV_LAUNCHER__": sys.executable}
    return sys.executable, dict(env)


def start_family(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """`Popen` for a process that Ctrl-C doesn't reach and that `kill_family` ends."""
    if WINDOWS:
        options["creationflags"] = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    else:
        options["start_new_session"] = True
    process: Any = subprocess.Popen(command, **options)
    return process


def kill_family(process: subprocess.Popen[Any]) -> None:
    """End a process that was started with `start_family`, and its group. Not to be called once it was waited for."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def wait_for_end(process: subprocess.Popen[Any]) -> bool:
    """Wait for it; False if somebody else collected its exit code. On Linux it stays unreaped, so that its id is nobody else's;
    elsewhere its group is ended in the same moment."""
    if not portable():
        # Not a pidfd: containers forbid it often enough.
        try:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True
    process.wait()
    kill_family(process)
    return not (hasattr(signal, "SIGCHLD") and signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN)


class Family:
    """A worker's process and its descendants, but for those that started a session or a group of their own."""

    def __init__(self, process: subprocess.Popen[Any]) -> None:
        self._process = process
        self._job = _Job(process) if WINDOWS else None

    def kill(self) -> None:
        """End them all. Not to be called after the process was collected, but on Linux that is up to the caller alone."""
        if self._job is not None:
            self._job.terminate()
        elif not (portable() and self._process.returncode is not None):
            kill_family(self._process)

    def close(self) -> None:
        """Nobody is to be ended any more."""
        if self._job is not None:
            self._job.close()


def handed_down(sock: socket.socket, pipe: int | str) -> dict[str, Any]:
    """Arguments of `Popen` that let the process have a socket, and a pipe where that is one; on Windows `give` does."""
    return {} if WINDOWS else {"pass_fds": [number for number in (sock.fileno(), pipe) if isinstance(number, int)]}


def give(sock: socket.socket, process: subprocess.Popen[Any]) -> None:
    """Give a process its socket, where it doesn't inherit it: the first line of its standard input tells it how to have it."""
    if WINDOWS:
        stdin: Any = process.stdin
        stdin.write(base64.b64encode(sock.share(process.pid)) + b"\n")  # pyright: ignore[reportAttributeAccessIssue]


def given(number: int) -> socket.socket:
    """The socket that the parent gave this process."""
    if not WINDOWS:
        return socket.socket(fileno=number)
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1)
    return socket.fromshare(base64.b64decode(line))  # pyright: ignore[reportAttributeAccessIssue]


def ignore_interrupts() -> None:
    """Ctrl-C and Ctrl-Break reach the parent, which stops its workers in order."""
    for name in ("SIGINT", "SIGBREAK"):
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, signal.SIG_IGN)


def die_with(lifeline: int, leftover: int | str = -1) -> None:
    """Have this process group end the moment the lifeline's other end is closed. `leftover`: a folder that is then nobody's.

    On Linux by the kernel, since a thread of our own could not do it while native code holds the interpreter's lock, nor a
    handler while it blocks signals. fcntl(2): O_ASYNC, F_SETOWN (negative: a group), F_SETSIG. Elsewhere by such a thread; on
    Windows the parent's job object takes along whom the thread can't, on macOS such a worker stays until its call returns.
    """
    if portable():
        _watch(lifeline, True, leftover)
        return
    assert fcntl is not None  # noqa: S101
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if readable([lifeline], 0):  # closed before the kernel was asked
        os.killpg(0, signal.SIGKILL)


def exit_with(lifeline: int) -> None:
    """End this process, though no other of its group, when the lifeline's other end is closed."""
    _watch(lifeline, False)


def _watch(lifeline: int, group: bool, leftover: int | str = -1) -> None:
    threading.Thread(target=_await_end, args=(lifeline, group, leftover), name="lifeline", daemon=True).start()


def _await_end(lifeline: int, group: bool, leftover: int | str) -> None:
    with suppress(OSError):
        while os.read(lifeline, 1024):
            pass
    if isinstance(leftover, str):
        shutil.rmtree(leftover, ignore_errors=True)
    if group and hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def leave_a_guard(files: Sequence[int | str]) -> None:
    """Go on, with these files, in a child of this process, which itself stays as its guard: it ends as that one does.

    For a parent that is killed by a system (Ray) which kills the parent's own children first: the lifeline would then close
    when nobody is left to be told, and what the worker had started would stay behind. So only the guard is killed.
    """
    worker = os.fork()
    if worker == 0:
        return
    import resource

    for file in files:
        if isinstance(file, int):
            os.close(file)
    exitcode = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
    if exitcode < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), -exitcode)
    os._exit(exitcode)


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def lock_folder(folder: Path, alone: bool) -> bool:
    """Lock a folder, for us alone for a moment, or beside others until we end; False if that can't be."""
    assert fcntl is not None  # noqa: S101 - Ray's workers are on Linux
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(held, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return False
    if alone:
        os.close(held)
    return True


class _Job:
    """A job object of Windows: who is in it, and whom they start, ends with it, and it ends with this process."""

    def __init__(self, process: subprocess.Popen[Any]) -> None:
        import ctypes
        from ctypes import byref, c_uint32, c_void_p, sizeof

        self._kernel: Any = ctypes.WinDLL("kernel32", use_last_error=True)  # pyright: ignore[reportAttributeAccessIssue]
        self._kernel.CreateJobObjectW.restype = c_void_p
        self._handle = c_void_p(self._kernel.CreateJobObjectW(None, None))
        limits = _limits()
        limits.flags = 0x2000  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
        self._kernel.SetInformationJobObject(self._handle, 9, byref(limits), c_uint32(sizeof(limits)))
        self._kernel.AssignProcessToJobObject(self._handle, c_void_p(int(process._handle)))  # pyright: ignore[reportAttributeAccessIssue]

    def terminate(self) -> None:
        self._kernel.TerminateJobObject(self._handle, 1)

    def close(self) -> None:
        self._kernel.CloseHandle(self._handle)


def _limits() -> Any:
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION, of which we set one field."""
    import ctypes

    class Limits(ctypes.Structure):
        _fields_ = (
            ("times", ctypes.c_int64 * 2),
            ("flags", ctypes.c_uint32),
            ("working_set", ctypes.c_size_t * 2),
            ("processes", ctypes.c_uint32),
            ("affinity", ctypes.c_size_t),
            ("classes", ctypes.c_uint32 * 2),
            ("io", ctypes.c_uint64 * 6),
            ("memory", ctypes.c_size_t * 4),
        )

    return Limits()
