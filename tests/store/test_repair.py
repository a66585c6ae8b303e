"""Repair: whatever doesn't agree is listed, and put right or put aside; nothing is deleted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete
from store_support import publish
from support import digest

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import UnavailableError
from cosmos_workflow.store.records import Finding, RunRecord
from cosmos_workflow.store.schema import runs
from cosmos_workflow.store.store import Store, repair_workspace

MakeRun = Callable[..., RunRecord]
SOUND = b"RIFFsound"


def forget(store: Store, record: RunRecord) -> None:
    with store.database.write() as connection:
        connection.execute(delete(runs).where(runs.c.id == record.id))


def all_bytes(root: Path) -> set[bytes]:
    return {path.read_bytes() for path in root.rglob("*.wav")}


def repaired(store: Store) -> Finding:
    """The one finding, which a dry run lists without touching anything, and after which nothing is left to find."""
    before = {path: path.stat().st_mtime_ns for path in store.workspace.runs.rglob("*")}
    (listed,) = store.repair.run()
    assert {path: path.stat().st_mtime_ns for path in store.workspace.runs.rglob("*")} == before
    assert not listed.applied
    (done,) = store.repair.run(apply=True)
    assert done.applied
    assert (done.subject, done.problem, done.action, done.outcome) == (
        listed.subject,
        listed.problem,
        listed.action,
        listed.outcome,
    )
    assert store.repair.run(apply=True) == []
    return done


def test_a_sound_workspace_needs_nothing(store: Store, made: MakeRun) -> None:
    made()
    assert store.repair.run(apply=True) == []


def test_a_file_that_was_never_finished_is_put_aside(store: Store, made: MakeRun) -> None:
    record = made()
    folder = store.workspace.root / "jobs" / "book-1a2b3c4d"
    folder.mkdir(parents=True)
    (folder / "book-001.flac").write_bytes(SOUND)
    (folder / ".tmp_1a2b3c.flac").write_bytes(b"half")
    found = repaired(store)
    assert found.problem == "A file in jobs/book-1a2b3c4d was never finished."
    assert found.action == "The file went to aside/.tmp_1a2b3c.flac."
    assert (store.workspace.aside / ".tmp_1a2b3c.flac").read_bytes() == b"half"
    assert [path.name for path in folder.iterdir()] == ["book-001.flac"]
    assert store.runs.get(record.id) == record


def test_what_another_process_may_be_writing_is_left_alone(store: Store) -> None:
    (store.workspace.root / "jobs").mkdir(exist_ok=True)
    (store.workspace.root / "jobs" / ".tmp_1a2b3c").write_bytes(b"half")
    with Store(store.workspace):
        assert store.repair.run(apply=True) == []


def test_a_folder_without_a_record_gets_it_back(store: Store, made: MakeRun) -> None:
    record, newer = made("old", source="job:a", started_at=5.0), made("new")
    forget(store, record)
    found = repaired(store)
    assert (found.subject, found.problem, found.outcome) == (record.id, "The folder has no record.", "put right")
    assert [run.id for run in store.runs.list()] == [newer.id, record.id]
    back = store.runs.get(record.id)
    assert back is not None
    assert back == record


def test_a_record_without_files_goes_aside(store: Store, made: MakeRun) -> None:
    record = made()
    store.runs.folder(record.id).rename(store.workspace.root / "elsewhere")
    found = repaired(store)
    assert (found.problem, found.outcome) == ("The record has no files.", "put aside")
    assert store.runs.get(record.id) is None, "so that a job makes it again"
    kept = json.loads((store.workspace.aside / record.id / "record.json").read_text())
    assert (kept["id"], kept["prompt_text"], kept["status"]) == (record.id, "hello", "succeeded")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"RIFF", "Its output sound.wav has 4 bytes instead of 9."),
        (b"RIFFnoise", "The content of its output sound.wav has changed."),
    ],
)
def test_a_damaged_output_goes_aside_with_its_record(store: Store, made: MakeRun, content: bytes, problem: str) -> None:
    record = made()
    store.runs.output_path(record, "audio").write_bytes(content)
    found = repaired(store)
    assert (found.problem, found.outcome) == (problem, "put aside")
    assert (store.workspace.aside / record.id / "sound.wav").read_bytes() == content
    assert (store.workspace.aside / record.id / "record.json").exists()
    assert store.runs.list() == []


def test_a_lost_output_goes_aside(store: Store, made: MakeRun) -> None:
    record = made()
    store.runs.output_path(record, "audio").unlink()
    assert repaired(store).problem == "Its output sound.wav isn't there."


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}', b"\xff\xfe", b'{"format": 9, "id": "x"}', b"null"])
def test_a_damaged_run_file_is_written_again(store: Store, made: MakeRun, content: bytes) -> None:
    record = made()
    path = store.runs.folder(record.id) / "run.json"
    before = path.read_bytes()
    path.write_bytes(content)
    found = repaired(store)
    assert found.outcome == "put right"
    assert found.problem.startswith(f"{record.id}/run.json is ")
    assert path.read_bytes() == before


def test_a_run_file_that_tells_something_else_is_written_again(store: Store, made: MakeRun) -> None:
    record = made()
    path = store.runs.folder(record.id) / "run.json"
    path.write_text(path.read_text().replace("sound.wav", "../../../etc/passwd"))
    assert repaired(store).problem == "run.json disagrees with the record."


@pytest.mark.parametrize("content", [None, b"{", b"{}"])
def test_a_folder_with_neither_record_nor_run_file_goes_aside(store: Store, made: MakeRun, content: bytes | None) -> None:
    record = made()
    forget(store, record)
    path = store.runs.folder(record.id) / "run.json"
    path.unlink() if content is None else path.write_bytes(content)
    found = repaired(store)
    assert found.outcome == "put aside"
    assert found.problem.startswith("The folder has no record, and ")
    assert all_bytes(store.workspace.aside) == {SOUND}


def test_a_folder_without_a_record_and_with_a_truncated_output_goes_aside(store: Store, made: MakeRun) -> None:
    record = made()
    forget(store, record)
    store.runs.output_path(record, "audio").write_bytes(b"RI")
    assert "has no record, and its output sound.wav has 2 bytes" in repaired(store).problem


def test_a_run_file_that_points_outside_is_not_adopted(store: Store, made: MakeRun) -> None:
    record = made()
    forget(store, record)
    path = store.runs.folder(record.id) / "run.json"
    path.write_text(path.read_text().replace("sound.wav", "../../workflow.sqlite3"))
    assert "lies outside the folder" in repaired(store).problem


def test_what_a_dead_process_was_making_goes_aside(workspace: Workspace, store: Store) -> None:
    with Store(workspace) as other:
        (other.runs.open_folder("rs_unfinished") / "half.wav").write_bytes(b"RI")
    store.runs.open_folder("rs_mine")
    found = repaired(store)
    assert (found.problem, found.outcome) == ("A folder of a run that was never finished.", "put aside")
    assert all_bytes(workspace.aside) == {b"RI"}
    assert len(list(store.workspace.runs.glob("rs_mine.*.partial"))) == 1, "a living process still works on it"


def test_a_published_folder_of_a_failed_run_goes_aside(store: Store, made: MakeRun) -> None:
    record = made()
    with store.database.write() as connection:
        connection.execute(runs.update().where(runs.c.id == record.id).values(status="failed"))
    assert repaired(store).problem == "The folder belongs to a run that failed."
    assert store.runs.get(record.id) is not None


def test_what_goes_aside_twice_overwrites_nothing(store: Store, made: MakeRun) -> None:
    for _ in range(2):
        record = made(id="rs_twice")
        store.runs.output_path(record, "audio").write_bytes(b"RI")
        store.repair.run(apply=True)
    assert sorted(path.name for path in store.workspace.aside.iterdir()) == ["rs_twice", "rs_twice-2"]


def test_strangers_in_the_folder_are_left_alone(store: Store) -> None:
    (store.workspace.runs / "notes.txt").write_text("mine")
    assert store.repair.run(apply=True) == []


@pytest.mark.parametrize("damage", ["header", "middle"])
def test_a_damaged_database_goes_aside_and_the_runs_come_back(workspace: Workspace, damage: str) -> None:
    with Store(workspace) as store:
        record = store.runs.begin([RunRecord("qi_1", "x" * 5000, "probe", {})])[0]
        (store.runs.open_folder(record.id) / "a.wav").write_bytes(SOUND)
        record = publish(store, record.id, {"audio": "a.wav"})
    content = bytearray(workspace.database.read_bytes())
    start = 0 if damage == "header" else 4096
    content[start : start + 8192] = b"\xff" * len(content[start : start + 8192])
    workspace.database.write_bytes(content)
    if damage == "header":
        with pytest.raises(UnavailableError, match=r"is damaged; run `[^`]+ repair --workspace [^`]+`\.$"):
            Store(workspace)
    (listed,) = repair_workspace(workspace)
    assert "The database is damaged: " in listed.problem
    assert digest(workspace.database) == digest(bytes(content))
    database, run = repair_workspace(workspace, apply=True)
    assert (database.outcome, run.outcome, run.subject) == ("put aside", "put right", record.id)
    assert digest(workspace.aside / "workflow.sqlite3") == digest(bytes(content))
    assert repair_workspace(workspace, apply=True) == []
    with Store(workspace) as store:
        assert store.runs.get(record.id) == record


def test_a_damaged_database_that_is_open_elsewhere_stays(workspace: Workspace, store: Store) -> None:
    workspace.database.with_name(workspace.database.name + "-wal").write_bytes(b"")
    workspace.database.write_bytes(b"\xff" * 8192)
    with pytest.raises(UnavailableError, match="damaged and in use; close every other page and command"):
        repair_workspace(workspace, apply=True)
    assert workspace.database.read_bytes() == b"\xff" * 8192


def test_a_job_finds_damage_behind_the_same_size_and_time(store: Store, made: MakeRun) -> None:
    """What a file was read as is remembered, but not beyond a write to it."""
    record = made()
    path = store.runs.output_path(record, "audio")
    assert store.repair.put_aside_damaged(record) == ""
    before = path.stat()
    path.write_bytes(bytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.repair.put_aside_damaged(record) == "the content of its output sound.wav has changed."
