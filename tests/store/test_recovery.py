"""A process that dies at any moment: nothing is lost, nothing is done twice, and nothing of a living one is touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from store_support import publish

from cosmos_workflow.config import Workspace
from cosmos_workflow.queueing import ItemStatus, Queue, QueueItem
from cosmos_workflow.queueing.retries import MAX_INTERRUPTIONS, Ending
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.store import Store

Queued = Callable[..., tuple[Queue, list[QueueItem]]]


@pytest.fixture
def dead(workspace: Workspace) -> Callable[..., tuple[str, list[RunRecord]]]:
    """What a process that died in mid-batch leaves: a queue whose items are running, and their runs."""

    def leave(*texts: str, attempts: int = 0, begun: bool = True) -> tuple[str, list[RunRecord]]:
        with Store(workspace) as store:
            queue = Queue(journal=store.queues)
            store.queues.register(queue.token)
            item = QueueItem("ps_1", "", "probe", {"group": 0, "rate": 1}, {}, {}, "key", attempts=attempts)
            queue.extend([replace(item, id=f"qi_{text}", prompt_text=text) for text in texts])
            records: list[RunRecord] = []
            while batch := queue.claim():
                records += [RunRecord.of(item, batch, token=queue.token) for item in batch.items]
            for record in store.runs.begin(records) if begun else []:
                (store.runs.open_folder(record.id) / "sound.wav").write_bytes(b"RIFF")
            return queue.token, records

    return leave


def test_what_was_running_is_queued_again_and_its_run_is_not_the_users_cancel(store: Store, dead: Callable[..., tuple]) -> None:
    token, (first, second) = dead("one", "two")
    swept = store.recovery.sweep(now=1000.0)
    assert swept.requeued == (first.item_id, second.item_id)
    assert swept.interrupted == (first.id, second.id)
    items = store.queues.load(token)
    assert [(item.prompt_text, item.status, item.attempts) for item in items] == [("one", "queued", 0), ("two", "queued", 0)]
    record = store.runs.get(first.id)
    assert record is not None
    assert (record.status, record.interrupted, record.finished_at) == (ItemStatus.CANCELLED, True, 1000.0)
    assert record.error == "The program was ended while it ran."
    assert store.runs.list() == [], "an interrupted run is no result: its item runs again"
    assert store.runs.count(interrupted=True) == 2
    assert not list(store.workspace.runs.iterdir())
    assert not [lock for lock in store.workspace.locks.glob("process-*") if store.process.id not in lock.name]
    assert store.recovery.sweep() == type(swept)(), "once is enough"


def test_no_item_fails_because_its_program_was_ended_however_often_that_is(store: Store, dead: Callable[..., tuple]) -> None:
    token, (run,) = dead("unlucky", attempts=MAX_INTERRUPTIONS)
    assert store.recovery.sweep().interrupted == (run.id,)
    (item,) = store.queues.load(token)
    assert (item.status, item.attempts) == (ItemStatus.QUEUED, MAX_INTERRUPTIONS)
    assert store.runs.list(status=ItemStatus.FAILED) == []


def test_a_batch_that_was_claimed_and_never_begun_is_queued_without_blame(store: Store, dead: Callable[..., tuple]) -> None:
    token, _ = dead("one", begun=False)
    store.recovery.sweep()
    assert [(item.status, item.attempts) for item in store.queues.load(token)] == [(ItemStatus.QUEUED, 0)]


def test_a_run_whose_item_no_queue_holds_can_be_retried_from_results(store: Store, dead: Callable[..., tuple]) -> None:
    token, (run,) = dead("one")
    store.queues.save(token, [], removed=[run.item_id])
    assert store.recovery.sweep().failed == (run.id,)
    (record,) = store.runs.list(status=ItemStatus.FAILED)
    assert (record.id, record.interrupted) == (run.id, True), "it failed with its program, not for what it is"


def test_a_run_left_open_beside_its_queued_item_costs_the_item_nothing(store: Store, dead: Callable[..., tuple]) -> None:
    token, (run,) = dead("one")
    (item,) = store.queues.load(token)
    store.queues.save(token, [], [item.after(Ending.DIED, "Its worker died.")])
    assert store.recovery.sweep().interrupted == (run.id,)
    assert [item.attempts for item in store.queues.load(token)] == [1]


def test_a_living_process_is_left_alone(workspace: Workspace, store: Store, queued: Queued) -> None:
    queue, _ = queued("one")
    batch = queue.claim()
    assert batch is not None
    (record,) = store.runs.begin([RunRecord.of(batch.items[0], batch, token=queue.token)])
    folder = store.runs.open_folder(record.id)
    with Store(workspace) as other:
        assert other.process.is_alive(store.process.id)
        assert other.recovery.sweep() == other.recovery.sweep()
        assert other.repair.run(apply=True) == []
        assert other.queues.load(queue.token) == list(queue.snapshot().items)
    (folder / "sound.wav").write_bytes(b"RIFF")
    assert publish(store, record.id, {"audio": "sound.wav"}).status is ItemStatus.SUCCEEDED


def test_what_a_command_swept_is_nobodys_until_a_page_takes_it(
    workspace: Workspace, store: Store, dead: Callable[..., tuple]
) -> None:
    token, _ = dead("one", "two")
    swept = store.recovery.sweep()
    assert swept.requeued
    with Store(workspace) as page:  # while the command that swept goes on
        assert page.queues.list_open() == [(token, "local")]


def test_queues_and_locks_that_nobody_needs_are_swept(workspace: Workspace, store: Store, queued: Queued) -> None:
    queue, _ = queued("one")
    store.queues.register("qt_empty", "ada")
    with Store(workspace) as command:
        command.recovery.sweep()
    store.recovery.sweep()
    assert store.queues.owner_of("qt_empty") == "ada", "its page is open"
    assert [path.stem for path in workspace.locks.glob("process-*")] == [f"process-{store.process.id}"]
    store.close()
    with Store(workspace) as later:
        assert (later.queues.owner_of("qt_empty"), later.queues.owner_of(queue.token)) == (None, "local")
    assert not list(workspace.locks.glob("process-*"))


def test_a_half_deleted_run_is_deleted(store: Store, made: Callable[..., RunRecord]) -> None:
    record = made()
    folder = store.runs.folder(record.id)
    folder.rename(folder.with_name(f"{folder.name}.deleted"))
    store.recovery.sweep()
    assert store.runs.get(record.id) is None
    assert not list(store.workspace.runs.iterdir())


def test_a_copy_that_was_never_finished_goes_after_a_day(store: Store) -> None:
    folder = store.inputs.folder("local")
    folder.mkdir()
    for name, age in [(".tmp_old", 90_000), (".tmp_new", 10), ("kept.wav", 90_000)]:
        (folder / name).touch()
        os.utime(folder / name, (1_000_000 - age, 1_000_000 - age))
    store.recovery.sweep(now=1_000_000)
    assert sorted(path.name for path in folder.iterdir()) == [".tmp_new", "kept.wav"]


@pytest.mark.slow
@pytest.mark.parametrize("life", ["die", "die-together"])
def test_death_at_any_moment_loses_nothing_and_does_nothing_twice(tmp_path: Path, life: str) -> None:
    script = Path(__file__).parent / "processes.py"
    command = [sys.executable, str(script), life, str(tmp_path)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert answer.returncode == 0, answer.stderr
    moments = int(answer.stdout)
    assert moments > 20
    seen: set[tuple[str, ...]] = set()
    for moment in range(moments):
        workspace = Workspace.open(tmp_path / str(moment))
        with Store(workspace) as store:
            store.recovery.sweep()
            seen.add(state_of(store))
            assert store.repair.run() == [], moment
            succeed_the_rest(store)
            results = [(run.prompt_text, str(run.status)) for run in store.runs.list(limit=None)]
            assert sorted(results) in (
                [],  # it died before anything was queued
                [("one", "succeeded"), ("two", "failed")],
                [("one", "succeeded"), ("two", "succeeded")],
            ), moment
            for run in store.runs.list(status=ItemStatus.SUCCEEDED):
                assert store.runs.output_path(run, "audio").read_bytes() == b"RIFF" + run.prompt_text.encode()
                assert json.loads((store.runs.folder(run.id) / "run.json").read_text())["prompt"]["text"] == run.prompt_text
            assert store.queues.list_open() == []
    expected = {("one succeeded", "two failed")} if life == "die" else {("one succeeded", "two succeeded")}
    assert {("",), ("one queued", "two queued"), ("one succeeded", "two queued"), *expected} <= seen


def state_of(store: Store) -> tuple[str, ...]:
    items = [f"{item.prompt_text} {item.status}" for item in store.queues.load("qt_life")]
    runs = [f"{run.prompt_text} {run.status}" for run in store.runs.list(limit=None)]
    return tuple(sorted(items + runs)) or ("",)


def succeed_the_rest(store: Store) -> None:
    queue = Queue("qt_life", store.queues.load("qt_life"), store.queues)
    while batch := queue.claim():
        for record in store.runs.begin([RunRecord.of(item, batch, token=queue.token) for item in batch.items]):
            (store.runs.open_folder(record.id) / "sound.wav").write_bytes(b"RIFF" + record.prompt_text.encode())
            publish(store, record.id, {"audio": "sound.wav"})
            queue.finish(record.item_id, ItemStatus.SUCCEEDED)
