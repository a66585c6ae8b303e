"""The runner, on real worker processes: what a person notices when they press start, pause and cancel, or when things die."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import DEADLINE, wait_for

from cosmos_workflow.config import Settings, Workspace
from cosmos_workflow.errors import UnavailableError
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.runner import RunnerState
from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.queueing.items import ItemStatus, Prompt

Log = Callable[[], list[str]]


def add(session: Session, *texts: str, group: int = 0) -> list[str]:
    prompts = [Prompt(text) for text in texts]
    return [item.id for item in session.queue.add_to_queue(prompts, "probe", {"group": group})]


def run(session: Session) -> Counter[str]:
    """Start, wait until it rests, and count how the items ended."""
    session.runner.start()
    assert session.runner.join(DEADLINE), "the runner never came to rest"
    return ends(session)


def ends(session: Session) -> Counter[str]:
    return Counter(str(item.status) for item in session.queue.snapshot().finished)


def error_of(session: Session, item_id: str) -> str:
    item = session.queue.get(item_id)
    assert item is not None
    return item.error


def test_every_item_succeeds_on_an_engine_that_is_loaded_once(session: Session, probe_log: Log) -> None:
    add(session, *["ok"] * 20)
    assert run(session) == {"succeeded": 20}
    assert probe_log().count("load") == 1
    assert [line for line in probe_log() if line.startswith("batch")] == ["batch 8", "batch 8", "batch 4"]
    assert session.runner.snapshot().state is RunnerState.IDLE


def test_items_of_two_groups_run_in_batches_of_their_own(session: Session, operations: Operations) -> None:
    for group in (1, 2, 1, 2):
        add(session, "ok", group=group)
    run(session)
    batches = Counter((run.batch_id, run.params["group"]) for run in operations.store.runs.list())
    assert sorted((group, count) for (_, group), count in batches.items()) == [(1, 2), (2, 2)]


def test_a_failing_item_leaves_the_others_alone(session: Session) -> None:
    _, bad, _ = add(session, "ok", "fail", "ok")
    assert run(session) == {"succeeded": 2, "failed": 1}
    assert error_of(session, bad) == "ValueError: the probe was told to fail"


def test_an_item_that_breaks_its_batch_is_found_and_the_others_succeed(session: Session) -> None:
    ids = add(session, *["ok"] * 5, "break", *["ok"] * 2)
    assert run(session) == {"succeeded": 7, "failed": 1}
    assert "told to break" in error_of(session, ids[5])


def test_when_memory_runs_out_smaller_batches_are_tried(session: Session, operations: Operations) -> None:
    add(session, *["oom 2"] * 8)
    assert run(session) == {"succeeded": 8}
    assert {run.metadata["size"] for run in operations.store.runs.list()} <= {1, 2}


def test_a_worker_killed_in_mid_batch_costs_nothing(session: Session, operations: Operations, tmp_path: Path) -> None:
    ids = add(session, "ok", "ok", f"kill-once {tmp_path / 'once'}", "ok")
    assert run(session) == {"succeeded": 4}
    made = Counter(run.item_id for run in operations.store.runs.list(status=ItemStatus.SUCCEEDED))
    assert made == Counter(ids), "each exactly once"


@pytest.mark.slow
def test_an_item_that_always_kills_its_worker_fails_with_that_reason(session: Session) -> None:
    ids = add(session, "ok", "kill", "ok", "ok")
    assert run(session) == {"succeeded": 3, "failed": 1}
    assert "SIGKILL" in error_of(session, ids[1])
    assert session.runner.snapshot().state is RunnerState.IDLE, "one bad item doesn't stop the night"


def test_after_three_deaths_in_a_row_the_queue_holds_and_says_why(session: Session) -> None:
    for group in range(4):
        add(session, "kill", group=group)
    session.runner.start()
    assert session.runner.join(DEADLINE)
    snapshot = session.runner.snapshot()
    assert snapshot.state is RunnerState.HELD
    assert "died 3 times in a row" in snapshot.reason
    assert len(snapshot.queue.items) == 4, "nothing is lost"


def test_a_worker_killed_while_idle_is_replaced(session: Session, operations: Operations) -> None:
    add(session, "ok")
    run(session)
    pid = operations.router.slots()[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: operations.router.slots()[0].pid != pid, "the pool noticed")
    add(session, "ok")
    assert run(session) == {"succeeded": 2}


@pytest.mark.slow
@pytest.mark.parametrize(("how", "loads"), [("raise", 1), ("kill", 3)])
def test_an_engine_that_cannot_be_loaded_holds_the_queue_and_costs_nothing(
    how: str, loads: int, session: Session, monkeypatch: pytest.MonkeyPatch, probe_log: Log
) -> None:
    add(session, *["ok"] * 20)
    with monkeypatch.context() as patch:
        patch.setenv("COSMOS_PROBE_LOAD_FAILS", how)
        session.runner.start()
        assert session.runner.join(DEADLINE)
    snapshot = session.runner.snapshot()
    assert (snapshot.state, len(snapshot.queue.queued), snapshot.queue.finished) == (RunnerState.HELD, 20, ())
    assert "probe could not be loaded" in snapshot.reason
    assert {item.attempts for item in snapshot.queue.items} == {0}
    assert probe_log() == ["load"] * loads, "it isn't tried again and again"
    if how == "raise":
        assert snapshot.reason.endswith("could not be loaded: The probe's weights are damaged; fetch them again.")
    else:
        assert "died 3 times in a row" in snapshot.reason
    assert run(session) == {"succeeded": 20}


def test_an_engine_that_is_not_there_says_what_to_do(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = add(session, "ok")
    monkeypatch.setenv("COSMOS_PROBE_UNAVAILABLE", "1")
    assert run(session) == {"failed": 1}
    assert error_of(session, first) == "probe: The probe isn't there. Unset the variable."


def test_pause_waits_for_the_running_batch_and_resume_goes_on(session: Session, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    add(session, f"wait {gate}")
    add(session, "ok", group=1)
    session.runner.start()
    wait_for(gate.with_suffix(".waiting").exists, "the first batch runs")
    session.runner.pause()
    assert session.runner.snapshot().state is RunnerState.PAUSING
    gate.touch()
    assert session.runner.join(DEADLINE)
    assert session.runner.snapshot().state is RunnerState.PAUSED
    assert ends(session) == {"succeeded": 1}
    assert run(session) == {"succeeded": 2}


def test_pause_and_free_unloads_the_engine(session: Session, operations: Operations) -> None:
    add(session, "ok")
    run(session)
    session.runner.pause(free_devices=True)
    wait_for(lambda: operations.router.slots()[0].pid is None, "the worker left")


def test_cancel_stops_what_runs_and_the_queue_goes_on(session: Session, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    running, _ = add(session, f"wait {gate}", f"wait {gate}")
    add(session, "ok", group=1)
    session.runner.start()
    wait_for(gate.with_suffix(".waiting").exists, "the first batch runs")
    assert len(session.runner.cancel()) == 2
    assert session.runner.join(DEADLINE)
    assert ends(session) == {"cancelled": 2, "succeeded": 1}
    assert session.runner.cancel() == [], "nothing runs any more"
    assert session.queue.get(running) is not None


@pytest.mark.parametrize("word", ["wait", "watch"])
def test_cancelling_one_item_leaves_its_neighbour(session: Session, tmp_path: Path, word: str) -> None:
    """Whether the engine asks for a cancel, or lets the next report tell it and break its loop."""
    gate = tmp_path / "gate"
    first, second = add(session, f"{word} {gate}", "ok")
    session.runner.start()
    wait_for(gate.with_suffix(".waiting").exists, "the batch runs")
    session.runner.cancel([first])
    assert session.runner.join(DEADLINE)
    assert {item.id: str(item.status) for item in session.queue.snapshot().finished} == {
        first: "cancelled",
        second: "succeeded",
    }


@pytest.mark.slow
def test_cancel_ends_even_what_does_not_listen(session: Session, tmp_path: Path) -> None:
    started = tmp_path / "started"
    add(session, f"hang {started}")
    session.runner.start()
    wait_for(started.exists, "it hangs")
    session.runner.cancel()
    assert session.runner.join(DEADLINE)
    assert ends(session) == {"cancelled": 1}


def test_adding_while_it_runs_loses_nothing(session: Session, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    add(session, f"wait {gate}")
    session.runner.start()
    wait_for(gate.with_suffix(".waiting").exists, "it runs")
    add(session, *["ok"] * 10, group=1)
    gate.touch()
    assert session.runner.join(DEADLINE)
    assert ends(session) == {"succeeded": 11}


def test_two_sessions_take_turns_batch_by_batch(sessions: Sessions, workspace: Workspace, tmp_path: Path) -> None:
    pair = {"a": sessions.open(), "b": sessions.open()}
    gates = {name: [tmp_path / f"{name}{number}" for number in range(3)] for name in pair}
    for name, session in pair.items():
        for group, gate in enumerate(gates[name]):
            add(session, f"wait {gate}", group=group)
        session.runner.start()
    order = ""
    for turn in range(6):
        waiting = [gate.with_suffix(".waiting") for gates_of_one in gates.values() for gate in gates_of_one]
        wait_for(lambda: sum(path.exists() for path in waiting) > turn, "the next batch runs")  # noqa: B023
        if turn < 5:
            wait_for(lambda: len(list(workspace.runs.iterdir())) == turn + 2, "the other one waits for the device")  # noqa: B023
        (gate,) = [path.with_suffix("") for path in waiting if path.exists() and not path.with_suffix("").exists()]
        order += gate.name[0]
        gate.touch()
    assert order in ("ababab", "bababa")


def test_two_devices_work_at_once(workspace: Workspace, tmp_path: Path) -> None:
    with Operations(workspace, gpu_ids=(None, None)) as two:
        session = Sessions(two).open()
        gates = [tmp_path / "one", tmp_path / "two"]
        for group, gate in enumerate(gates):
            add(session, f"wait {gate}", group=group)
        session.runner.start()
        for gate in gates:
            wait_for(gate.with_suffix(".waiting").exists, "both batches run at once")
        for gate in gates:
            gate.touch()
        assert session.runner.join(DEADLINE)
        assert ends(session) == {"succeeded": 2}


def test_progress_rises_and_ends_at_one(session: Session) -> None:
    add(session, *["ok"] * 3, "fail")
    seen: list[float] = []
    with session.runner.changes.watch() as wait:
        session.runner.start()
        while not session.runner.join(0):
            assert wait(DEADLINE), "every change is told"
            seen.append(session.runner.snapshot().fraction)
    seen.append(session.runner.snapshot().fraction)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_time_left_is_learned_from_finished_batches(session: Session, tmp_path: Path) -> None:
    add(session, "ok", "ok")
    assert session.runner.snapshot().left is None
    run(session)
    add(session, "ok")
    left = session.runner.snapshot().left
    assert left is not None
    assert left.seconds > 0


def test_what_was_running_when_the_program_ends_is_queued_again(workspace: Workspace, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    operations = Operations(workspace)
    sessions = Sessions(operations)
    session = sessions.open()
    (running,) = add(session, f"wait {gate}")
    (waiting,) = add(session, "ok", group=1)
    session.runner.start()
    wait_for(gate.with_suffix(".waiting").exists, "it runs")
    sessions.close()
    gate.touch()
    with Operations(workspace) as again:
        restored = Sessions(again).open(session.token)
        assert [(item.id, str(item.status), item.attempts) for item in restored.queue.snapshot().items] == [
            (running, "queued", 0),
            (waiting, "queued", 0),
        ]
        assert run(restored) == {"succeeded": 2}


def test_a_full_disk_holds_the_queue_and_costs_nothing(
    session: Session, operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        raise UnavailableError("The disk is full; free some space and start the queue again.")

    add(session, "ok")
    add(session, "ok", group=1)
    with monkeypatch.context() as patch:
        patch.setattr(operations.store.runs, "publish_all", full)
        session.runner.start()
        assert session.runner.join(DEADLINE)
    snapshot = session.runner.snapshot()
    assert (snapshot.state, len(snapshot.queue.queued)) == (RunnerState.HELD, 2)
    assert "disk is full" in snapshot.reason
    assert run(session) == {"succeeded": 2}


@pytest.mark.parametrize("word", ["no-space", "break-no-space"])
def test_a_disk_that_is_full_for_the_engine_holds_the_queue_and_costs_nothing(
    word: str, session: Session, tmp_path: Path
) -> None:
    space = tmp_path / "space"
    add(session, *[f"{word} {space}"] * 20)
    session.runner.start()
    assert session.runner.join(DEADLINE)
    snapshot = session.runner.snapshot()
    assert (snapshot.state, len(snapshot.queue.queued), snapshot.queue.finished) == (RunnerState.HELD, 20, ())
    assert "No space left" in snapshot.reason
    assert {item.attempts for item in snapshot.queue.items} == {0}, "nothing is known against them"
    space.touch()
    assert run(session) == {"succeeded": 20}


@pytest.mark.slow
def test_what_the_journal_refuses_is_written_when_it_can_be(
    session: Session, operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is locked while a batch ends: nothing stays running, and nothing is made twice."""
    ids = add(session, *["ok"] * 3, "fail", "break")
    refused: list[str] = []
    finish, save = operations.store.runs.finish, operations.store.queues.save

    def stubborn(action: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            if session.queue.snapshot().running and len(refused) % 3 < 2:
                refused.append(action.__name__)
                raise UnavailableError("The database is locked by another program; close that.")
            refused.append("")
            return action(*args, **more)

        return call

    monkeypatch.setattr(operations.store.runs, "finish", stubborn(finish))
    monkeypatch.setattr(operations.store.queues, "save", stubborn(save))
    for _ in range(2):  # what broke is queued again, and the queue holds
        session.runner.start()
        assert session.runner.join(DEADLINE)
    snapshot = session.runner.snapshot()
    assert {"finish", "save"} <= set(refused)
    assert (snapshot.state, snapshot.queue.items) == (RunnerState.HELD, ())
    assert "locked" in snapshot.reason
    assert ends(session) == {"succeeded": 3, "failed": 2}
    assert sorted(run.item_id for run in operations.store.runs.list()) == sorted(ids)


def test_a_lane_that_breaks_says_so_and_start_takes_back_what_it_left(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("no such lane")

    add(session, "ok", "ok")
    with monkeypatch.context() as patch:
        patch.setattr(session.queue, "settle", broken)
        patch.setattr(session.queue, "put_back", lambda ids: broken() if ids else [])
        session.runner.start()
        assert session.runner.join(DEADLINE)
    snapshot = session.runner.snapshot()
    assert snapshot.state is RunnerState.HELD
    assert "no such lane" in snapshot.reason
    assert len(snapshot.queue.running) == 2
    assert run(session) == {"succeeded": 2}


def test_retrying_a_failed_item_makes_a_new_one(session: Session) -> None:
    (bad,) = add(session, "fail")
    run(session)
    (again,) = session.queue.retry([bad])
    assert again.retry_of == bad
    assert run(session) == {"failed": 1}


@pytest.mark.slow
def test_an_item_that_falls_silent_does_not_stop_the_night(workspace: Workspace, tmp_path: Path) -> None:
    impatient = replace(workspace, settings=Settings(task_timeout=2.0))
    with Operations(impatient, cancel_grace=0.2) as operations:
        session = Sessions(operations).open()
        (silent,) = add(session, f"hang {tmp_path / 'started'}")
        add(session, "ok", group=1)
        assert run(session) == {"failed": 1, "succeeded": 1}
        assert "reported nothing for 2 s" in error_of(session, silent)
