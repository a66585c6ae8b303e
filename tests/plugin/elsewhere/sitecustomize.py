"""Python as if this were no POSIX system: what only those have is taken away before a program starts, and in all that it starts.

What we stand on has chosen its way by then, as it would have on another system. `Popen` kills by a signal that is gone.
"""

import asyncio  # noqa: F401 - see above
import concurrent.futures  # noqa: F401
import multiprocessing.spawn  # noqa: F401
import os
import select  # noqa: F401
import selectors
import shutil  # noqa: F401
import socket
import ssl  # noqa: F401
import subprocess
import sys
import tempfile  # noqa: F401
from contextlib import suppress

with suppress(ImportError):  # an interpreter without our libraries
    import filelock  # noqa: F401

_kill, _KILL = os.kill, 9


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        _kill(process.pid, _KILL)


def _pair(*_: int) -> tuple[socket.socket, socket.socket]:
    """Two ends of a connection on loopback, as Windows has it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _address = server.accept()
    for end in (ours, theirs):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ours, theirs


setattr(subprocess.Popen, "kill", _end)  # noqa: B010 - for the type checker
selectors.DefaultSelector = selectors.SelectSelector
socket.socketpair = _pair
for module in ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"):
    vars(sys)["modules"][module] = None
GONE = """
os: eventfd eventfd_write fork forkpty getpgid getpgrp getuid geteuid killpg pidfd_open pipe2 register_at_fork sched_getaffinity
os: memfd_create setsid sysconf wait waitid waitstatus_to_exitcode EFD_CLOEXEC O_ASYNC O_DIRECTORY P_PID WNOWAIT WEXITED
signal: SIGALRM SIGCHLD SIGHUP SIGIO SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGUSR1 SIGUSR2 pause pthread_sigmask
socket: AF_UNIX MSG_DONTWAIT SCM_RIGHTS
select: poll
"""
for line in GONE.strip().splitlines():
    module, _, names = line.partition(":")
    for name in names.split():
        sys.modules[module].__dict__.pop(name, None)
