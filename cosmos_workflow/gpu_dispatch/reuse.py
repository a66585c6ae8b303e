"""Notices memory that is handed out again, with other contents, while a task that was given it has no outcome yet.

Large buffers aren't copied (see `channel`), so that task may see either. Looked at are 256 bytes of each buffer.
"""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Sequence

from .tasks import Task

_SAMPLES = 256
_KEPT = 256


class HandedOut:
    """The large buffers of tasks; it warns once."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[bytes, Task]] = {}
        self._warned = False

    def look(self, buffers: Sequence[memoryview]) -> dict[int, bytes]:
        """Where these buffers are and what is in them, for `keep`; warns of one that an unfinished task has."""
        here = {address: _sample(buffer) for buffer in buffers if (address := _address(buffer))}
        for address, sample in here.items():
            known = self._seen.get(address)
            if known is not None and known[0] != sample and not known[1].settled and not self._warned:
                self._warned = True
                warnings.warn(
                    f"an array was given to task {known[1].id!r}, and with other contents to another one before that was done; "
                    "what the first computes with is left to chance: give each task an array of its own",
                    RuntimeWarning,
                    stacklevel=3,
                )
        return here

    def keep(self, here: dict[int, bytes], task: Task) -> None:
        """They are `task`'s."""
        if len(self._seen) > _KEPT:
            self._seen = {address: known for address, known in self._seen.items() if not known[1].settled}
        self._seen.update((address, (sample, task)) for address, sample in here.items())


def _address(buffer: memoryview) -> int:
    """0 for memory that can't be written to, which nobody changes either."""
    return 0 if buffer.readonly else ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def _sample(buffer: memoryview) -> bytes:
    # An odd step, so that not always the same byte of a number is looked at.
    return buffer[:: (buffer.nbytes // _SAMPLES) | 1].tobytes()
