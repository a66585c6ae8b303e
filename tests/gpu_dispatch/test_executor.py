"""Futures, asyncio, and workers that stay."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError, as_completed
from pathlib import Path
from typing import Any

import pytest
from support import DEADLINE

from cosmos_workflow.gpu_dispatch import (
    BaseWorker,
    Dispatcher,
    Event,
    Executor,
    PoolClosedError,
    TaskError,
    TaskFailedError,
    TaskProgress,
    TaskSuccess,
    TaskTimeout,
    WorkerReady,
    WorkerStarted,
)

TESTS = str(Path(__file__).resolve().parents[1])


@pytest.fixture(scope="module")
def two() -> Iterator[Executor]:
    """Two workers that do as the task says."""
    with Executor("faults.echo:Worker", [None, None], setup={"name": "two"}) as executor:
        executor.submit("about").result(DEADLINE)
        yield executor


def test_a_future_has_the_result(two: Executor):
    futures = {two.submit(number): number for number in range(20)}
    assert {futures[future]: future.result() for future in as_completed(futures, DEADLINE)} == {n: n for n in range(20)}
    assert two.submit("about").result(DEADLINE)["setup"] == {"name": "two"}


def test_a_future_that_is_cancelled_stops_its_task_running_or_waiting(two: Executor, tmp_path: Path):
    held = [two.submit("until cancelled") for _ in range(2)]
    waiting = [two.submit("until cancelled") for _ in range(3)]
    for future in waiting + held:
        assert future.cancel()
    with pytest.raises(CancelledError):
        held[0].result(DEADLINE)
    assert two.submit(1).result(DEADLINE) == 1, "the workers are free again"


def test_map_gives_outcomes_as_they_come_or_in_order(two: Executor, tmp_path: Path):
    go = tmp_path / "go"
    told: list[int] = []
    for outcome in two.map([("wait for", str(go)), *range(1, 9)]):
        told.append(outcome.task_id)  # pyright: ignore[reportArgumentType]
        if len(told) == 8:
            go.touch()
    assert told[-1] == 0
    assert sorted(told) == list(range(9))
    assert [outcome.unwrap() for outcome in two.map(range(30), ordered=True)] == list(range(30))


def test_map_reads_its_source_no_further_than_needed_and_cancels_at_an_early_end(two: Executor):
    read: list[int] = []
    told: list[int] = []

    def source() -> Iterator[int]:
        while True:
            read.append(len(read) - len(told))
            yield len(read)

    for outcome in two.map(source()):
        told.append(outcome.unwrap())
        if len(told) == 200:
            break
    assert max(read) <= 2 * 65
    assert two.submit(1).result(DEADLINE) == 1


def test_what_the_source_raises_is_raised_after_the_tasks_before_it(two: Executor):
    def source() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError

    outcomes = two.map(source())
    assert next(outcomes).unwrap() == 1
    with pytest.raises(ZeroDivisionError):
        next(outcomes)


def test_asyncio_awaits_one_and_iterates_over_many(two: Executor):
    async def source() -> AsyncIterator[int]:
        for number in range(10):
            await asyncio.sleep(0)
            yield number

    async def main() -> tuple[Any, ...]:
        one = await two.asubmit(7)
        many = {outcome.unwrap() async for outcome in two.amap(source())}
        ordered = [outcome.unwrap() async for outcome in two.amap(range(40), ordered=True)]
        task = asyncio.create_task(two.asubmit("until cancelled"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        first = None
        async for outcome in two.amap(iter(int, 1)):
            first = outcome.unwrap()
            break
        return one, many, ordered, first

    assert asyncio.run(main()) == (7, set(range(10)), list(range(40)), 0)


def test_what_an_asynchronous_source_raises_is_raised(two: Executor):
    async def source() -> AsyncIterator[int]:
        yield 1
        raise ZeroDivisionError

    async def main() -> list[Any]:
        seen = []
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the loop raises it
            async for outcome in two.amap(source()):
                seen.append(outcome.unwrap())  # noqa: PERF401 - what came before it counts
        return seen

    assert asyncio.run(main()) == [1]


def test_how_a_task_failed_is_raised_by_its_future_and_its_outcome():
    events: list[Event] = []
    with Executor("faults.raises:Worker", [None], on_event=events.append) as executor:
        failed = executor.submit("bad")
        with pytest.raises(TaskFailedError, match="failed: ValueError: this one is bad") as raised:
            failed.result(DEADLINE)
        assert "Traceback" in raised.value.__notes__[0]
        assert isinstance(raised.value.outcome, TaskError)
        assert executor.submit(1).result(DEADLINE) == 1
    assert isinstance(events[0], WorkerStarted)
    with pytest.raises(PoolClosedError):
        executor.submit(1)
    with pytest.raises(TimeoutError, match="longer than 2 s"):
        TaskTimeout(1, 2.0, 0).unwrap()
    with pytest.raises(CancelledError):
        TaskError(1, "the task was cancelled", 0, "cancelled").unwrap()


def test_what_was_submitted_is_finished_at_the_end_or_cancelled_where_something_was_raised():
    with Executor("faults.echo:Worker", [None]) as executor:
        futures = [executor.submit(number) for number in range(50)]
    assert [future.result(0) for future in futures] == list(range(50))
    with pytest.raises(ZeroDivisionError), Executor("faults.echo:Worker", [None]) as executor:  # noqa: PT012
        futures = [executor.submit("until cancelled") for _ in range(3)]
        raise ZeroDivisionError
    for future in futures:
        with pytest.raises(CancelledError):
            future.result(0)


def test_without_a_worker_that_can_be_set_up_every_future_says_so():
    with Executor("faults.fails_in_setup:Worker", [None], base_seed=10, setup={"failing": (10,)}) as executor:
        future = executor.submit(1)
    with pytest.raises(TaskFailedError, match="no worker could be set up"):
        future.result(0)


def test_a_program_that_leaves_its_executor_open_ends_with_its_tasks_done():
    code = (
        f"import sys; sys.path.insert(0, {TESTS!r})\n"
        "from cosmos_workflow.gpu_dispatch import Executor\n"
        "future = Executor('faults.echo:Worker', [None]).submit(5)\n"
        "future.add_done_callback(lambda done: print(done.result(), flush=True))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (done.stdout, done.returncode) == ("5\n", 0), done.stderr


def test_workers_stay_for_the_next_run_within_a_block(tmp_path: Path):
    log = tmp_path / "log"
    events: list[Event] = []
    with Dispatcher("faults.echo:Worker", [None]) as dispatcher:
        pids = [outcome.unwrap()["pid"] for outcome in dispatcher.map(["about"], log=str(log))]
        dispatcher.run(["about"], lambda _, about, __: pids.append(about["pid"]), on_event=events.append, setup={"log": str(log)})
        assert isinstance(events[0], WorkerReady), "who is there already is told"
        with pytest.raises(ZeroDivisionError):
            dispatcher.run((1 // (1 - n) for n in range(3)), log=str(log))
        pids += [outcome.unwrap()["pid"] for outcome in dispatcher.map(["about"], log=str(log))]
        assert not log.exists()
        assert len(set(pids)) == 1
        assert [outcome.unwrap()["seed"] for outcome in dispatcher.map(["about"], base_seed=7)] == [7]
        for outcome in dispatcher.map(iter(int, 1)):
            assert outcome.unwrap() == 0
            break
        assert len(list(dispatcher.map(range(3)))) == 3, "after an early end others come"
    assert log.read_text() == f"{pids[0]}\n"


def test_map_in_order_holds_no_more_than_it_may(tmp_path: Path):
    go = tmp_path / "go"
    read: list[int] = []

    def source() -> Iterator[Any]:
        yield "wait for", str(go)
        for number in range(1, 100):
            read.append(number)
            if number == 10:
                go.touch()
            yield number

    dispatcher = Dispatcher("faults.echo:Worker", [None, None], queue_size=12)
    outcomes = list(dispatcher.map(source(), ordered=True))
    assert [outcome.task_id for outcome in outcomes] == list(range(100))


def test_a_misspelt_callback_is_no_setup_argument():
    dispatcher = Dispatcher("faults.echo:Worker", [None])
    with pytest.raises(TypeError, match="unexpected argument 'on_sucess'; did you mean 'on_success'"):
        dispatcher.run([1], on_sucess=print)
    with pytest.raises(TypeError, match="unexpected argument 'modell'"):
        dispatcher.map([1], setup={"model": 1}, modell=1)


def test_a_class_of_a_function_goes_to_the_worker_with_cloudpickle_and_is_refused_without(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("cloudpickle")
    factor = 3

    class Times(BaseWorker):
        def process(self, data: int) -> int:
            self.report("here")
            return factor * data

    events: list[Event] = []
    with Executor(Times, [None], on_event=events.append) as executor:
        assert executor.submit(2).result(DEADLINE) == 6
    assert [event.progress for event in events if isinstance(event, TaskProgress)] == ["here"]
    assert any(isinstance(event, TaskSuccess) for event in events)
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(TypeError, match=r"defined inside a function.*or install cloudpickle"):
        Executor(Times, [None])
