"""The worker's process, from its first line to its last."""

from __future__ import annotations

import faulthandler
import importlib
import io
import multiprocessing.process
import multiprocessing.spawn
import os
import pickle
import sys
import traceback
from functools import reduce

from . import platform
from .channel import Channel, Frame, Kind
from .events import Raised
from .permits import taker
from .worker import BaseWorker, Boot, Link, TaskCancelledError


def main(channel: int, permits: int | str, guarded: bool) -> None:
    """Serve one pool until it says EXIT, or is gone. `guarded`: in a child of this process, see `platform.leave_a_guard`."""
    if guarded:
        platform.leave_a_guard([channel, permits])
    platform.ignore_interrupts()
    sock = platform.given(channel)
    platform.die_with(_lifeline(), permits)
    faulthandler.enable()  # where it was when it died natively goes into the error, with the rest of stderr
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # else a log shows a worker's lines at its end
    wire = Channel(sock)
    platform.after_fork_in_child(wire.close)  # who is forked off in a task must not answer for it too
    link = Link(wire, taker(permits))
    try:
        if guarded:
            link.send(Kind.STARTED, os.getpid())
        if _set_up_and_work(link):
            link.send(Kind.CLOSED)
    except EOFError:
        pass  # the parent let go of us without a word: nobody is left to be told
    finally:
        wire.detach()


def _lifeline() -> int:
    """The pipe that the parent holds open; it came as standard input, where there is nothing to be read from now on."""
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return lifeline


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
