"""Every way in which a worker, a task or a caller is known to misbehave.

Each task is reported exactly once, the others get their results, and nothing stays behind (the
fixture `leaves_nothing` looks after every test).
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from dispatch_support import worker_processes
from support import DEADLINE

from cosmos_workflow.gpu_dispatch import (
    AllSetupsFailedError,
    CleanupFailed,
    Dispatcher,
    SetupFailed,
    TaskError,
    TaskProgress,
    TaskStarted,
    TaskSuccess,
    TaskTimeout,
    WorkerDied,
)

TASKS = 12
BAD = 5


def run(ledger: Any, worker: str, **arguments: Any) -> Any:
    """Twelve tasks, one of which is bad."""
    return ledger.run(worker, ["bad" if number == BAD else number for number in range(TASKS)], **arguments)


def bad_one(ledger: Any) -> Any:
    """The bad task's outcome, after a look at the others: all there, with their results."""
    outcomes = ledger.outcomes
    assert sorted(outcomes) == list(range(TASKS))
    bad = outcomes.pop(BAD)
    assert {task: event.data for task, event in outcomes.items()} == {n: n for n in range(TASKS) if n != BAD}
    return bad


@pytest.mark.parametrize(
    ("worker", "kind", "said"),
    [
        ("raises", "exception", "ValueError: this one is bad"),
        ("raises_its_own_timeout", "exception", "TimeoutError: the camera did not answer"),
        ("raises_unpicklable", "exception", "HostileError"),
        ("exits", "exception", "SystemExit: 7"),
        ("returns_unpicklable", "unpicklable", "the result can't be pickled"),
        ("returns_ununpicklable", "unpicklable", "not to be unpickled"),
        ("reports_ununpicklable", "unpicklable", "not to be unpickled"),
    ],
)
def test_a_failing_task_is_an_error_and_its_worker_goes_on(ledger, worker: str, kind: str, said: str):
    run(ledger, worker)
    bad = bad_one(ledger)
    assert isinstance(bad, TaskError)
    assert bad.kind == kind
    assert said in bad.error
    assert not ledger.of(WorkerDied)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("worker", "said"),
    [
        ("exits_hard", "exited with code 7"),
        ("kills_itself", "SIGKILL"),
        ("leaves_grandchild", "exited with code 7"),
        ("closes_its_channel", "closed its channel"),
    ],
)
@pytest.mark.parametrize("retries", [0, 1])
def test_a_dead_worker_is_replaced_and_its_task_retried_then_reported(ledger, worker: str, said: str, retries: int):
    run(ledger, worker, options={"max_retries": retries})
    bad = bad_one(ledger)
    assert isinstance(bad, TaskError)
    assert bad.kind == "died"
    assert said in bad.error
    assert len(ledger.of(WorkerDied)) == retries + 1
    assert sum(event.task_id == BAD for event in ledger.of(TaskStarted)) == retries + 1


@pytest.mark.slow
@pytest.mark.parametrize("worker", ["hangs_natively", "swallows_everything"])
def test_a_task_that_nothing_stops_overruns_its_limit_and_costs_one_worker(ledger, worker: str):
    started = time.monotonic()
    run(ledger, worker, task_timeout=2.0)
    bad = bad_one(ledger)
    assert bad == TaskTimeout(BAD, 2.0, bad.worker_id, bad.node)
    assert len(ledger.of(WorkerDied)) == 1
    assert time.monotonic() - started < 60, "it waited for the native call"


def test_all_that_a_worker_said_before_it_died_is_delivered_first(ledger):
    run(ledger, "reports_then_dies", options={"max_retries": 0})
    bad_one(ledger)
    assert [event.progress for event in ledger.of(TaskProgress)] == list(range(500))
    last = max(number for number, event in enumerate(ledger.events) if isinstance(event, TaskProgress))
    death = next(number for number, event in enumerate(ledger.events) if isinstance(event, WorkerDied))
    assert last < death


def test_a_task_that_cannot_be_pickled_or_unpickled_is_an_error(ledger):
    from faults import returns_ununpicklable  # pyright: ignore[reportMissingImports]

    tasks = [0, threading.Lock(), returns_ununpicklable.Trap(), 3]
    outcomes = ledger.run("echo", tasks).outcomes
    assert [type(outcomes[task]) for task in range(4)] == [TaskSuccess, TaskError, TaskError, TaskSuccess]
    assert "the task can't be pickled" in outcomes[1].error
    assert "the task can't be unpickled" in outcomes[2].error


@pytest.mark.slow
@pytest.mark.parametrize("worker", ["fails_in_setup", "exits_in_setup", "hangs_in_setup"])
def test_a_worker_that_cannot_be_set_up_leaves_its_tasks_to_the_others(ledger, worker: str):
    failed = threading.Event()

    def tasks() -> Iterator[int]:
        yield 0
        assert failed.wait(DEADLINE)
        yield from range(1, TASKS)

    ledger.run(
        worker,
        tasks(),
        options={"setup_timeout": 2.0},
        base_seed=10,
        failing=(10,),
        on_setup_fail=lambda *_: failed.set(),
    )
    assert {task: event.data for task, event in ledger.outcomes.items()} == {n: n for n in range(TASKS)}
    assert [event.worker_id for event in ledger.of(SetupFailed)] == [0]


@pytest.mark.parametrize(
    ("worker", "said"),
    [
        ("fails_in_setup", "the weights are broken"),
        ("exits_in_setup", "exited with code 7"),
        ("hangs_in_setup", "setup took longer than 0.5 seconds"),
        ("fails_on_import", "needs a library that isn't there"),
        ("nowhere", "No module named"),
    ],
)
def test_when_no_worker_can_be_set_up_the_run_ends_with_the_reason(ledger, worker: str, said: str):
    failed: list[str] = []
    read: list[int] = []

    def endless() -> Iterator[int]:
        number = 0
        while True:
            read.append(number)
            yield number
            number += 1

    with pytest.raises(AllSetupsFailedError, match=f"(?s)^All workers failed during setup; .*{said}"):
        ledger.run(
            worker,
            endless(),
            options={"setup_timeout": 0.5 if worker == "hangs_in_setup" else 30.0},
            base_seed=10,
            failing=(10, 11),
            on_setup_fail=lambda _, error: failed.append(error),
        )
    assert len(failed) == 2
    assert all(said in error for error in failed)
    assert ledger.exits == 1
    assert len(read) <= 8
    assert all(event.kind in ("setup", "cancelled") for event in ledger.outcomes.values())


@pytest.mark.parametrize(
    ("how", "said"), [("raise", "it won't close"), ("hang", "longer than 0.5 seconds"), ("exit", "exited with code 7")]
)
def test_a_failing_cleanup_is_told_and_holds_nothing_up(ledger, how: str, said: str):
    ledger.run("fails_in_cleanup", range(TASKS), options={"cleanup_timeout": 0.5}, how=how)
    assert len(ledger.outcomes) == TASKS
    # The one of two workers that wasn't ready when all was done has nothing to clean up.
    assert 1 <= len(ledger.of(CleanupFailed)) <= 2
    assert all(said in event.error for event in ledger.of(CleanupFailed))


def test_a_worker_that_cannot_end_is_killed_after_its_cleanup(ledger):
    ledger.run("never_ends", range(TASKS), options={"cleanup_timeout": 0.5})
    assert len(ledger.outcomes) == TASKS
    assert not ledger.of(CleanupFailed)


def test_a_generator_that_raises_is_raised_after_the_running_tasks(ledger):
    def tasks() -> Iterator[int]:
        yield from range(4)
        raise LookupError("the list ends here")

    with pytest.raises(LookupError, match="the list ends here"):
        ledger.run("echo", tasks())
    assert {task: event.data for task, event in ledger.outcomes.items()} == {n: n for n in range(4)}
    assert ledger.exits == 1


@pytest.mark.slow
@pytest.mark.parametrize("callback", ["on_success", "on_error", "on_task_start", "on_progress", "on_timeout", "on_setup_fail"])
def test_a_callback_that_raises_ends_the_run_in_order(ledger, callback: str):
    def fail(*_: object) -> None:
        raise ZeroDivisionError(callback)

    arguments: dict[str, Any] = {"base_seed": 10, "task_timeout": 2.0}
    worker, tasks = {
        "on_error": ("raises", ["bad"]),
        "on_progress": ("hangs_natively", ["bad"]),
        "on_timeout": ("hangs_natively", ["bad"]),
        "on_setup_fail": ("fails_in_setup", range(4)),
    }.get(callback, ("fails_in_setup", range(4)))
    if callback == "on_setup_fail":
        arguments["failing"] = (10, 11)
    with pytest.raises(ZeroDivisionError, match=callback):
        ledger.run(worker, tasks, options={"cancel_grace": 0.2}, **{callback: fail}, **arguments)
    assert ledger.exits == 1


def test_an_on_exit_that_raises_is_raised_when_nothing_is_left(executor: Any):
    left: list[set[int]] = []

    def on_exit() -> None:
        left.append(worker_processes())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Dispatcher("faults.echo:Worker", [None], executor=executor).run(range(3), on_exit=on_exit)
    assert left == [set()]


def test_a_worker_killed_while_idle_is_told_and_replaced(watch):
    pool = watch("echo")
    first = pool.pool.submit(1)
    pool.finish([first])
    psutil.Process(pool.pids()[0]).kill()
    pool.until(lambda: bool(pool.of(WorkerDied)))
    assert "SIGKILL" in pool.of(WorkerDied)[0].reason
    second = pool.pool.submit(2)
    assert pool.finish([second])[second].data == 2


def test_a_failed_setup_fails_the_waiting_task_and_the_next_one_tries_again(watch):
    pool = watch("fails_in_setup", base_seed=10)
    bad, good = pool.pool.submit(1, setup={"failing": (10,)}), pool.pool.submit(2)
    outcomes = pool.finish([bad, good])
    assert outcomes[bad].kind == "setup"
    assert "the weights are broken" in outcomes[bad].error
    assert outcomes[good].data == 2
    again = pool.pool.submit(3, setup={"failing": (10,)})
    assert pool.finish([again])[again].kind == "setup"


def test_a_task_that_ignores_its_cancel_is_killed_with_its_worker(watch):
    pool = watch("hangs_natively", cancel_grace=0.2)
    task = pool.pool.submit("bad")
    pool.until(lambda: bool(pool.of(TaskProgress)))
    pool.pool.cancel(task)
    assert pool.finish([task])[task].kind == "cancelled"
    assert len(pool.of(WorkerDied)) == 1
    after = pool.pool.submit(1)
    assert pool.finish([after])[after].data == 1


def test_stuck_workers_are_ended_together_at_an_immediate_shutdown(watch):
    pool = watch("hangs_natively", 3)
    tasks = [pool.pool.submit("bad") for _ in range(3)]
    pool.until(lambda: len(pool.of(TaskProgress)) == 3)
    pool.seen += pool.pool.shutdown(graceful=False)
    assert {pool.outcomes[task].kind for task in tasks} == {"cancelled"}


def test_a_graceful_shutdown_ends_what_outlasts_its_time(watch):
    pool = watch("hangs_natively", 2)
    tasks = [pool.pool.submit("bad") for _ in range(2)]
    pool.until(lambda: len(pool.of(TaskProgress)) == 2)
    pool.seen += pool.pool.shutdown(timeout=0.2)
    assert {pool.outcomes[task].kind for task in tasks} == {"cancelled"}


@pytest.mark.slow
def test_a_thousand_tasks_with_random_kills_are_each_reported_once(ledger):
    ledger.run("kills_at_random", range(1000), options={"max_retries": 1})
    outcomes = ledger.outcomes
    assert sorted(outcomes) == list(range(1000))
    for task, event in outcomes.items():
        assert event.data == task if isinstance(event, TaskSuccess) else event.kind == "died"
    assert ledger.of(WorkerDied)


class Family:
    """A dispatching program in a process group of its own, its workers and their children."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        script = Path(__file__).with_name("parent.py")
        self.parent = subprocess.Popen(
            [sys.executable, str(script), str(folder), *options], start_new_session=True, stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + DEADLINE
        while len(files := list(folder.glob("*.family"))) < 2:
            assert time.monotonic() < deadline, "the workers did not start"
            assert self.parent.poll() is None, self.parent.communicate()[1]
            threading.Event().wait(0.02)
        pids = [[int(pid) for pid in file.read_text().split()] for file in files]
        self.workers = [psutil.Process(worker) for worker, _ in pids]
        self.children = [psutil.Process(child) for _, child in pids]

    def gone(self) -> bool:
        """Nobody is left within ten seconds."""
        self.stderr = self.parent.communicate(timeout=DEADLINE)[1]
        _, alive = psutil.wait_procs(self.workers + self.children, timeout=DEADLINE)
        return not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_ctrl_c_stops_the_workers_in_order_and_cleans_up(tmp_path: Path):
    family = Family(tmp_path)
    os.killpg(family.parent.pid, signal.SIGINT)
    assert family.gone()
    assert family.parent.returncode != 0
    assert {int(file.stem) for file in tmp_path.glob("*.clean")} == {worker.pid for worker in family.workers}
    assert family.stderr.count("Traceback") == 1, "only the parent was interrupted"
    assert "KeyboardInterrupt" in family.stderr


def test_sigterm_ends_a_run_in_order_where_that_is_wanted(tmp_path: Path):
    family = Family(tmp_path, "--stop-on-sigterm")
    family.parent.send_signal(signal.SIGTERM)
    assert family.gone()
    assert family.parent.returncode == 0, family.stderr
    assert (tmp_path / "exit").read_text() == "returned"
    assert {int(file.stem) for file in tmp_path.glob("*.clean")} == {worker.pid for worker in family.workers}
    assert "Traceback" not in family.stderr


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_parent_takes_its_workers_and_their_children_along(tmp_path: Path, how: signal.Signals):
    family = Family(tmp_path)
    family.parent.send_signal(how)
    assert family.gone()
    assert family.parent.returncode == -how


@pytest.mark.slow
@pytest.mark.kernel
def test_a_parent_that_is_gone_ends_a_worker_stuck_in_native_code(tmp_path: Path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from cosmos_workflow.gpu_dispatch import TaskProgress, WorkerPool\n"
        "pool = WorkerPool('faults.hangs_natively:Worker', [None])\n"
        "pool.submit('bad')\n"
        "while not any(isinstance(event, TaskProgress) for event in pool.events()):\n"
        "    pass\n"
        "print(pool.slots()[0].pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    program = [sys.executable, "-c", code, str(Path(__file__).resolve().parents[1])]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        _, alive = psutil.wait_procs([worker], timeout=DEADLINE)
        assert not alive
