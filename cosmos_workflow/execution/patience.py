"""Writes that must not be lost: tried again, with a growing pause, for as long as the disk or the database refuses them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from cosmos_workflow.errors import UnavailableError

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 15.0

T = TypeVar("T")


class Patience:
    """Tries until it works, or until the program ends."""

    def __init__(self) -> None:
        self._ended = threading.Event()

    def end(self) -> None:
        """The program ends: what is refused from now on isn't tried again."""
        self._ended.set()

    def write(self, action: Callable[[], T], on_refused: Callable[[str], None]) -> T:
        """What `action` returns once it works; `on_refused` is told why it doesn't yet, each time.

        Raises the UnavailableError of the last try once the program ends, and any other error at once.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                return action()
            except UnavailableError as error:
                on_refused(str(error))
                if self._ended.wait(pause):
                    raise
                pause = min(2 * pause, LONGEST_PAUSE)
