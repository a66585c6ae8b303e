"""Programs and callers that are odd in ways that a library has to live with."""

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import DEADLINE

from cosmos_workflow import gpu_dispatch
from cosmos_workflow.gpu_dispatch import Dispatcher, TaskProgress, WorkerPool
from tests.gpu_dispatch.test_hangs import python

TESTS = str(Path(__file__).resolve().parents[1])


def wait_for(path: Path) -> None:
    waited = threading.Event()
    while not path.exists():
        waited.wait(0.01)


def test_the_flags_of_the_interpreter_travel_and_nothing_comes_before_the_standard_library(tmp_path: Path):
    site = tmp_path / "site"
    shutil.copytree(Path(gpu_dispatch.__file__).parent, site / "courier", ignore=shutil.ignore_patterns("__pycache__"))
    (site / "pathlib.py").write_text("raise ImportError('what was on PyPI before Python 3.4')")
    (site / "workers.py").write_text(
        "import sys\nfrom courier import BaseWorker\n"
        "class Flags(BaseWorker):\n"
        "    def process(self, data):\n"
        "        return sys.flags.optimize, sys.flags.isolated, sys.warnoptions, sys._xoptions\n"
    )
    (tmp_path / "main.py").write_text(
        f"import sys; sys.path.append({str(site)!r})\n"
        "import json\nfrom courier import Dispatcher\n"
        "print(json.dumps([outcome.unwrap() for outcome in Dispatcher('workers:Flags', [None]).map([0])]))\n"
    )
    flags = ["-I", "-S", "-OO", "-Wignore::DeprecationWarning", "-Xutf8=1", "-Xno_debug_ranges"]
    command = [sys.executable, *flags, str(tmp_path / "main.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[2, 1, ["ignore::DeprecationWarning"], {"utf8": "1", "no_debug_ranges": True}]]


def test_a_working_folder_that_was_deleted_does_not_matter(tmp_path: Path):
    folder = tmp_path / "gone"
    folder.mkdir()
    (tmp_path / "main.py").write_text(
        f"import os, sys; sys.path.insert(0, {TESTS!r})\n"
        "from cosmos_workflow.gpu_dispatch import Dispatcher\n"
        "from faults.echo import Worker\n"
        "if __name__ == '__main__':\n"
        f"    os.chdir({str(folder)!r})\n"
        f"    os.rmdir({str(folder)!r})\n"
        "    print([outcome.unwrap() for outcome in Dispatcher(Worker, [None]).map(range(2))])\n"
    )
    command = [sys.executable, str(tmp_path / "main.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.stdout == "[0, 1]\n", done.stderr


def test_a_program_that_ignores_its_children_is_not_told_that_a_killed_one_exited():
    done = python(
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "for outcome in Dispatcher('faults.kills_itself:Worker', [None], max_retries=0).map([1, 'bad', 2]):\n"
        "    print(outcome.reason if outcome.task_id == 1 else outcome.unwrap())\n"
    )
    assert sorted(done.stdout.splitlines()) == ["1", "2", "the process ended; how is not known, since SIGCHLD is ignored here"]


def test_a_second_ctrl_c_kills_at_once(tmp_path: Path):
    code = (
        f"import signal, sys; sys.path.insert(0, {TESTS!r})\n"
        "from cosmos_workflow.gpu_dispatch import Dispatcher\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"Dispatcher('faults.ignores_cancel:Worker', [None], cancel_grace=3600).run([{str(tmp_path)!r}])\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as program:
        wait_for(tmp_path / "started")
        program.send_signal(signal.SIGINT)
        wait_for(tmp_path / "asked")
        program.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in program.communicate(timeout=DEADLINE)[1]


def test_a_report_that_comes_too_late_is_dropped_and_not_given_to_the_next_task(watch):
    pool = watch("reports_late", suppress_worker_output=True)
    pool.finish([pool.pool.submit(number) for number in range(2)])
    told = [(event.task_id, event.progress) for event in pool.of(TaskProgress)]
    assert told == [(1, "pool 0"), (1, "own 0"), (2, "pool 1"), (2, "own 1")]


@pytest.mark.parametrize("way", ["run", "map", "submit"])
def test_a_source_that_hands_out_one_array_again_and_again_is_warned_about(way: str):
    array = np.zeros(1 << 14)

    def source() -> Iterator[Any]:
        for number in range(8):
            array[:] = number
            yield array

    with pytest.warns(RuntimeWarning, match="give each task an array of its own"):  # noqa: PT031 - each way is one statement
        if way == "submit":
            with WorkerPool("faults.echo:Worker", [None]) as pool:
                for data in source():
                    pool.submit(data)
        elif way == "run":
            Dispatcher("faults.echo:Worker", [None]).run(source())
        else:
            list(Dispatcher("faults.echo:Worker", [None]).map(source()))


def test_one_array_that_stays_as_it_is_may_be_given_to_many_tasks():
    array = np.ones(1 << 14)
    assert all(np.array_equal(outcome.unwrap(), array) for outcome in Dispatcher("faults.echo:Worker", [None]).map([array] * 8))


def test_what_a_worker_wrote_to_its_stderr_last_is_in_the_error_of_its_death():
    done = python(
        "for quiet in (False, True):\n"
        "    d = Dispatcher('faults.dies_with_a_word:Worker', [None], max_retries=0, suppress_worker_output=quiet)\n"
        "    for outcome in d.map([quiet]):\n"
        "        print(repr(outcome.error), repr(outcome.reason))\n"
    )
    lines = done.stdout.splitlines()
    assert "loading kernel quiet=False" in lines[0]
    assert "loading kernel quiet=True" in lines[1]
    assert all("Fatal Python error: Segmentation fault" in line and "in process" in line for line in lines)
    assert all(line.endswith("'the process was killed by SIGSEGV (signal 11)'") for line in lines)
    assert "quiet=False" in done.stderr
    assert "quiet=True" not in done.stderr, "which was suppressed"
