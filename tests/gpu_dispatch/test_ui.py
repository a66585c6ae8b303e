"""What is seen of a dispatch."""

import errno
import io
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from cosmos_workflow.gpu_dispatch import (
    PlacesAwaited,
    SetupFailed,
    TaskError,
    TaskStarted,
    TaskSuccess,
    TaskTimeout,
    WorkerDied,
    WorkerReady,
    WorkerStarted,
)
from cosmos_workflow.gpu_dispatch.ui import DispatchView, RichDispatcher
from cosmos_workflow.gpu_dispatch.ui.board import clock


def terminal(width: int = 100) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system="standard")


def log() -> Console:
    return Console(file=io.StringIO(), width=200)


def text(console: Console) -> str:
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def picture(view: DispatchView, width: int = 100, height: int = 29) -> str:
    console = Console(width=width, height=height)
    with console.capture() as capture:
        console.print(view.render())
    return capture.get()


def test_the_panel_counts_each_outcome_and_the_table_each_worker():
    view = DispatchView(1000, show_ui=False)
    for worker in (0, 1):
        view.handle(WorkerStarted(worker, worker, 100 + worker))
    assert "initializing" in picture(view)
    view.handle(WorkerReady(0, 0, 100))
    for task in range(847):
        view.handle(TaskStarted(task, 0))
        if task < 820:
            view.handle(TaskSuccess(task, None, 0))
        elif task < 835:
            view.handle(TaskError(task, "Traceback\nValueError: bad", 0))
        else:
            view.handle(TaskTimeout(task, 1.5, 0))
    view.handle(TaskStarted(900, 0))
    view.handle(SetupFailed(1, "RuntimeError: no memory", 1))
    shown = picture(view)
    assert "Progress: 847/1000 (820 ok, 15 failed, 12 timed out)" in shown
    assert "ETA:" in shown
    assert "no memory" in shown
    assert "━ 85 %" in shown.replace("  ", "")
    assert "tasks/s" in shown
    rows = [[cell.strip() for cell in line.split("│")[1:7]] for line in shown.splitlines()]
    assert ["0", "processing", "900", "820", "15", "12"] in rows
    assert ["1", "error", "", "0", "0", "0"] in rows


@pytest.mark.parametrize(
    ("status", "code"),
    [("initializing", "34"), ("processing", "33"), ("idle", "32"), ("finished", "1;32"), ("error", "1;31")],
)
def test_each_status_has_its_colour(status: str, code: str):
    console = terminal()
    view = DispatchView(show_ui=False, console=console)
    view.handle(WorkerStarted(0, None, 1))
    if status != "initializing":
        view.handle(WorkerReady(0, None, 1))
    if status == "processing":
        view.handle(TaskStarted(1, 0))
    if status == "error":
        view.handle(WorkerDied(0, None, 1, -9, "killed"))
    if status == "finished":
        view.stats.finish()
    console.print(view.render())
    assert f"\x1b[{code}m{status}" in text(console)


def test_the_last_state_stays_on_the_screen():
    console = terminal()
    stats = RichDispatcher("faults.raises:Worker", [None], console=console).run([0, "bad", 2])
    last = text(console).rsplit("Overall", 1)[1]
    assert "Progress: 3/3 (2 ok, 1 failed, 0 timed out)" in last
    assert "finished" in last
    assert stats["completed"] == 2


class Full(io.StringIO):
    """Output on a full disk."""

    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


class Unread(io.StringIO):
    """Output that nobody reads any more."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError

    def fileno(self) -> int:
        return os.open(os.devnull, os.O_WRONLY)


@pytest.mark.parametrize("output", ["closed", "full", "unread"])
@pytest.mark.parametrize("is_terminal", [True, False])
def test_output_that_cant_be_written_stops_no_work(output: str, is_terminal: bool):
    file = {"closed": io.StringIO, "full": Full, "unread": Unread}[output]()
    console = Console(file=file, force_terminal=is_terminal)
    if output == "closed":
        file.close()
    with DispatchView(2, console=console, refresh_rate=100) as view:
        view.handle(WorkerStarted(0, None, 1))
        view.handle(TaskError(1, "it broke", 0))
        view.handle(TaskSuccess(2, None, 0))
    assert view.result()["failed"] == 1


def test_the_statistics_are_those_of_the_design():
    before = time.time()
    stats = RichDispatcher("faults.raises:Worker", [None, None], show_ui=False).run([0, "bad", 2, 3])
    assert {key: stats[key] for key in ("total", "completed", "failed", "timeout")} == {
        "total": 4,
        "completed": 3,
        "failed": 1,
        "timeout": 0,
    }
    assert before <= stats["start_time"] <= time.time()
    workers = stats["gpu_status"]
    assert set(workers) == {0, 1}
    assert sum(worker["completed"] for worker in workers.values()) == 3
    assert sum(worker["failed"] for worker in workers.values()) == 1
    for worker in workers.values():
        assert set(worker) >= {"status", "current_task", "task_start_time", "completed", "failed", "timeout"}
        assert worker["status"] == "finished"
        assert worker["current_task"] is None


def test_the_statistics_have_the_names_of_the_original_too():
    stats = RichDispatcher("faults.fails_in_setup:Worker", [None, None], show_ui=False).run(
        range(4), total_tasks=4, base_seed=10, failing=(10,)
    )
    assert stats["timeouts"] == stats["timeout"] == 0
    assert stats["expected_total"] == 4
    assert stats["start_time"] <= stats["end_time"] <= time.time()
    assert stats["setup_failures"] <= 1, "that worker may not have been ready when all was done"
    worker = stats["gpu_status"][1]
    assert worker["timeouts"] == 0
    assert worker["last_duration"] >= 0


def test_without_a_ui_nothing_is_printed():
    console = terminal()
    RichDispatcher("faults.raises:Worker", [None], show_ui=False, console=console).run([0, "bad"])
    assert text(console) == ""


def test_where_there_is_no_terminal_failures_and_the_end_are_plain_lines():
    console = log()
    RichDispatcher("faults.raises:Worker", [None], console=console).run([0, "bad", 2])
    lines = text(console).splitlines()
    assert lines[0] == "task 1 failed: ValueError: this one is bad"
    assert lines[1].startswith("Progress: 3/3 (2 ok, 1 failed, 0 timed out)  Elapsed: 0:0")
    assert len(lines) == 2
    assert "\x1b" not in text(console)


def test_every_callback_is_passed_on_and_one_that_raises_ends_the_run():
    told: list[str] = []
    dispatcher = RichDispatcher("faults.raises:Worker", [None], show_ui=False)
    dispatcher.run(
        [0, "bad"],
        on_success=lambda *_: told.append("success"),
        on_error=lambda *_: told.append("error"),
        on_task_start=lambda *_: told.append("start"),
        on_exit=lambda: told.append("exit"),
    )
    assert told == ["start", "success", "start", "error", "exit"]
    with pytest.raises(ZeroDivisionError):
        dispatcher.run([0], lambda *_: 1 // 0)


def test_it_runs_outside_the_main_thread_and_beside_another():
    consoles = [terminal(), terminal()]
    stats: list[dict[str, Any]] = []

    def tasks() -> Iterator[int]:
        yield from range(5)

    def run(console: Console) -> None:
        stats.append(RichDispatcher("faults.echo:Worker", [None], console=console).run(tasks(), total_tasks=5))

    threads = [threading.Thread(target=run, args=(console,)) for console in consoles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one["completed"] for one in stats] == [5, 5]
    assert all("Progress: 5/5 (5 ok, 0 failed, 0 timed out)" in text(console) for console in consoles)


def test_a_view_can_be_fed_by_hand_and_names_tasks_its_own_way():
    console = log()
    with DispatchView(2, console=console, label=lambda task: f"item {task}") as view:
        view.handle(WorkerStarted(0, 0, 1))
        view.handle(TaskStarted("x", 0))
        view.handle(TaskError("x", "it failed", 0))
    assert "task item x failed: it failed" in text(console)
    assert "Progress: 1/2 (0 ok, 1 failed, 0 timed out)" in text(console)


def test_an_impossible_rate_is_refused():
    with pytest.raises(ValueError, match="refresh_rate"):
        RichDispatcher("faults.echo:Worker", [None], refresh_rate=0)


@pytest.mark.parametrize(("seconds", "shown"), [(7.2, "0:07"), (754, "12:34"), (3723, "1:02:03"), (59.6, "1:00")])
def test_durations_are_shown_as_a_clock(seconds: float, shown: str):
    assert clock(seconds) == shown
    assert clock(-7203) == "0:00", "the clock of the machine was set back"


def test_busy_workers_come_first_and_the_rest_is_counted_where_there_is_no_room():
    view = DispatchView(show_ui=False)
    for worker in range(64):
        view.handle(WorkerStarted(worker, None, 1))
        view.handle(WorkerReady(worker, None, 1))
    view.handle(TaskStarted(5, 60))
    lines = picture(view, height=29).splitlines()
    rows = [line for line in lines if "CPU" in line]
    assert len(rows) == 18
    assert "CPU 60" in rows[0]
    assert lines[-1].strip() == "and 46 more"


def test_forty_columns_show_what_counts():
    view = DispatchView(1000, show_ui=False)
    for worker in (0, 1):
        view.handle(WorkerStarted(worker, None, 1))
        view.handle(WorkerReady(worker, None, 1))
    view.handle(TaskStarted("item 900", 0))
    view.handle(TaskError("x", "it failed", 1))
    shown = picture(view, width=40)
    assert all(len(line) <= 40 for line in shown.splitlines())
    row = next(line for line in shown.splitlines() if "item 900" in line)
    assert row.split()[:6] == ["CPU", "0", "busy", "item", "900", "0"]


def test_what_would_move_the_cursor_or_turn_the_writing_is_not_shown():
    console = log()
    nasty = "\x1b[2J\x1b[31mred\x07\x1b]0;title\x07 \u202eback\x9b5A\rover"
    with DispatchView(2, console=console, label=lambda task: f"item {task}{nasty}") as view:
        view.handle(WorkerStarted(0, None, 1, nasty))
        view.handle(TaskStarted("x", 0))
        shown = picture(view, width=160)
        view.handle(TaskError("x", nasty, 0))
    assert "item xred back5Aover" in shown
    for told in (shown, picture(view), text(console)):
        assert not set("\x1b\x07\u202e\x9b\r") & set(told)


def test_two_views_on_one_terminal_stand_one_above_the_other():
    console = terminal()
    with DispatchView(10, console=console, refresh_rate=1e-3) as first, DispatchView(20, console=console) as second:
        first.handle(TaskSuccess(1, None, 0))
        second.handle(TaskSuccess(1, None, 0))
    shown = text(console)
    assert "Progress: 1/20 (1 ok" in shown
    assert "Progress: 1/10 (1 ok" in shown.rsplit("Progress: 1/20 (1 ok", 1)[1], "the one that ended first is above"
    assert shown.count("\x1b[?25l") == 1, "the cursor is hidden by one of them"


def test_a_clock_that_is_set_back_changes_no_duration(monkeypatch: pytest.MonkeyPatch):
    view = DispatchView(10, show_ui=False)
    view.handle(WorkerStarted(0, None, 1))
    view.handle(TaskStarted(0, 0))
    monkeypatch.setattr(time, "time", lambda: view.stats.start_time - 7205)
    shown = picture(view)
    view.handle(TaskSuccess(0, None, 0))
    view.stats.finish()
    for told in (shown, picture(view)):
        assert "Elapsed: 0:0" in told
        assert "-" not in told.replace("node-b", "")
    assert view.result()["gpu_status"][0]["last_duration"] >= 0


def test_what_a_cluster_is_waited_for_is_shown_until_it_is_there():
    console = log()
    with DispatchView(2, console=console) as view:
        view.handle(PlacesAwaited("waiting for a place: 4 GPUs asked, 0 free"))
        assert "4 GPUs asked, 0 free" in picture(view)
        view.handle(PlacesAwaited(""))
        assert "asked" not in picture(view)
    assert text(console).splitlines()[0] == "waiting for a place: 4 GPUs asked, 0 free"
