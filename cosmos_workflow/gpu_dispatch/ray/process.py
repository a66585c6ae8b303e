"""A worker's process on another machine, as the pool's loop holds it: a channel, a sentinel, a way to kill it."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pickle import PickleBuffer
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from ..channel import NOTHING, Frame, Kind, Payload, dumps
from .agent import Received, WireFrame, out_of_band

if TYPE_CHECKING:
    from .membership import Member

_BATCH = 256  # frames in one call
_BATCH_BYTES = 8 << 20
_READ_AHEAD = 1024  # frames that wait for the pool's loop; then the worker is read no further
_runs = itertools.count(1)


class Launch(NamedTuple):
    """What a process is started with."""

    name: str
    on_gpu: bool
    env: Mapping[str, str]
    quiet: bool


class RemoteChannel:
    """The pool's end of a channel: frames lie in memory, and a pipe says that there are some."""

    def __init__(self) -> None:
        self._in: list[Frame] = []
        self._out: SimpleQueue[tuple[Kind, int, Payload] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._room = threading.Event()
        self._ended = self._closed = False
        self.junk = False
        self._r, self._w = os.pipe()
        os.set_blocking(self._r, False)
        os.set_blocking(self._w, False)
        self.eof = False
        self.pending = False

    def fileno(self) -> int:
        return self._r

    def put(self, kind: Kind, seq: int = 0, payload: Payload = NOTHING) -> None:
        """Queue a frame; a thread sends it."""
        self._out.put((kind, seq, payload))

    def receive(self) -> list[Frame]:
        """What has come; sets `eof` once that was all."""
        with self._lock:
            with suppress(BlockingIOError):
                os.read(self._r, 1 << 16)
            frames, self._in = self._in, []
            self.eof = self._ended
            self._room.set()
        return frames

    drain = receive

    def deliver(self, frames: Sequence[Frame], ended: bool = False, junk: bool = False) -> None:
        """Take in what the worker said; waits if the loop is far behind, but not at the end."""
        with self._lock:
            if self._closed:
                return
            self._in += frames
            self._ended, self.junk = self._ended or ended, self.junk or junk
            if len(self._in) > _READ_AHEAD:
                self._room.clear()
            with suppress(BlockingIOError):  # it holds enough wake-ups already
                os.write(self._w, b"\0")
            crowded = len(self._in) > _READ_AHEAD and not ended
        if crowded:
            self._room.wait()

    def outgoing(self) -> list[tuple[Kind, int, Payload]] | None:
        """Wait for what is to be sent: as much as one call takes. None once nothing will come any more."""
        batch: list[tuple[Kind, int, Payload]] = []
        size = 0
        item = self._out.get()
        while item is not None:
            batch.append(item)
            size += item[2].size
            if len(batch) >= _BATCH or size >= _BATCH_BYTES:
                return batch
            try:
                item = self._out.get_nowait()
            except Empty:
                return batch
        return None

    def hang_up(self) -> None:
        """Nothing is sent any more."""
        self._out.put(None)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            os.close(self._r)
            os.close(self._w)
            self._room.set()
        self.hang_up()


class RemoteProcess:
    """Started through an actor. One thread sends to it, one call at a time; another one hears it, in the same way.

    `pid` is 0 until `Kind.STARTED` was heard. All it said is in `channel` before `sentinel` becomes readable. It is `lost` if its
    actor, and so perhaps its machine, is gone, or if it could not be ended.
    """

    def __init__(self, member: Member, launch: Launch) -> None:
        self.pid = 0
        self.lost = False
        self.reason = self.stderr = ""
        self.channel = RemoteChannel()
        self._member, self._actor = member, member.actor
        self._run = next(_runs)
        self._exitcode: int | None = None
        self._over = threading.Event()
        self._ending = threading.Lock()
        self.sentinel, self._ended = os.pipe()
        threading.Thread(target=self._send, args=(launch,), name=f"{launch.name}-out", daemon=True).start()

    def kill(self) -> None:
        """Ask for its end; it's told like any end."""
        if not self._over.is_set():
            self._actor.kill.remote(self._run)

    def reap(self) -> int | None:
        """The exit code; a process that isn't gone by now is given up, and its actor with it."""
        if not self._over.is_set():
            self._lose("its machine did not answer")
        self.channel.close()
        os.close(self.sentinel)
        return self._exitcode

    def flush(self) -> bool:
        """Nothing ever waits for the loop."""
        return True

    def permit(self, seq: int) -> bool:
        """What was sent through the cluster can't be taken back."""
        return False

    def revoke(self) -> set[int]:
        """Nothing, see `permit`."""
        return set()

    def _send(self, launch: Launch) -> None:
        try:
            ray.get(self._actor.start.remote(self._run, *launch))
            threading.Thread(target=self._receive, name=f"{launch.name}-in", daemon=True).start()
            while (batch := self.channel.outgoing()) is not None:
                ray.get(self._actor.send.remote(self._run, self._wire_frames(batch)))
        except RayActorError as error:
            self._lose(_reason(error))
        except Exception as error:
            self._end(f"the worker could not be reached: {_reason(error)}")
            self._actor.kill.remote(self._run)

    def _wire_frames(self, batch: Sequence[tuple[Kind, int, Payload]]) -> list[WireFrame]:
        frames: list[WireFrame] = []
        for kind, seq, payload in batch:
            try:
                if payload.files:
                    self._member.machine.supply(self._actor, payload.files)
            except RayActorError:
                raise
            except (OSError, RayError) as error:
                said = dumps(f"an input file could not be brought to the worker: {_reason(error)}")
                self.channel.deliver([Frame(Kind.ERROR, seq, said.pickle)])
                continue
            frames.append((int(kind), seq, out_of_band(payload.pickle), [PickleBuffer(part) for part in payload.buffers]))
        return frames

    def _receive(self) -> None:
        try:
            ended, reason = False, ""
            while not ended:
                received: Received = ray.get(self._actor.receive.remote(self._run))
                ended, reason = received.ended, received.reason
                self._exitcode, self.stderr = received.exitcode, received.stderr
                frames = [_frame(frame) for frame in received.frames]
                if frames and frames[0].kind is Kind.STARTED:
                    self.pid = frames[0].load()
                self.channel.deliver(frames, received.eof, received.junk)
            self._end(reason)
        except RayActorError as error:
            self._lose(_reason(error))
        except Exception as error:
            self._lose(f"the worker can't be received: {_reason(error)}")

    def _lose(self, reason: str) -> None:
        with self._ending:
            if self._over.is_set():
                return
            self.lost = True
        self._end(reason)
        self._member.end()

    def _end(self, reason: str = "") -> None:
        with self._ending:
            if self._over.is_set():
                return
            self._over.set()
            self.reason = reason
            self.channel.deliver([], ended=True)
            self.channel.hang_up()
            os.close(self._ended)


def _frame(frame: WireFrame) -> Frame:
    kind, seq, body, buffers = frame
    # Each in memory of its own, so that what it becomes can be written to.
    return Frame(Kind(kind), seq, bytes(body), [bytearray(memoryview(part)) for part in buffers])


def _reason(error: BaseException) -> str:
    """An error in a line; of one that was raised in an actor, what was raised there."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    said = lines[0] if lines else ""
    return said if isinstance(error, RayActorError) and said else f"{type(cause).__name__}: {said}".removesuffix(": ")
