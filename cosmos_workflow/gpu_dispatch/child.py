"""The worker's process, from its first line to its last."""

from __future__ import annotations

import faulthandler
import fcntl
import importlib
import io
import multiprocessing.process
import multiprocessing.spawn
import os
import pickle
import resource
import select
import signal
import socket
import sys
import traceback
from functools import reduce

from .channel import Channel, Frame, Kind
from .events import Raised
from .worker import BaseWorker, Boot, Link, TaskCancelledError


def guarded_main(channel_fd: int, lifeline_fd: int, permits_fd: int) -> None:
    """`main` in a child of this process, which ends as that one does.

    For a parent that is killed by a system (Ray) which kills the parent's own children first: the lifeline would then close
    when nobody is left to be told, and what the worker had started would stay behind. So only the guard is killed.
    """
    worker = os.fork()
    if worker == 0:
        main(channel_fd, lifeline_fd, permits_fd, tell_pid=True)
        return
    os.close(channel_fd)
    os.close(lifeline_fd)
    os.close(permits_fd)
    exitcode = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
    if exitcode < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), -exitcode)
    os._exit(exitcode)


def main(channel_fd: int, lifeline_fd: int, permits_fd: int, tell_pid: bool = False) -> None:
    """Serve one pool until it says EXIT, or is gone."""
    # Ctrl-C reaches the parent, which stops its workers in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(lifeline_fd)
    faulthandler.enable()  # where it was when it died natively goes into the error, with the rest of stderr
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # else a log shows a worker's lines at its end
    channel = Channel(socket.socket(fileno=channel_fd))
    os.register_at_fork(after_in_child=channel.close)  # who is forked off in a task must not answer for it too
    link = Link(channel, permits_fd)
    try:
        if tell_pid:
            link.send(Kind.STARTED, os.getpid())
        if _set_up_and_work(link):
            link.send(Kind.CLOSED)
    except EOFError:
        pass  # the parent let go of us without a word: nobody is left to be told
    finally:
        channel.detach()


def die_with(lifeline_fd: int) -> None:
    """Have the kernel kill this process group the moment the lifeline's other end is closed.

    A thread of our own could not do it while native code holds the interpreter's lock, nor a
    handler while it blocks signals. fcntl(2): O_ASYNC, F_SETOWN (negative: a group), F_SETSIG.
    """
    fcntl.fcntl(lifeline_fd, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline_fd, fcntl.F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(lifeline_fd, fcntl.F_GETFL)
    fcntl.fcntl(lifeline_fd, fcntl.F_SETFL, flags | os.O_ASYNC)
    poll = select.poll()  # `select` knows no file beyond number 1023
    poll.register(lifeline_fd, select.POLLIN)
    if poll.poll(0):  # closed before the kernel was asked
        os.killpg(0, signal.SIGKILL)


def _set_up_and_work(link: Link) -> bool:
    """False if setup failed; it was reported."""
    boot: Boot = link.take().load()
    setup = link.take()
    try:
        worker = _construct(boot)
        worker.setup(boot.gpu_id, boot.seed, **setup.load())
        # An instance attribute, since a subclass may not call our __init__.
        worker.__dict__["_link"] = link
    except BaseException as error:
        link.send(Kind.SETUP_FAILED, Raised.of(error))
        return False
    del setup
    link.know_threads(0)
    link.send(Kind.READY)
    while (frame := link.take()).kind is not Kind.EXIT:
        if frame.kind is Kind.RUN or link.permitted(frame.seq):
            _run(worker, link, frame)
        del frame
    try:
        worker.cleanup()
    except BaseException:
        link.send(Kind.CLEANUP_FAILED, traceback.format_exc())
    return True


def _construct(boot: Boot) -> BaseWorker:
    current = multiprocessing.process.current_process()
    # Spawn's own mark: a main module without a guard that starts workers gets its clear error.
    current._inheriting = True  # pyright: ignore[reportAttributeAccessIssue]
    try:
        multiprocessing.spawn.prepare(boot.preparation)
    finally:
        del current._inheriting  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(boot.worker, bytes):
        cls = pickle.loads(boot.worker)  # noqa: S301 - from our own parent
    else:
        module, _, path = boot.worker.partition(":")
        cls = reduce(getattr, path.split("."), importlib.import_module(module))
    if not (isinstance(cls, type) and issubclass(cls, BaseWorker)):
        raise TypeError(f"{boot.worker!r} is not a subclass of BaseWorker")
    return cls()


def _run(worker: BaseWorker, link: Link, frame: Frame) -> None:
    """Do one task and say how it ended. Nothing that `process` does wrong ends the loop."""
    link.begin(frame.seq)
    try:
        try:
            data = frame.load()
        except Exception:
            link.send(Kind.UNPICKLABLE, f"the task can't be unpickled\n{traceback.format_exc()}")
            return
        try:
            result = worker.process(data)
        except TaskCancelledError:
            link.send(Kind.CANCELLED)
            return
        except BaseException as error:
            link.send(Kind.ERROR, Raised.of(error))
            return
        try:
            link.send(Kind.SUCCESS, result)
        except Exception:
            link.send(Kind.UNPICKLABLE, f"the result can't be pickled\n{traceback.format_exc()}")
    finally:
        link.end()
