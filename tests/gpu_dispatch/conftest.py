"""Pools of real processes; after every test none is left, nor an open pipe."""

import gc
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from cosmos_workflow.gpu_dispatch import Event, TaskError, TaskId, TaskSuccess, TaskTimeout, WorkerPool

TESTS = str(Path(__file__).resolve().parents[1])
if TESTS not in sys.path:
    sys.path.insert(0, TESTS)  # so that workers find faults.NAME


class Watched:
    """A pool, with what it has told so far."""

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool
        self.seen: list[Event] = []

    def until(self, done: Callable[[], bool], seconds: float = 30) -> None:
        """Run the loop until `done()`; the test fails if that takes too long."""
        deadline = time.monotonic() + seconds
        while not done():
            left = deadline - time.monotonic()
            assert left > 0, f"nothing came of it in {seconds} s; so far: {self.seen}"
            self.seen += self.pool.events(timeout=left)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.seen if isinstance(event, kind)]

    @property
    def outcomes(self) -> dict[TaskId, Event]:
        """Every task's outcome; a second one for the same task fails the test."""
        found: dict[TaskId, Event] = {}
        for event in self.seen:
            if isinstance(event, TaskSuccess | TaskError | TaskTimeout):
                assert event.task_id not in found, f"task {event.task_id} was reported twice"
                found[event.task_id] = event
        return found

    def finish(self, ids: Iterable[TaskId], seconds: float = 30) -> dict[TaskId, Any]:
        """Wait for the outcomes of these tasks."""
        wanted = list(ids)
        left = set(wanted)
        at = 0

        def done() -> bool:
            nonlocal at
            for event in self.seen[at:]:
                if isinstance(event, TaskSuccess | TaskError | TaskTimeout):
                    left.discard(event.task_id)
            at = len(self.seen)
            return not left

        self.until(done, seconds)
        outcomes = self.outcomes
        return {task_id: outcomes[task_id] for task_id in wanted}

    def pids(self) -> list[int]:
        return [slot.pid for slot in self.pool.slots() if slot.pid is not None]


@pytest.fixture
def watch() -> Iterator[Callable[..., Watched]]:
    """Make pools: ``watch("echo", 2, prefetch=4)`` is two CPU workers of tests/faults/echo.py."""
    pools: list[WorkerPool] = []

    def make(worker: str, workers: int = 1, **options: Any) -> Watched:
        pools.append(WorkerPool(f"faults.{worker}:Worker", [None] * workers, **options))
        return Watched(pools[-1])

    yield make
    for pool in pools:
        pool.shutdown(graceful=False)


def _fds() -> int:
    """How many pipes, sockets and the like are open; a library may keep its files."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            links.append(str(entry.readlink()))
    return sum(not link.startswith("/") for link in links)


def _family() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.fixture(autouse=True)
def leaves_nothing() -> Iterator[None]:
    """No orphan process and no leaked pipe after any test."""
    before, fds = _family(), _fds()
    yield
    if _fds() > fds:
        gc.collect()  # a traceback may hold what a test had opened
    left = _family() - before
    assert not left, f"processes stayed behind: {left}"
    assert _fds() <= fds, "a pipe or a socket stayed open"
