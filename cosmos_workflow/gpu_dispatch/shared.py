"""What many tasks are given, once in memory for all workers of this machine.

It lies in an anonymous file of the system's (memfd), which has no name that could be left behind: it is gone with the last
process that has it open, however that process ended.
"""

from __future__ import annotations

import mmap
import os
import pickle
import secrets
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

from .channel import Payload, dumps

_ALIGNED = 64  # bytes, as arrays like it
_KEPT = 4
_packing = threading.local()


class _Layout(NamedTuple):
    """A pickle, and where its buffers lie."""

    pickle: bytes
    places: Sequence[tuple[int, int]]

    def load(self, memory: mmap.mmap) -> Any:
        view = memoryview(memory)
        return pickle.loads(self.pickle, buffers=[view[at:end] for at, end in self.places])  # noqa: S301 - our own


class _Memory:
    """The file; closed when nobody refers to it: neither a handle nor a task."""

    made: ClassVar[bool] = False

    def __init__(self, size: int) -> None:
        _Memory.made = True
        self.name = f"gpu-dispatch-{secrets.token_hex(8)}"
        self.fd = os.memfd_create(self.name)
        self.path = Path(f"/proc/{os.getpid()}/fd/{self.fd}")  # how a process of the same user gets at it
        weakref.finalize(self, os.close, self.fd)
        os.truncate(self.fd, size)


class Shared:
    """An object whose large arrays and tensors a task's data, or the arguments of `setup`, may hold without being copied for it.

    Put it anywhere into them; the worker has the object itself there, which can't be written to: numpy refuses it, and a worker
    that writes to a tensor dies of it. It takes as much memory as the arrays once more, which may be dropped. That is kept until
    this handle is gone, or its ``with`` is over, and the tasks that were given it have their outcome; and by a worker as long as
    it refers to the arrays, or has been given fewer than four others since.

    Without copying in processes on this machine, under Linux; everywhere else, on a Ray cluster too, it's sent like any object.
    """

    def __init__(self, obj: Any) -> None:
        payload = dumps(obj)
        self._memory: _Memory | None = None
        self._plain: tuple[Any] | None = None
        if not payload.buffers or not hasattr(os, "memfd_create"):
            self._plain = (obj,)
            return
        places: list[tuple[int, int]] = []
        end = 0
        for buffer in payload.buffers:
            places.append((end, end + buffer.nbytes))
            end += -(-buffer.nbytes // _ALIGNED) * _ALIGNED
        self._layout = _Layout(payload.pickle, places)
        self._memory = _Memory(end)
        with mmap.mmap(self._memory.fd, end) as memory:
            for buffer, (at, until) in zip(payload.buffers, places, strict=True):
                memory[at:until] = buffer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Tasks that were submitted may still be under way; new ones can't be given it."""
        self._memory = self._plain = None

    @property
    def value(self) -> Any:
        """The object, as a worker has it."""
        if self._plain is not None:
            return self._plain[0]
        if self._memory is None:
            raise ValueError("what was shared has been closed")
        return self._layout.load(_open(self._memory.path, self._memory.name))

    def __reduce__(self) -> tuple[Any, ...]:
        held: list[_Memory] | None = getattr(_packing, "held", None)
        if held is None or self._memory is None:
            return _itself, (self.value,)
        held.append(self._memory)
        return _attach, (self._memory.path, self._memory.name, self._layout)


def share(obj: Any) -> Shared:
    """`obj`, an array or whatever holds arrays or tensors, ready to be given to many tasks; see `Shared`."""
    return Shared(obj)


def pack(obj: Any) -> Payload:
    """`dumps`, for a process on this machine: what is shared in it goes along without being copied."""
    if not _Memory.made:
        return dumps(obj)
    _packing.held = held = []
    try:
        payload = dumps(obj)
    finally:
        _packing.held = None
    return payload._replace(held=held) if held else payload


_attached: weakref.WeakValueDictionary[str, mmap.mmap] = weakref.WeakValueDictionary()
_kept: dict[str, tuple[Path, mmap.mmap]] = {}
"""The last ones, since to find all their pages again takes longer than the rest of a task."""


def _attach(path: Path, name: str, layout: _Layout) -> Any:
    memory = _attached.get(name)
    if memory is None:
        memory = _attached[name] = _open(path, name)
        for other, (place, _) in list(_kept.items()):
            if len(_kept) >= _KEPT or not _is(place, other):
                del _kept[other]
        _kept[name] = path, memory
    return layout.load(memory)


def _open(path: Path, name: str) -> mmap.mmap:
    with path.open("rb") as file:
        if not _is(path, name):
            raise FileNotFoundError(f"{path} isn't what was shared any more")
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _is(path: Path, name: str) -> bool:
    """It's our file, and not another one that has got its number."""
    try:
        return f"memfd:{name}" in str(path.readlink())
    except OSError:
        return False


def _itself(obj: Any) -> Any:
    return obj
