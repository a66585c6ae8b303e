"""A process of an engine's own that prints JSON lines: heard as it speaks, and watched while it is silent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import IO, Any

LOOK_EVERY = 0.1
"""Seconds between two looks at whether the item was cancelled."""


class Lines:
    """What a process prints, read by a thread of its own: a pipe can't be waited for with a limit on every system."""

    def __init__(self, stdout: IO[bytes]) -> None:
        self._heard: SimpleQueue[bytes | None] = SimpleQueue()
        threading.Thread(target=self._listen, args=(stdout,), name="lines", daemon=True).start()

    def __iter__(self) -> Iterator[dict[str, Any] | None]:
        """Each line until the last; None whenever there was none for `LOOK_EVERY`."""
        while True:
            try:
                line = self._heard.get(timeout=LOOK_EVERY)
            except Empty:
                yield None
                continue
            if line is None:
                self._heard.put(None)  # whoever asks again hears the same
                return
            yield json.loads(line)

    def _listen(self, stdout: IO[bytes]) -> None:
        with stdout:
            for line in stdout:
                self._heard.put(line)
        self._heard.put(None)
