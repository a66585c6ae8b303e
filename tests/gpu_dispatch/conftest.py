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
from dispatch_support import live_actors, ray_runs, require_ray, worker_processes
from support import DEADLINE

from cosmos_workflow.gpu_dispatch import Dispatcher, Event, TaskError, TaskId, TaskSuccess, TaskTimeout, WorkerPool, platform

TESTS = str(Path(__file__).resolve().parents[1])
if TESTS not in sys.path:
    sys.path.insert(0, TESTS)  # so that workers find faults.NAME


class Watched:
    """A pool, with what it has told so far."""

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool
        self.seen: list[Event] = []

    def until(self, done: Callable[[], bool], seconds: float = DEADLINE) -> None:
        """Run the loop until `done()`; the test fails if that takes too long."""
        deadline = time.monotonic() + seconds
        while not done():
            left = deadline - time.monotonic()
            assert left > 0, f"nothing came of it in {seconds} s; so far: {self.seen}"
            self.seen += self.pool.events(timeout=min(left, 0.1))

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

    def finish(self, ids: Iterable[TaskId], seconds: float = DEADLINE) -> dict[TaskId, Any]:
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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs a cluster is slow, and goes the way of Linux alone, as Ray's workers do."""
    left: list[pytest.Item] = []
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        on_cluster = params.get("executor") == "ray" or "cluster" in getattr(item, "fixturenames", ())
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
        if not (on_cluster and params.get("processes") == "portable"):
            left.append(item)
    config.hook.pytest_deselected(items=[item for item in items if item not in left])
    items[:] = left


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test of this folder holds both ways: with what only Linux has, and with what every system has."""
    if "processes" in metafunc.fixturenames:
        portable = [] if metafunc.definition.get_closest_marker("kernel") else [pytest.param("portable", marks=pytest.mark.long)]
        metafunc.parametrize("processes", ["linux", *portable], indirect=True)


@pytest.fixture(autouse=True)
def processes(request: pytest.FixtureRequest) -> None:
    """How the test's processes are held."""
    if getattr(request, "param", "linux") == "portable":
        request.getfixturevalue("portable")


@pytest.fixture
def portable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are held with what every system has."""
    monkeypatch.setenv(platform.PORTABLE_VARIABLE, "1")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """A Ray cluster on this machine, on loopback; it has one machine, called "head", and tests may add others."""
    require_ray()
    from cosmos_workflow.gpu_dispatch.ray.cluster import joined, prepare

    prepare(local=True)
    from ray.cluster_utils import Cluster

    # A dead machine is noticed in seconds, not in half a minute.
    patience = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 1000, "health_check_failure_threshold": 5}
    head = {"num_cpus": 8, "node_name": "head", "object_store_memory": 200 << 20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={**head, "_system_config": patience})
    with joined(made.address):
        yield made
    made.shutdown()


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.slow)])
def executor(request: pytest.FixtureRequest) -> Any:
    """Where the workers are: what holds for one pool holds for the other."""
    if request.param == "ray":
        request.getfixturevalue("cluster")
    return request.param


@pytest.fixture
def watch(executor: str) -> Iterator[Callable[..., Watched]]:
    """Make pools: ``watch("echo", 2, prefetch=4)`` is two CPU workers of tests/faults/echo.py."""
    pools: list[WorkerPool] = []

    def make(worker: str, workers: int = 1, **options: Any) -> Watched:
        pools.append(new_pool(executor, worker, workers, **options))
        watched = Watched(pools[-1])
        watched.until(lambda: all(slot.state != "away" for slot in watched.pool.slots()))
        return watched

    yield make
    for pool in pools:
        pool.shutdown(graceful=False)


def new_pool(executor: str, worker: str, workers: int = 1, **options: Any) -> WorkerPool:
    """A pool of CPU workers of tests/faults."""
    name, gpu_ids = f"faults.{worker}:Worker", [None] * workers
    if executor == "local":
        return WorkerPool(name, gpu_ids, **options)
    from cosmos_workflow.gpu_dispatch.ray import RayPool

    pool = RayPool(name, gpu_ids, **options)
    pool.connect()
    return pool


class Ledger:
    """What a run has told."""

    def __init__(self, executor: str) -> None:
        self.executor = executor
        self.events: list[Event] = []
        self.exits = 0

    def run(self, worker: str, tasks: Any, *, workers: int = 2, options: Any = None, **arguments: Any) -> "Ledger":
        """Dispatch the tasks to CPU workers of tests/faults."""
        options = {"executor": self.executor, **(options or {})}
        dispatcher = Dispatcher(f"faults.{worker}:Worker", [None] * workers, **options)
        dispatcher.run(tasks, on_event=self.events.append, on_exit=self._on_exit, **arguments)
        return self

    def _on_exit(self) -> None:
        self.exits += 1

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def outcomes(self) -> dict[int, Any]:
        found: dict[int, Any] = {}
        for event in self.of(TaskSuccess) + self.of(TaskError) + self.of(TaskTimeout):
            assert event.task_id not in found, f"task {event.task_id} was reported twice"
            found[event.task_id] = event
        return found


@pytest.fixture
def ledger(executor: str) -> Ledger:
    """Runs a dispatcher, and keeps what it tells."""
    return Ledger(executor)


def _fds() -> int:
    """How many pipes, sockets and the like are open; a library may keep its files."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            links.append(str(entry.readlink()))
    if ray_runs():  # it opens sockets as it likes
        return sum(link.startswith("pipe:") for link in links)
    return sum(not link.startswith("/") for link in links)


def _family() -> set[int]:
    if ray_runs():  # it starts and ends processes as it likes
        return worker_processes()
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.fixture(autouse=True)
def leaves_nothing(request: pytest.FixtureRequest) -> Iterator[None]:
    """No orphan process and no leaked pipe after any test; with Ray no actor, and none of their workers. Ray's own processes
    and sockets come and go as it likes."""
    params = getattr(getattr(request.node, "callspec", None), "params", {})
    if params.get("executor") == "ray" or "cluster" in request.fixturenames:
        yield
        assert not worker_processes(), "workers stayed behind"
        assert not (ray_runs() and live_actors()), "actors stayed behind"
        return
    before, fds = _family(), _fds()
    yield
    if _fds() > fds:
        gc.collect()  # a traceback may hold what a test had opened
    left = _family() - before
    assert not left, f"processes stayed behind: {left}"
    assert _fds() <= fds, "a pipe or a socket stayed open"
