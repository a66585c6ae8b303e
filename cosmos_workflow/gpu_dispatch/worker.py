"""What a worker is: the class to derive from, and what it can say and hear while it works."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple
from weakref import WeakKeyDictionary

from . import files
from .channel import Channel, Frame, Kind, dumps


class TaskCancelledError(Exception):
    """Raise it in `process` once `cancelled` is true: the task is then reported as cancelled."""


class BaseWorker:
    """One device's work: `setup` once, `process` for each task, `cleanup` at the end.

    A worker lives in a process of its own, the device being the only one that its libraries can
    see (so it is ``cuda:0`` there). It is constructed without arguments.
    """

    _link: ClassVar[Link | None] = None

    def setup(self, gpu_id: int | None, seed: int, **kwargs: Any) -> None:
        """Load what the tasks need. `gpu_id` is None in a CPU worker; `seed` differs per worker."""

    def process(self, data: Any) -> Any:
        """Do one task and return its result, which must be picklable."""
        raise NotImplementedError(f"{type(self).__name__} has no process(data)")

    def cleanup(self) -> None:
        """Hand back what `setup` took. Not called after a failed setup or in a killed worker."""

    def report(self, progress: Any) -> None:
        """Send any picklable object to the parent, from any thread, while a task is running.

        Raises what pickling it raises. Does nothing outside a pool, nor in a thread that was started in an earlier task and
        outlived it (one of a pool of threads serves whatever task there is).
        """
        if self._link is not None:
            self._link.report(progress)

    @property
    def cancelled(self) -> bool:
        """True once the running task was asked to stop; cheap enough to ask at every step."""
        return self._link is not None and self._link.cancelled()

    def receive(self) -> list[Any]:
        """What was sent to the running task since the last call; never blocks."""
        return [] if self._link is None else self._link.messages()


class Boot(NamedTuple):
    """All that a worker process is told before it is set up. `preparation` is what multiprocessing's spawn
    would tell it: paths, arguments and, if the worker's class lives there, the main module. `worker` is ``module:Class``, or the
    class itself in a pickle."""

    worker: str | bytes
    gpu_id: int | None
    seed: int
    preparation: dict[str, Any]


class Link:
    """The worker's end of the channel: tasks in, reports out. `permitted`: is a task that was sent ahead still ours?"""

    def __init__(self, channel: Channel, permitted: Callable[[int], bool]) -> None:
        self.permitted = permitted
        self._channel = channel
        self._sending = threading.Lock()
        self._reading = threading.Lock()
        self._frames: deque[Frame] = deque()
        self._messages: dict[int, list[Frame]] = {}
        self._cancelled: set[int] = set()
        self._running = 0
        self._threads: WeakKeyDictionary[threading.Thread, int] = WeakKeyDictionary()

    def take(self) -> Frame:
        """The next frame that isn't about a task in hand; EOFError once the parent is gone."""
        with self._reading:
            while not self._frames:
                self._pump(wait=True)
            return self._frames.popleft()

    def begin(self, seq: int) -> None:
        """`seq` is the running task from here on."""
        self._running = seq

    def end(self) -> None:
        """No task is running; what came for tasks that are over is forgotten."""
        if threading.active_count() > 1:
            self.know_threads(self._running)
        self._running = 0
        if self._messages or self._cancelled:
            with self._reading:
                waiting = {frame.seq for frame in self._frames}
                self._cancelled &= waiting
                self._messages = {seq: messages for seq, messages in self._messages.items() if seq in waiting}

    def send(self, kind: Kind, obj: Any = None, seq: int | None = None) -> None:
        """Send about a task, the running one if not said; raises what pickling `obj` raises, before anything is sent."""
        seq = self._running if seq is None else seq
        payload = dumps(files.with_files(obj) if files.output_folders else obj)
        with self._sending:
            self._channel.put(kind, seq, payload)
            self._channel.flush(wait=True)

    def know_threads(self, seq: int) -> None:
        """The threads that weren't there before are those of task `seq`; 0: of the worker."""
        for thread in threading.enumerate():
            if not _serves_all(thread):
                self._threads.setdefault(thread, seq)

    def report(self, progress: Any) -> None:
        running = self._running
        if running and self._threads.get(threading.current_thread(), 0) in (0, running):
            self.send(Kind.PROGRESS, progress, running)

    def cancelled(self) -> bool:
        with self._reading:
            self._pump(wait=False)
            return self._running in self._cancelled

    def messages(self) -> list[Any]:
        with self._reading:
            self._pump(wait=False)
            frames = self._messages.pop(self._running, [])
        return [frame.load() for frame in frames]

    def _pump(self, wait: bool) -> None:
        for frame in self._channel.receive(wait):
            if frame.kind is Kind.CANCEL:
                self._cancelled.add(frame.seq)
            elif frame.kind is Kind.MESSAGE:
                self._messages.setdefault(frame.seq, []).append(frame)
            else:
                self._frames.append(frame)
        if self._channel.eof and wait and not self._frames:
            raise EOFError("the parent closed the channel")


def _serves_all(thread: threading.Thread) -> bool:
    """A thread that no task owns, though it may have been started in one: the main one, one of native code or of a pool."""
    pools = getattr(sys.modules.get("concurrent.futures.thread"), "_threads_queues", ())
    native = isinstance(thread, threading._DummyThread)  # pyright: ignore[reportAttributeAccessIssue]
    return thread is threading.main_thread() or native or thread in pools or type(thread).__module__ == "multiprocessing.dummy"
