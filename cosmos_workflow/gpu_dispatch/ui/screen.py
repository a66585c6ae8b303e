"""One live display a terminal, however many views are open on it: they stand one above the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from rich.console import Console, Group, RenderableType
from rich.live import Live

_lock = threading.Lock()
_screens: dict[int, Screen] = {}


class Screen(Live):
    """What is drawn in place on one terminal, by the first view's console and as often as that one wants; by a thread, too."""

    def __init__(self, console: Console, refresh_rate: float) -> None:
        self.views: list[Callable[[], RenderableType]] = []
        self.drawn = False
        super().__init__(console=console, get_renderable=self._render, refresh_per_second=refresh_rate)

    def _render(self) -> Group:
        return Group(*(view() for view in self.views))

    def refresh(self) -> None:
        attempt(super().refresh)


def attempt(write: Callable[[], object]) -> bool:
    """Write something, and whether it was; where the output is closed, full or of another encoding, the work goes on without."""
    # rich ends the program with SystemExit where nobody reads any more.
    with suppress(OSError, ValueError, SystemExit):
        write()
        return True
    return False


def show(view: Callable[[], RenderableType], console: Console, refresh_rate: float) -> None:
    """Draw `view` from now on, below those that are drawn there already."""
    with _lock:
        where = _terminal(console)
        screen = _screens.get(where) or _screens.setdefault(where, Screen(console, refresh_rate))
        screen.views.append(view)
        if len(screen.views) == 1:
            screen.drawn = attempt(lambda: screen.start(refresh=True))


def leave(view: Callable[[], RenderableType]) -> None:
    """The view is at its end; what it shows now stays."""
    with _lock:
        # Not by its console, which may have been closed meanwhile.
        terminal, screen = next((where, one) for where, one in _screens.items() if view in one.views)
        if screen.views == [view]:
            del _screens[terminal]
            if screen.drawn:
                attempt(screen.stop)
        else:
            screen.views.remove(view)
            attempt(lambda: screen.console.print(view()))  # above the others


def _terminal(console: Console) -> int:
    """The same for every console that writes to the same place."""
    file: IO[str] = console.file
    try:
        return file.fileno()
    except (OSError, ValueError, AttributeError):
        return -id(file)
