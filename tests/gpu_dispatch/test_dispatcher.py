"""The dispatcher as its users know it: callbacks, limits, early ends, a source of any length."""

import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from support import DEADLINE

from cosmos_workflow.gpu_dispatch import Dispatcher, TaskError, TaskSuccess, TaskTimeout

TESTS = str(Path(__file__).resolve().parents[1])


def echo(workers: int = 1, **options: Any) -> Dispatcher:
    return Dispatcher("faults.echo:Worker", [None] * workers, **options)


def test_every_callback_gets_what_the_original_gave_it():
    told: list[tuple[Any, ...]] = []

    def teller(name: str) -> Any:
        return lambda *arguments: told.append((name, *arguments))

    Dispatcher("faults.raises:Worker", [None]).run(
        ["good", "bad"],
        teller("success"),
        teller("error"),
        teller("timeout"),
        teller("setup_fail"),
        teller("start"),
        teller("exit"),
        42,
        None,
        2,
    )
    assert told[0] == ("start", 0, 0)
    assert told[1] == ("success", 0, "good", 0)
    assert told[2] == ("start", 1, 0)
    assert told[3][:2] == ("error", 1)
    assert "ValueError: this one is bad" in told[3][2]
    assert told[3][3] == 0
    assert told[4:] == [("exit",)]


def test_progress_arrives_in_order_while_the_task_runs():
    told: list[tuple[int, Any]] = []
    echo().run([("report", 5)], on_progress=lambda task, progress, _: told.append((task, progress)))
    assert told == [(0, number) for number in range(5)]


def test_setup_gets_its_arguments_and_a_seed_for_each_worker():
    abouts: list[dict[str, Any]] = []
    seeds: set[int] = set()

    def tasks() -> Iterator[str]:
        while len(seeds) < 2:
            yield "about"

    def on_success(_: int, about: dict[str, Any], __: int) -> None:
        abouts.append(about)
        seeds.add(about["seed"])

    echo(2).run(tasks(), on_success, base_seed=100, model="a.pt")
    assert seeds == {100, 101}
    assert all(about["setup"] == {"model": "a.pt"} for about in abouts)


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "worker"), [(0.75, "hangs_natively"), (0.9, "swallows_everything")])
def test_a_limit_may_be_a_fraction_of_a_second(limit: float, worker: str):
    told: list[tuple[int, float]] = []
    Dispatcher(f"faults.{worker}:Worker", [None]).run(
        [1, "bad", 2], on_timeout=lambda task, seconds, _: told.append((task, seconds)), task_timeout=limit
    )
    assert told == [(1, limit)]


@pytest.mark.slow
@pytest.mark.parametrize("queue_size", [1, 3, 1024])
def test_the_source_is_read_no_further_ahead_than_needed(queue_size: int):
    read: int = 0
    reported: int = 0
    furthest: int = 0

    def tasks() -> Iterator[int]:
        nonlocal read, furthest
        for number in range(3000):
            read += 1
            furthest = max(furthest, read - reported)
            yield number

    def on_success(*_: object) -> None:
        nonlocal reported
        reported += 1

    echo(2, queue_size=queue_size, prefetch=4).run(tasks(), on_success)
    assert reported == 3000
    assert furthest <= min(queue_size, 10)


def test_memory_stays_flat_however_much_goes_through():
    array = np.ones(1 << 17)  # 1 MB
    done: list[int] = []

    def run(tasks: int) -> int:
        tracemalloc.start()
        echo(2).run((array for _ in range(tasks)), lambda *_: done.append(1))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    run(5)
    assert run(300) < 40e6, "300 MB went through two workers"
    assert len(done) == 305


def test_large_arrays_come_back_whole_and_writable():
    arrays = [np.full((512, 512), number, dtype=np.float32) for number in range(6)]
    results: dict[int, Any] = {}
    echo(2).run(arrays, lambda task, result, _: results.update({task: result}))
    for task in range(6):
        results[task] += 1
        assert np.array_equal(results[task], arrays[task] + 1)


def test_a_source_may_wait_for_the_results_of_what_it_gave():
    results: list[int] = []
    arrived = threading.Event()

    def tasks() -> Iterator[int]:
        for number in range(5):
            arrived.clear()
            yield number
            assert arrived.wait(DEADLINE)

    def on_success(_: int, result: int, __: int) -> None:
        results.append(result)
        arrived.set()

    echo(2).run(tasks(), on_success)
    assert results == list(range(5))


def test_a_limit_holds_while_a_callback_takes_its_time():
    over = threading.Event()
    family: list[int] = []

    def on_start(task: int, _: int) -> None:
        if task == 1:
            alive = psutil.wait_procs([psutil.Process(family[0])], timeout=DEADLINE)[1]
            assert not alive, "the worker outlived its limit"
            over.set()

    def on_success(task: int, about: Any, _: int) -> None:
        if task == 0:
            family.append(about["pid"])

    echo(1, prefetch=1).run(["about", "until cancelled"], on_success, on_task_start=on_start, task_timeout=1.0)
    assert over.is_set()


def test_map_gives_the_outcomes_as_they_come():
    dispatcher = Dispatcher("faults.raises:Worker", [None, None])
    outcomes = {outcome.task_id: outcome for outcome in dispatcher.map([0, 1, "bad", 3])}
    assert {task for task, outcome in outcomes.items() if isinstance(outcome, TaskSuccess)} == {0, 1, 3}
    assert isinstance(outcomes[2], TaskError)


def test_leaving_a_map_early_ends_it():
    with Dispatcher("faults.echo:Worker", [None]) as dispatcher:
        for outcome in dispatcher.map(iter(int, 1)):
            assert isinstance(outcome, TaskSuccess)
            break


def test_leaving_the_block_ends_a_map_that_is_still_held():
    before = psutil.Process().children()
    with Dispatcher("faults.echo:Worker", [None]) as dispatcher:
        outcomes = dispatcher.map(iter(int, 1))
        next(outcomes)
    assert psutil.Process().children() == before
    assert all(outcome.task_id for outcome in outcomes), "what was known is still told"


def test_it_runs_in_any_thread_and_twice_at_a_time():
    results: dict[int, list[int]] = {0: [], 1: []}

    def run(name: int) -> None:
        echo().run(range(20), lambda _, result, __: results[name].append(result))

    threads = [threading.Thread(target=run, args=(name,)) for name in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {0: list(range(20)), 1: list(range(20))}


def test_a_dispatcher_runs_one_source_at_a_time():
    dispatcher = echo()
    with pytest.raises(RuntimeError, match="running already"):
        dispatcher.run([1], lambda *_: dispatcher.run([2]))


def test_shutdown_in_mid_run_delivers_what_is_running(tmp_path: Path):
    dispatcher = echo(prefetch=1)
    outcomes: list[Any] = []

    def on_progress(*_: object) -> None:
        dispatcher.shutdown()
        (tmp_path / "go").touch()

    def endless() -> Iterator[Any]:
        while True:
            yield ("wait for", str(tmp_path / "go"))

    def on_event(event: Any) -> None:
        if isinstance(event, TaskSuccess | TaskError | TaskTimeout):
            outcomes.append(event)

    dispatcher.run(endless(), on_progress=on_progress, on_event=on_event)
    assert isinstance(outcomes[-1], TaskSuccess)
    assert all(event.kind == "cancelled" for event in outcomes[:-1])


def test_one_task_can_be_cancelled():
    dispatcher = echo(2)
    errors: dict[int, str] = {}
    results: list[Any] = []
    dispatcher.run(
        [1, "until cancelled", 3],
        lambda _, result, __: results.append(result),
        lambda task, error, _: errors.update({task: error}),
        on_progress=lambda task, _, __: dispatcher.cancel(task),
    )
    assert sorted(results) == [1, 3]
    assert errors == {1: "the task was cancelled"}


@pytest.mark.parametrize("name", ["seed", "gpu_id"])
def test_setup_arguments_of_ours_are_refused_before_anything_starts(name: str):
    ours: dict[str, Any] = {name: 1}
    with pytest.raises(ValueError, match=name):
        echo().run([1], **ours)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"gpu_ids": [0, 0]}, "GPU 0 is listed more than once"),
        ({"gpu_ids": []}, "at least one worker"),
        ({"queue_size": 0}, "queue_size must be at least 1"),
        ({"worker_cls": "echo"}, "module:Class"),
        ({"worker_cls": int}, "subclass of BaseWorker"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(arguments: dict[str, Any], said: str):
    with pytest.raises((ValueError, TypeError), match=said):
        Dispatcher(**({"worker_cls": "faults.echo:Worker", "gpu_ids": [None]} | arguments))


NOWHERE = """
from cosmos_workflow.gpu_dispatch import BaseWorker, Dispatcher

class Worker(BaseWorker):
    def process(self, data):
        return data

with Dispatcher(Worker, [None]) as dispatcher:
    print(list(dispatcher.map([1])))
"""


def test_a_worker_class_that_stands_in_no_file_goes_to_the_worker_with_cloudpickle():
    pytest.importorskip("cloudpickle")
    done = subprocess.run([sys.executable, "-c", NOWHERE], capture_output=True, text=True, check=False, timeout=DEADLINE)
    assert "data=1" in done.stdout, done.stderr


def test_a_worker_class_that_stands_in_no_file_is_refused_without_it_with_what_to_do():
    code = f"import sys; sys.modules['cloudpickle'] = None\n{NOWHERE}"
    done = subprocess.run([sys.executable, "-"], input=code, capture_output=True, text=True, check=False, timeout=DEADLINE)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "TypeError: Worker is defined in a notebook, a console or standard input, where a worker process can't find it; "
        "put it into a file, say workers.py, and import that, or install cloudpickle"
    )


def test_a_program_without_the_main_guard_is_told_of_it(tmp_path: Path):
    program = tmp_path / "program.py"
    program.write_text(NOWHERE)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False, timeout=DEADLINE)
    assert 'put what starts them below `if __name__ == "__main__":`' in done.stderr + done.stdout


def test_an_outcome_without_data_says_why_when_it_is_asked_for_it():
    error = TaskError(3, "Traceback ...", 0, reason="no such file", exception="FileNotFoundError")
    with pytest.raises(AttributeError, match=r"task 3 failed, so it has no data \(FileNotFoundError: no such file\)"):
        _ = error.data
    with pytest.raises(AttributeError, match=r"task 4 took longer than 2 s, so it has no data"):
        _ = TaskTimeout(4, 2.0, 0).data


SCRIPT = """
import sys
from dataclasses import dataclass
from cosmos_workflow.gpu_dispatch import BaseWorker, Dispatcher

@dataclass
class Point:
    x: int

class Worker(BaseWorker):
    def process(self, point):
        sys.stdout.write("working\\n")  # at once: two processes write into one pipe
        return Point(point.x + 1)

def main():
    dispatcher = Dispatcher(Worker, [None], suppress_worker_output="quiet" in sys.argv)
    dispatcher.run([Point(1), Point(2)], lambda task, result, worker: sys.stdout.write(f"{task} {result}\\n"))
"""


def python(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(text)
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, timeout=DEADLINE, check=False)


def test_a_worker_may_be_defined_in_the_script_that_runs_it(tmp_path: Path):
    done = python(tmp_path, SCRIPT + "\nif __name__ == '__main__':\n    main()\n")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["0 Point(x=2)", "1 Point(x=3)", "working", "working"]


def test_what_workers_print_can_be_suppressed(tmp_path: Path):
    done = python(tmp_path, SCRIPT + "\nif __name__ == '__main__':\n    main()\n", "quiet")
    assert done.stdout.splitlines() == ["0 Point(x=2)", "1 Point(x=3)"]


def test_a_script_without_a_main_guard_is_told_so(tmp_path: Path):
    done = python(tmp_path, SCRIPT + "\nmain()\n", "quiet")
    assert done.returncode == 1
    assert "AllSetupsFailedError" in done.stderr
    assert 'if __name__ == "__main__":' in done.stderr


@pytest.mark.slow
def test_a_program_that_forgets_its_pool_leaves_no_worker(tmp_path: Path):
    done = python(
        tmp_path,
        f"import sys; sys.path.insert(0, {TESTS!r})\n"
        "from cosmos_workflow.gpu_dispatch import WorkerPool, WorkerReady\n"
        "pool = WorkerPool('faults.echo:Worker', [None])\n"
        "pool.warm()\n"
        "while not any(isinstance(event, WorkerReady) for event in pool.events()):\n"
        "    pass\n"
        "print(pool.slots()[0].pid)\n",
    )
    try:
        worker = psutil.Process(int(done.stdout))
    except psutil.NoSuchProcess:
        return  # as it should be, and so soon
    _, alive = psutil.wait_procs([worker], timeout=DEADLINE)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
