"""Runs: records that agree with their files, statuses that stay, and results that are their owner's alone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from store_support import publish
from support import media_bytes

from cosmos_workflow.errors import InputError, UnavailableError, WorkflowError
from cosmos_workflow.queueing import ItemStatus, Queue, QueueItem, TransitionError
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.runs import Made
from cosmos_workflow.store.store import Store

MakeRun = Callable[..., RunRecord]
Queued = Callable[..., tuple[Queue, list[QueueItem]]]


def begin(store: Store, text: str = "hello", **known: object) -> RunRecord:
    item = QueueItem("ps_1", text, "probe", {"seed": 7}, {"vis": 0.5}, {}, "key", cost=5.0)
    return store.runs.begin([replace(RunRecord.of(item), **known)])[0]


def test_a_published_run_tells_how_to_make_it_again(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "voice.wav").write_bytes(media_bytes())
    voice = store.inputs.add(tmp_path / "voice.wav")
    record = begin(store, "Good morning, äöü.", inputs={"voice": str(voice)}, batch_id="batch_1", batch_size=2)
    monkeypatch.setattr(time, "time", lambda: 100.0)
    store.runs.start([record.id], device="GPU 0", worker="w1", load_seconds=3.0)
    (store.runs.open_folder(record.id) / "sound.wav").write_bytes(b"RIFFsound")
    monkeypatch.setattr(time, "time", lambda: 104.0)
    done = publish(store, record.id, {"audio": "sound.wav"}, {"seconds": 1.5})
    assert done == store.runs.get(record.id)
    assert (done.status, done.progress, done.seconds, done.device) == (ItemStatus.SUCCEEDED, 1.0, 4.0, "GPU 0")
    assert store.runs.output_path(done, "audio").read_bytes() == b"RIFFsound"
    told = json.loads((store.runs.folder(record.id) / "run.json").read_text(encoding="utf-8"))
    assert told["prompt"] == {"id": "ps_1", "text": "Good morning, äöü."}
    assert (told["engine"], told["params"], told["seed"], told["weights"]) == ("probe", {"seed": 7}, 7, {"vis": 0.5})
    assert told["inputs"]["voice"] == {"file": f"inputs/local/{voice.name}", "size": len(media_bytes()), "sha256": voice.stem}
    assert told["outputs"]["audio"]["sha256"] == store.digests.of(store.runs.output_path(done, "audio"))
    assert told["times"]["started_at"] == 100.0
    assert told["device"] == "GPU 0"
    assert told["versions"]["cosmos-workflow"]
    assert sorted(path.name for path in store.runs.folder(record.id).iterdir()) == ["run.json", "sound.wav"]


def test_success_takes_the_item_out_of_the_queue_in_the_same_moment(store: Store, queued: Queued) -> None:
    queue, _ = queued("one", "two")
    batch = queue.claim()
    assert batch is not None
    first, second = store.runs.begin([RunRecord.of(item, batch, token=queue.token) for item in batch.items])
    (store.runs.open_folder(first.id) / "a.wav").write_bytes(b"RIFF")
    publish(store, first.id, {"audio": "a.wav"})
    assert [item.id for item in store.queues.load(queue.token)] == [second.item_id]
    store.runs.finish(second.id, "interrupted", error="Its worker died.")
    assert [item.id for item in store.queues.load(queue.token)] == [second.item_id], "it will run again"
    third = store.runs.begin([RunRecord.of(batch.items[1], batch, token=queue.token)])[0]
    store.runs.finish(third.id, ItemStatus.CANCELLED)
    assert store.queues.load(queue.token) == []


@pytest.mark.parametrize("first", ["failed", "cancelled", "interrupted"])
@pytest.mark.parametrize("second", ["failed", "cancelled", "interrupted", "succeeded", "running", "queued"])
def test_a_terminal_status_never_changes(store: Store, first: str, second: str) -> None:
    record = begin(store)
    done = store.runs.finish(record.id, first, error="because", traceback="Traceback ...")
    assert (done.error, done.traceback) == ("because", "Traceback ...")
    with pytest.raises(TransitionError):
        store.runs.finish(record.id, second)
    (store.runs.open_folder(record.id) / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(TransitionError):
        publish(store, record.id, {"audio": "a.wav"})
    store.runs.update_progress(record.id, "write", 0.9)
    store.runs.start([record.id], device="GPU 1", worker="w1", load_seconds=0.0)
    assert store.runs.get(record.id) == done
    assert not store.runs.folder(record.id).exists()


def test_success_needs_files(store: Store) -> None:
    record = begin(store)
    with pytest.raises(TransitionError, match="succeeds when its files are published"):
        store.runs.finish(record.id, ItemStatus.SUCCEEDED)
    folder = store.runs.open_folder(record.id)
    (folder / "empty.wav").touch()
    for name in ("nothing.wav", "empty.wav"):
        with pytest.raises(WorkflowError, match=rf"probe said that it made audio, but '{name}' isn't there or is empty"):
            publish(store, record.id, {"audio": name})
    with pytest.raises(InputError, match="isn't inside the folder of"):
        publish(store, record.id, {"audio": "../../workflow.sqlite3"})
    (folder / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(WorkflowError, match="described its output with a value that isn't JSON"):
        publish(store, record.id, {"audio": "a.wav"}, {"seconds": float("nan")})
    after = store.runs.get(record.id)
    assert after is not None
    assert after.status is ItemStatus.RUNNING


def test_numbers_of_arrays_are_plain_in_the_record(store: Store) -> None:
    import numpy as np

    record = begin(store)
    (store.runs.open_folder(record.id) / "a.wav").write_bytes(b"RIFF")
    publish(store, record.id, {"audio": "a.wav"}, {"peak": np.float32(0.5), "path": Path("x")})
    after = store.runs.get(record.id)
    assert after is not None
    assert after.metadata == {"peak": 0.5, "path": "x"}


def test_progress_never_falls(store: Store) -> None:
    record = begin(store)
    for stage, fraction in [("think", 0.2), ("write", 0.7), ("think", 0.3)]:
        store.runs.update_progress(record.id, stage, fraction, stage)
    after = store.runs.get(record.id)
    assert after is not None
    assert (after.stage, after.progress, after.message) == ("write", 0.7, "write")


def test_a_full_disk_leaves_the_run_running_and_nothing_published(store: Store, disk, limit_database: Callable[[], None]) -> None:
    record = begin(store)
    folder = store.runs.open_folder(record.id)
    (folder / "a.wav").write_bytes(b"RIFF")
    disk.full = True
    with pytest.raises(UnavailableError, match=r"can't be written: the disk is full; free some space and try again\."):
        publish(store, record.id, {"audio": "a.wav"})
    disk.full = False
    limit_database()
    with pytest.raises(UnavailableError, match="the disk is full"):
        publish(store, record.id, {"audio": "a.wav"}, {"notes": "x" * 100_000})
    after = store.runs.get(record.id)
    assert after is not None
    assert after.status is ItemStatus.RUNNING
    assert not store.runs.folder(record.id).exists()
    assert (folder / "a.wav").exists(), "what was made can still be published"


def test_results_are_found_by_engine_status_text_and_source(store: Store, made: MakeRun) -> None:
    for number, (text, engine, source) in enumerate(
        [
            ("red fox", "probe", ""),
            ("blue fox", "espeak", "job:a/1"),
            ("100 % red", "probe", "job:a/2"),
            ("snake_case", "probe", ""),
        ]
    ):
        made(text, engine=engine, source=source, started_at=float(number + 1))
    failed = begin(store, "red hat", started_at=9.0)
    store.runs.finish(failed.id, ItemStatus.FAILED, error="no voice")

    def texts(**chosen) -> list[str]:
        found = [run.prompt_text for run in store.runs.list(**chosen)]
        assert store.runs.count(**chosen) == len(found)
        return found

    assert texts() == ["red hat", "snake_case", "100 % red", "blue fox", "red fox"], "newest first"
    assert texts(engine="espeak") == ["blue fox"]
    assert texts(status=ItemStatus.FAILED) == ["red hat"]
    assert texts(status=[ItemStatus.FAILED, ItemStatus.SUCCEEDED], text="RED") == ["red hat", "100 % red", "red fox"]
    assert texts(text="fox red") == ["red fox"], "every word"
    assert texts(text="%") == ["100 % red"]
    assert texts(text="e_c") == ["snake_case"]
    assert texts(text="voice") == ["red hat"]
    assert texts(text="'; DROP TABLE runs; --") == []
    assert texts(source="job:a/1") == ["blue fox"]
    assert texts(source="job:a/*") == ["100 % red", "blue fox"]
    assert [run.prompt_text for run in store.runs.list(limit=2, offset=1)] == ["snake_case", "100 % red"]


def test_another_users_runs_are_not_there(store: Store, made: MakeRun) -> None:
    mine = made(owner="ada")
    assert store.runs.get(mine.id, "eve") is None
    assert store.runs.list("eve") == []
    assert store.runs.delete([mine.id], "eve") == 0
    assert store.runs.get(mine.id, "ada") == mine
    assert store.runs.output_path(mine, "audio").exists()


def test_deleting_takes_record_and_folder(store: Store, made: MakeRun) -> None:
    gone, kept = made(), made()
    running = begin(store)
    with pytest.raises(InputError, match="is still running; cancel it first"):
        store.runs.delete([gone.id, running.id])
    assert store.runs.get(gone.id) == gone, "all or none"
    assert store.runs.delete([gone.id, "rs_unknown"]) == 1
    assert store.runs.get(gone.id) is None
    assert [folder.name for folder in store.workspace.runs.iterdir()] == [kept.id]


def test_a_run_that_cannot_be_deleted_stays_whole(store: Store, made: MakeRun, disk) -> None:
    record = made()
    disk.full = True
    with pytest.raises(UnavailableError):
        store.runs.delete([record.id])
    disk.full = False
    assert store.runs.get(record.id) == record
    assert store.repair.run() == []


@pytest.mark.parametrize("run_id", ["../x", "rs_../../x", "rs_", "/etc", "rs_ABC", "rs_a/b", "rs_a\\b", "rs_%2e%2e", "rs_a\n"])
def test_an_id_that_is_none_is_no_path(store: Store, run_id: str) -> None:
    for use in (store.runs.folder, store.runs.open_folder, store.runs.discard_folder):
        with pytest.raises(InputError, match="isn't the id of a run"):
            use(run_id)


def test_an_output_outside_the_folder_is_not_given_out(store: Store, made: MakeRun, tmp_path: Path) -> None:
    record = made()
    (tmp_path / "secret").write_text("s")
    (store.runs.folder(record.id) / "link").symlink_to(tmp_path / "secret")
    for name in ("../../workflow.sqlite3", "/etc/passwd", "link", "C:\\x"):
        with pytest.raises(InputError, match="isn't inside the folder of"):
            store.runs.output_path(replace(record, outputs={"audio": name}), "audio")
    with pytest.raises(InputError, match=r"has no output 'video'; it has audio\."):
        store.runs.output_path(record, "video")


def test_times_are_learned_from_what_succeeded(store: Store, made: MakeRun) -> None:
    for number in range(3):
        made(started_at=10.0 * number, cost=100.0 + number, batch_id=f"batch_{number}", load_seconds=2.0)
    store.runs.finish(begin(store).id, ItemStatus.FAILED)
    made(engine="espeak")
    samples = store.runs.cost_samples("probe", limit=2)
    assert [(sample.cost, sample.batch_id, sample.load_seconds) for sample in samples] == [
        (102.0, "batch_2", 2.0),
        (101.0, "batch_1", 2.0),
    ]
    assert all(sample.seconds == sample.finished_at - sample.started_at > 0 for sample in samples)


def test_only_one_of_many_threads_ends_a_run(store: Store) -> None:
    record = begin(store)
    outcomes: list[str] = []
    start = threading.Barrier(8)

    def end(status: str) -> None:
        start.wait()
        try:
            outcomes.append(str(store.runs.finish(record.id, status).status))
        except TransitionError:
            outcomes.append("refused")

    threads = [threading.Thread(target=end, args=(status,)) for status in ["failed", "cancelled"] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("refused") == 7
    after = store.runs.get(record.id)
    assert after is not None
    assert str(after.status) in outcomes


def test_runs_that_are_published_together_fail_alone(store: Store, disk, limit_database: Callable[[], None]) -> None:
    records = [begin(store) for _ in range(4)]
    for record in records:
        (store.runs.open_folder(record.id) / "a.wav").write_bytes(b"RIFF")
    good, empty, full, late = (record.id for record in records)
    disk.full, disk.when = True, lambda path: path.name == full
    made = [Made(run_id, {"audio": "b.wav" if run_id == empty else "a.wav"}) for run_id in (good, empty, full)]
    first, second, third = store.runs.publish_all(made)
    assert isinstance(first, RunRecord)
    assert first.status is ItemStatus.SUCCEEDED
    assert "isn't there or is empty" in str(second)
    assert isinstance(third, UnavailableError)
    assert [path.name for path in store.runs.published_folders()] == [good]
    disk.full = False
    (third,) = store.runs.publish_all([Made(full, {"audio": "a.wav"})])
    assert isinstance(third, RunRecord)
    limit_database()
    (fourth,) = store.runs.publish_all([Made(late, {"audio": "a.wav"}, {"notes": "x" * 100_000})])
    assert isinstance(fourth, UnavailableError)
    assert {path.name for path in store.runs.published_folders()} == {good, full}
    assert {run.id for run in store.runs.list(status=ItemStatus.RUNNING)} == {empty, late}
