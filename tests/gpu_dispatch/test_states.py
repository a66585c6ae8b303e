"""Any sequence of calls, deaths and misbehaviour: every task is reported exactly once, and rightly."""

from contextlib import suppress
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cosmos_workflow.gpu_dispatch import (
    PoolClosedError,
    TaskError,
    TaskProgress,
    TaskStarted,
    TaskSuccess,
    TaskTimeout,
    WorkerPool,
)
from cosmos_workflow.gpu_dispatch.ray import RayPool

ENDS = {"ok": "success", "talk": "success", "raise": "exception", "die": "died", "hang": "timeout", "hold": "cancelled"}
setups = st.sampled_from([{}, {}, {"engine": "b"}, {"broken": True}])


class PoolMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pool = self.new_pool("faults.anything:Worker", [None, None], max_retries=1, cancel_grace=0.1, prefetch=4)
        self.tasks: dict[Any, tuple[str, dict[str, Any]]] = {}
        self.asked: set[Any] = set()
        self.outcomes: dict[Any, Any] = {}
        self.progress: dict[Any, list[int]] = {}
        self.killed = self.closed = False

    def new_pool(self, *arguments: Any, **options: Any) -> WorkerPool:
        return WorkerPool(*arguments, **options)

    @precondition(lambda self: not self.closed)
    @rule(what=st.sampled_from(sorted(ENDS)), setup=setups)
    def submit(self, what: str, setup: dict[str, Any]) -> None:
        task = self.pool.submit(what, setup=setup, timeout=0.15 if what == "hang" else None)
        self.tasks[task] = what, setup

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(sorted(self.tasks)))
        self.pool.cancel(task)
        self.asked.add(task)

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        self.pool.send(data.draw(st.sampled_from(sorted(self.tasks))), "a word")

    @rule(which=st.integers(0, 1))
    def kill_a_worker(self, which: int) -> None:
        pid = self.pool.slots()[which].pid
        if pid is not None:
            with suppress(psutil.NoSuchProcess):  # it was about to go by itself
                psutil.Process(pid).kill()
            self.killed = True

    @precondition(lambda self: not self.closed)
    @rule()
    def unload(self) -> None:
        self.pool.unload()

    @rule(seconds=st.sampled_from([0, 0.01, 0.1]))
    def run_the_loop(self, seconds: float) -> None:
        try:
            self.take(self.pool.events(seconds))
        except PoolClosedError:
            assert self.closed

    @rule(graceful=st.booleans())
    def close(self, graceful: bool) -> None:
        if len(self.tasks) > 3:
            self.pool.close(graceful, timeout=0.5)
            self.closed = True
            try:
                self.pool.submit("too late")
            except PoolClosedError:
                return
            raise AssertionError("a closed pool took a task")

    @invariant()
    def slots_are_consistent(self) -> None:
        running = [slot.task_id for slot in self.pool.slots() if slot.task_id is not None]
        assert len(running) == len(set(running)), "a task is in two places"

    def take(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, TaskStarted):
                assert event.task_id not in self.outcomes
                self.progress[event.task_id] = []
            elif isinstance(event, TaskProgress):
                self.progress[event.task_id].append(event.progress)
            elif isinstance(event, TaskSuccess | TaskError | TaskTimeout):
                assert event.task_id not in self.outcomes, "reported twice"
                self.outcomes[event.task_id] = event

    def teardown(self) -> None:
        if not self.closed:
            for task, (what, _) in self.tasks.items():
                if what == "hold":
                    self.pool.cancel(task)
                    self.asked.add(task)
            while len(self.outcomes) < len(self.tasks):
                self.take(self.pool.events(30))
        self.take(self.pool.shutdown())
        assert set(self.outcomes) == set(self.tasks)
        for task, (what, setup) in self.tasks.items():
            self.check(task, what, setup)

    def check(self, task: Any, what: str, setup: dict[str, Any]) -> None:
        event = self.outcomes[task]
        end = {TaskSuccess: "success", TaskTimeout: "timeout"}.get(type(event)) or event.kind
        allowed = {"setup"} if setup.get("broken") else {ENDS[what]}
        if task in self.asked or self.closed:
            allowed |= {"cancelled"}
        if self.killed:
            allowed |= {"died", "setup"}
        assert end in allowed, f"{what} with {setup}: {event}"
        if what == "talk" and end == "success":
            assert self.progress[task] == list(range(20))


TestPool = PoolMachine.TestCase
TestPool.settings = settings(deadline=None, max_examples=20, stateful_step_count=15, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.soak
class TestPoolForLong(PoolMachine.TestCase):
    settings = settings(TestPool.settings, max_examples=200, stateful_step_count=30)


@pytest.mark.long
@pytest.mark.usefixtures("portable")
class TestPortablePool(PoolMachine.TestCase):
    settings = settings(TestPool.settings)


class RayPoolMachine(PoolMachine):
    def new_pool(self, *arguments: Any, **options: Any) -> WorkerPool:
        return RayPool(*arguments, **options)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
class TestRayPool(RayPoolMachine.TestCase):
    settings = settings(TestPool.settings, max_examples=4)
