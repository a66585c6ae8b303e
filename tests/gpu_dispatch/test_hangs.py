"""What could keep a run, a program or a worker from ever ending, or hide a death."""

import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support import DEADLINE

from cosmos_workflow.gpu_dispatch import AllSetupsFailedError, Dispatcher, SetupFailed, TaskError, TaskSuccess, WorkerDied
from cosmos_workflow.gpu_dispatch.scheduler import Scheduler
from tests.gpu_dispatch.test_faults import BAD, TASKS, bad_one, run

TESTS = str(Path(__file__).resolve().parents[1])
PREFACE = f"import os, signal, sys, time; sys.path.insert(0, {TESTS!r})\nfrom cosmos_workflow.gpu_dispatch import *\n"
PREFACE = PREFACE.replace("import *", "import Dispatcher, WorkerPool, WorkerReady, WorkerDied, TaskSuccess")


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PREFACE + code], capture_output=True, text=True, timeout=DEADLINE, check=False)


def gone(pid: int) -> bool:
    try:
        _, alive = psutil.wait_procs([psutil.Process(pid)], timeout=DEADLINE)
    except psutil.NoSuchProcess:
        return True
    return not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("how", ["text", "kind", "length", "buffers"])
def test_a_worker_that_writes_junk_into_its_channel_is_killed_and_its_task_told(ledger, how: str):
    run(ledger, "writes_junk", how=how, options={"max_retries": 0})
    bad = bad_one(ledger)
    assert isinstance(bad, TaskError)
    assert bad.kind == "died"
    assert "wrote into its channel what nobody can read" in bad.error
    assert len(ledger.of(WorkerDied)) == 1


def test_a_failed_setup_in_a_pickle_that_cannot_be_read_is_a_failed_setup(ledger):
    failed = threading.Event()

    def tasks() -> Iterator[int]:
        yield 0
        assert failed.wait(DEADLINE)
        yield from range(1, TASKS)

    ledger.run("fails_unreadably", tasks(), base_seed=10, failing=(10,), on_setup_fail=lambda *_: failed.set())
    assert {task: event.data for task, event in ledger.outcomes.items()} == {n: n for n in range(TASKS)}
    assert ["what nobody can read" in event.error for event in ledger.of(SetupFailed)] == [True]


def test_who_is_forked_off_in_a_task_does_not_answer_for_it(ledger):
    run(ledger, "forks", natively=False, options={"max_retries": 0, "suppress_worker_output": True})
    assert bad_one(ledger).data == "bad"
    assert not ledger.of(WorkerDied)


def test_a_worker_that_answers_twice_is_killed_and_every_task_told(ledger):
    run(ledger, "forks", natively=True, options={"max_retries": 3})
    outcomes = ledger.outcomes
    assert sorted(outcomes) == list(range(TASKS))
    assert outcomes[BAD].data == "bad"
    assert all(isinstance(event, TaskSuccess) or event.kind == "died" for event in outcomes.values())


@pytest.mark.parametrize("how", ["exit", "interrupt", "report exit", "report interrupt"])
def test_what_ends_programs_when_it_is_unpickled_ends_its_task_alone(ledger, how: str):
    run(ledger, "returns_that_exits", how=how)
    bad = bad_one(ledger)
    assert isinstance(bad, TaskError)
    assert bad.kind == "unpicklable"
    assert not ledger.of(WorkerDied)


@pytest.mark.parametrize("limit", [math.inf, 30 * 24 * 3600.0, 1e9, 1e300])
def test_any_time_limit_is_a_limit_or_none(ledger, limit: float):
    options = {"setup_timeout": limit, "cleanup_timeout": limit, "cancel_grace": limit}
    ledger.run("echo", range(TASKS), options=options, task_timeout=limit)
    assert len(ledger.outcomes) == TASKS


def test_no_limit_at_all_is_one_too(ledger):
    ledger.run("echo", range(TASKS), options={"setup_timeout": None, "cleanup_timeout": None, "cancel_grace": None})
    assert len(ledger.outcomes) == TASKS


@pytest.mark.parametrize("limit", [-1.0, math.nan, "5"])
def test_what_is_no_time_limit_is_refused_before_anything_starts(limit: Any):
    with pytest.raises(ValueError, match="setup_timeout is a number of seconds"):
        Dispatcher("faults.echo:Worker", [None], setup_timeout=limit)
    with pytest.raises(ValueError, match="timeout"):
        Dispatcher("faults.echo:Worker", [None]).run([1], task_timeout=limit)


def test_a_loop_that_dies_tells_its_callers_and_leaves_no_worker(monkeypatch: pytest.MonkeyPatch):
    turns: list[int] = []

    def advance(scheduler: Scheduler) -> None:
        turns.append(len(scheduler.slots))
        if len(turns) > 3:
            raise ZeroDivisionError("a bug of ours")
        original(scheduler)

    original = Scheduler.advance
    monkeypatch.setattr(Scheduler, "advance", advance)
    errors: dict[int, str] = {}
    with pytest.raises(ZeroDivisionError, match="a bug of ours"):
        Dispatcher("faults.hangs_natively:Worker", [None]).run(
            ["bad"], on_error=lambda task, error, _: errors.update({task: error})
        )
    assert "a bug of ours" in errors[0]


@pytest.mark.parametrize("end", ["", "raise SystemExit(5)", "1 // 0"])
def test_a_program_ends_though_a_map_of_its_own_is_half_read(end: str):
    done = python(
        f"if __name__ == '__main__':\n"
        f"    it = Dispatcher('faults.echo:Worker', [None]).map(range(3))\n"
        f"    next(it)\n"
        f"    print('read', flush=True)\n"
        f"    {end or 'pass'}\n"
    )
    assert done.stdout == "read\n"
    assert done.returncode == {"": 0, "1 // 0": 1}.get(end, 5), done.stderr
    assert done.stderr.count("Traceback") == (end == "1 // 0")


def test_a_parent_with_more_than_a_thousand_open_files_has_workers_too():
    done = python(
        "import resource\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096) if hard > 0 else 4096, hard))\n"
        "files = [open('/dev/null') for _ in range(1200)]\n"
        "print(sum(isinstance(one, TaskSuccess) for one in Dispatcher('faults.echo:Worker', [None]).map(range(3))))\n"
    )
    assert done.stdout == "3\n", done.stderr


@pytest.mark.slow
def test_a_setup_that_fails_for_a_while_after_a_death_is_tried_again(ledger, tmp_path: Path):
    ledger.run("fails_to_set_up_again", [0, "bad", 2], workers=1, folder=str(tmp_path), times=2)
    assert {task: event.data for task, event in ledger.outcomes.items()} == {0: 0, 1: "bad", 2: 2}
    assert ["the device is full" in event.error for event in ledger.of(SetupFailed)] == [True, True]


@pytest.mark.slow
def test_a_setup_that_fails_for_ever_after_a_death_ends_the_run_with_the_reason(ledger, tmp_path: Path):
    with pytest.raises(AllSetupsFailedError, match="the device is full"):
        ledger.run("fails_to_set_up_again", [0, "bad", 2], workers=1, folder=str(tmp_path), times=99)
    assert len(ledger.of(SetupFailed)) == 3


def test_a_task_does_not_wait_for_the_next_setup_if_it_is_cancelled(watch, tmp_path: Path):
    pool = watch("fails_to_set_up_again", setup_retries=9)
    setup = {"folder": str(tmp_path), "times": 9}
    task = pool.pool.submit("bad", setup=setup)
    pool.until(lambda: pool.pool.slots()[0].state == "pausing")
    pool.pool.cancel(task)
    assert pool.finish([task])[task].kind == "cancelled"
    other = pool.pool.submit("about", setup={"folder": str(tmp_path), "times": 0})
    assert pool.finish([other])[other].data == "about"


def test_quick_tasks_do_not_wait_behind_a_slow_one_while_a_worker_idles(tmp_path: Path):
    go = tmp_path / "go"
    done: list[int] = []

    def on_success(task: int, *_: object) -> None:
        done.append(task)
        if len(done) == 315:
            go.touch()

    tasks = [*range(300), ("wait for", str(go)), *range(15)]
    Dispatcher("faults.echo:Worker", [None, None]).run(tasks, on_success)
    assert done[-1] == 300
    assert sorted(done) == list(range(316))


FORKING = """
pool = WorkerPool('faults.echo:Worker', [None])
pool.warm()
while not any(isinstance(event, WorkerReady) for event in pool.events()):
    pass
pid = pool.slots()[0].pid
child = os.fork()
if child == 0:
    signal.pause()
print(pid, child, flush=True)
"""


def test_a_death_is_seen_at_once_though_the_parent_has_forked():
    done = python(
        FORKING + "started = time.monotonic()\n"
        "os.kill(pid, signal.SIGKILL)\n"
        "while not any(isinstance(event, WorkerDied) for event in pool.events()):\n"
        "    pass\n"
        "took = time.monotonic() - started\n"
        "seen = pool.shutdown()\n"
        "os.kill(child, signal.SIGKILL)\n"
        "os.waitpid(child, 0)\n"
        "print(took)\n"
    )
    assert float(done.stdout.split()[-1]) < 4, "five seconds is the patience with a process that was killed"


@pytest.mark.slow
def test_a_worker_ends_with_its_parent_though_who_was_forked_off_lives_on():
    program = [sys.executable, "-c", PREFACE + FORKING + "time.sleep(600)"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, child = map(int, parent.stdout.readline().split())
        try:
            parent.kill()
            parent.wait()
            assert psutil.pid_exists(child)
            assert gone(pid)
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_process_that_was_forked_off_leaves_the_workers_of_its_parent_alone():
    done = python(
        "it = Dispatcher('faults.echo:Worker', [None]).map(iter(int, 1))\n"
        "next(it)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    sys.exit(0)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), isinstance(next(it), TaskSuccess), flush=True)\n"
    )
    assert done.stdout == "0 True\n", done.stderr
