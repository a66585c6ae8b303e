"""Frames over a stream socket: a header, a pickle, and large buffers beside it, sent from where they lie and received into what
they will be. Nothing here blocks unless asked to, so one slow or dead peer never holds up a loop over many."""

from __future__ import annotations

import copyreg
import io
import itertools
import pickle
import socket
import struct
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from . import platform, tensors

_HEADER = struct.Struct("<4sBHQQ")  # mark, kind, number of buffers, task number, length of the pickle
_MARK = b"\x93gd1"  # what doesn't begin with it was not written by us
_MAX_BYTES = 1 << 40
_READ = 1 << 16  # bytes; more would be mapped and unmapped at every read
_OUT_OF_BAND = 1 << 15  # smaller buffers travel inside the pickle: one system call fewer
_MAX_BUFFERS = 1 << 16
_GATHER = 64


class Kind(IntEnum):
    """What a frame says: to the worker what is below 10, from the worker the others."""

    BOOT = 1
    SETUP = 2
    RUN = 3
    CANCEL = 4
    MESSAGE = 5
    EXIT = 6
    RUN_IF_PERMITTED = 7
    READY = 10
    SETUP_FAILED = 11
    PROGRESS = 12
    SUCCESS = 13
    ERROR = 14
    CANCELLED = 15
    UNPICKLABLE = 16
    CLEANUP_FAILED = 17
    CLOSED = 18
    STARTED = 19


class Payload(NamedTuple):
    """A pickled object: what `loads` needs, ready to be sent.

    `files`: by digest what the other side must have first, if it shares no disk with us (see `files`). `held`: what must stay
    here until the other side is done with it.
    """

    pickle: bytes
    buffers: Sequence[memoryview] = ()
    files: Mapping[str, Path] = MappingProxyType({})
    held: Sequence[object] = ()

    @property
    def size(self) -> int:
        """Bytes on the wire, without the header."""
        return len(self.pickle) + sum([buffer.nbytes for buffer in self.buffers])


class Frame(NamedTuple):
    """A received message; `seq` is the task's number, 0 for what concerns no task."""

    kind: Kind
    seq: int
    pickle: bytes | bytearray
    buffers: Sequence[bytearray] = ()

    def load(self) -> Any:
        """The object; raises whatever unpickling it raises."""
        return pickle.loads(self.pickle, buffers=self.buffers)  # noqa: S301 - from our own process


NOTHING = Payload(pickle.dumps(None, protocol=5))
_PLAIN = frozenset({type(None), bool, int, float, str, bytes})  # pickled without buffers
_KINDS = {int(kind): kind for kind in Kind}


def dumps(obj: Any) -> Payload:
    """`obj` as a payload. Large buffers are referred to, not copied: leave them alone until sent."""
    if type(obj) in _PLAIN:
        return Payload(pickle.dumps(obj, protocol=5))
    buffers: list[memoryview] = []

    def in_band(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < _OUT_OF_BAND or len(buffers) >= _MAX_BUFFERS - 1:
            return True
        buffers.append(raw)
        return False

    reducers = tensors.reducers()
    if not reducers:
        return Payload(pickle.dumps(obj, protocol=5, buffer_callback=in_band), buffers)
    out = io.BytesIO()
    pickler = pickle.Pickler(out, protocol=5, buffer_callback=in_band)
    pickler.dispatch_table = copyreg.dispatch_table | reducers
    pickler.dump(obj)
    return Payload(out.getvalue(), buffers)


class Channel:
    """One end of a socket pair that carries frames both ways. Not locked: one thread a direction."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._out: deque[bytes | bytearray | memoryview] = deque()
        self._tail: bytearray | None = None
        self._bytes = b""
        self._at = 0
        self._about: tuple[Kind, int] = (Kind.EXIT, 0)
        self._sizes: list[int] = []
        self._parts: list[bytearray] = []
        self._hole: memoryview | None = None
        self.eof = False
        self.junk = False
        self._dont_wait = platform.dont_wait()
        self._gathers = bool(self._dont_wait)
        if not self._dont_wait:
            sock.setblocking(False)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, 1 << 20)

    def fileno(self) -> int:
        return self._sock.fileno()

    @property
    def pending(self) -> bool:
        """Something waits to be sent."""
        return bool(self._out)

    def close(self) -> None:
        self._out.clear()
        self._sock.close()

    def shut(self) -> None:
        """Nothing more can be sent or received; who waits to do so, in another thread, stops waiting."""
        with suppress(OSError):  # the other end was first
            self._sock.shutdown(socket.SHUT_RDWR)

    def detach(self) -> None:
        """Leave the socket open until the process ends: its end then means that the process is gone."""
        self._sock.detach()

    def put(self, kind: Kind, seq: int = 0, payload: Payload = NOTHING) -> None:
        """Queue a frame; `flush` sends it."""
        body, buffers = payload.pickle, payload.buffers
        head = _HEADER.pack(_MARK, kind, len(buffers), seq, len(body))
        if not buffers and len(body) < _OUT_OF_BAND:
            if self._tail is None:
                self._tail = bytearray()
                self._out.append(self._tail)
            self._tail += head
            self._tail += body
            return
        self._tail = None
        head += struct.pack(f"<{len(buffers)}Q", *map(len, buffers))
        self._out.extend(part for part in (head, body, *buffers) if len(part))

    def flush(self, wait: bool = False) -> bool:
        """Send what is queued; True once nothing is left. A peer that is gone swallows all."""
        out, flags, self._tail = self._out, 0 if wait else self._dont_wait, None
        while out:
            try:
                if len(out) == 1 or not self._gathers:
                    sent = self._sock.send(out[0], flags)
                else:
                    sent = self._sock.sendmsg(itertools.islice(out, _GATHER), (), flags)
            except BlockingIOError:
                if not wait:
                    return False
                platform.wait_writable(self._sock)
                continue
            except ConnectionError:
                out.clear()
                break
            while sent:
                size = len(out[0])
                if sent < size:
                    out[0] = memoryview(out[0])[sent:]
                    break
                sent -= size
                out.popleft()
        return True

    def receive(self, wait: bool = False) -> list[Frame]:
        """The frames of at most one read, or of as many as one frame takes if `wait`.

        Sets `eof` once the other end is closed and everything it sent was returned; and with `junk` when what came is no
        frame, after which nothing that comes can be read.
        """
        frames: list[Frame] = []
        while not self.eof:
            if self._take(frames, 0 if wait else self._dont_wait):
                if frames or not (wait or self._hole):
                    break
            elif wait:
                platform.readable([self._sock])
            else:
                break
        return frames

    def drain(self) -> list[Frame]:
        """All that can be read without waiting."""
        frames: list[Frame] = []
        while not self.eof and self._take(frames, self._dont_wait):
            pass
        return frames

    def _take(self, frames: list[Frame], flags: int) -> bool:
        """Append what one read brings; False where it would have to wait."""
        try:
            self._read(flags)
        except BlockingIOError:
            return False
        except ConnectionError:
            self.eof = True
        self._parse(frames)
        return True

    def _read(self, flags: int) -> None:
        if self._hole is None:
            data = self._sock.recv(_READ, flags)
            self.eof = not data
            self._bytes, self._at = self._bytes[self._at :] + data, 0
            return
        count = self._sock.recv_into(self._hole, 0, flags)
        self.eof = count == 0
        self._hole = self._hole[count:] if count < len(self._hole) else None

    def _parse(self, frames: list[Frame]) -> None:
        """Append the frames of which every byte has come."""
        if self._sizes and not self._go_on(frames):
            return
        data = self._bytes
        while (body := self._at + _HEADER.size) <= len(data):
            mark, number, count, seq, length = _HEADER.unpack_from(data, self._at)
            kind = _KINDS.get(number)
            if mark != _MARK or kind is None or (length > _MAX_BYTES and not count):
                self._refuse()
                return
            end = body + length
            if count == 0 and end <= len(data):
                frames.append(Frame(kind, seq, data[body:end]))
                self._at = end
                continue
            parts = body + 8 * count
            if parts > len(data):
                return
            self._at, self._about = parts, (kind, seq)
            self._sizes = [length, *struct.unpack_from(f"<{count}Q", data, body)]
            if not self._go_on(frames):
                return

    def _refuse(self) -> None:
        """What came is no frame; where the next one would begin nobody knows."""
        self.eof = self.junk = True
        self._bytes, self._at, self._sizes, self._parts = b"", 0, [], []

    def _go_on(self, frames: list[Frame]) -> bool:
        """Fill the parts of a frame that came, or comes, in pieces: what is missing is received
        straight into the part. Each buffer is a bytearray, so that what it becomes is writable. False if more must come."""
        if self._hole is not None:
            return False
        if sum(self._sizes) > _MAX_BYTES:
            self._refuse()
            return False
        while len(self._parts) < len(self._sizes):
            size = self._sizes[len(self._parts)]
            part = bytearray(size)
            here = self._bytes[self._at : self._at + size]
            part[: len(here)] = here
            self._at += len(here)
            self._parts.append(part)
            if len(here) < size:
                self._hole = memoryview(part)[len(here) :]
                return False
        frames.append(Frame(*self._about, self._parts[0], self._parts[1:]))
        self._sizes, self._parts = [], []
        return True
