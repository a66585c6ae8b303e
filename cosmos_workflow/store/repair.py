"""Records and files that don't agree: found, listed, and put right or put aside, never deleted."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.files import TEMPORARY, Disk, file_errors
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.process import living_processes
from cosmos_workflow.store.records import RUN_FILE, Finding, RunRecord, run_row

if TYPE_CHECKING:
    from cosmos_workflow.store.run_files import RunFiles
    from cosmos_workflow.store.runs import Runs

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@dataclass(frozen=True, slots=True)
class _Folder:
    """A run's folder as it was found: what its run.json tells, or why that can't be read."""

    path: Path
    told: RunRecord | None
    error: str


class Repair:
    """What the verb `repair` does. Runs of living processes, and those that `sweep` will put in order, are left alone."""

    def __init__(self, workspace: Workspace, disk: Disk, runs: Runs, files: RunFiles) -> None:
        self._workspace = workspace
        self._aside_folder = workspace.aside
        self._disk = disk
        self._runs = runs
        self._files = files

    def run(self, apply: bool = False) -> list[Finding]:
        """What doesn't agree, by run; with `apply` it is put right or put aside, else it is only listed."""
        unfinished = "A folder of a run that was never finished."
        found = [self._aside(path.name, unfinished, path, None, apply) for path in self._runs.unfinished_folders()]
        for path in self._runs.published_folders():
            found += self._repair_folder(self._look(path), apply)
        for record in self._runs.list(None, status=ItemStatus.SUCCEEDED, limit=None):
            if record.outputs and not self._runs.folder(record.id).exists():
                found.append(self._aside(record.id, "The record has no files.", None, record, apply))
        return found + [self._aside(path.name, problem, path, None, apply) for path, problem in self._left_behind()]

    def put_aside_damaged(self, record: RunRecord) -> str:
        """What is wrong with the files of a succeeded run, whose folder and record are aside then; empty where nothing is."""
        problem = self._files.find_fault(record, self._runs.folder(record.id), remembered=True)
        if problem:
            self._aside(record.id, problem, self._runs.folder(record.id), record, apply=True)
        return problem

    def _left_behind(self) -> Iterator[tuple[Path, str]]:
        """Files that were being written when their process died, outside the folders of runs; each with what it is."""
        if len(living_processes(self._workspace)) > 1:
            return  # another one may be writing them
        unfinished = set(self._runs.unfinished_folders())
        for path in sorted(self._workspace.root.rglob(f"{TEMPORARY}_*")):
            if self._aside_folder not in path.parents and unfinished.isdisjoint(path.parents):
                where = path.parent.relative_to(self._workspace.root).as_posix()
                yield path, f"A file in {where} was never finished."

    def _repair_folder(self, folder: _Folder, apply: bool) -> Iterator[Finding]:
        name = folder.path.name
        record = self._runs.get(name)
        if record is None and folder.told is None:
            yield self._aside(name, f"The folder has no record, and {folder.error}", folder.path, None, apply)
        elif record is None and folder.told is not None:
            problem = "The folder has no record."
            broken = self._files.find_fault(folder.told, folder.path)
            if broken:
                yield self._aside(name, f"{problem[:-1]}, and {broken}", folder.path, None, apply)
            else:
                yield self._adopt(folder.told, problem, apply)
        elif record is not None and record.status is ItemStatus.SUCCEEDED:
            yield from self._repair_run(record, folder, apply)
        elif record is not None and record.status.is_terminal:
            yield self._aside(name, f"The folder belongs to a run that {record.status}.", folder.path, None, apply)

    def _repair_run(self, record: RunRecord, folder: _Folder, apply: bool) -> Iterator[Finding]:
        broken = self._files.find_fault(record, folder.path)
        if broken:
            yield self._aside(record.id, broken[0].upper() + broken[1:], folder.path, record, apply)
        elif folder.told is None or (folder.told.outputs, folder.told.checks) != (record.outputs, record.checks):
            if apply:
                self._files.write(record, folder.path)
            problem = folder.error or f"{RUN_FILE} disagrees with the record."
            action = f"{RUN_FILE} was written again from the record."
            yield Finding(record.id, problem, action, "put right", apply)

    def _adopt(self, told: RunRecord, problem: str, apply: bool) -> Finding:
        if apply:
            self._runs.begin([told])
        return Finding(told.id, problem, f"The record was taken from {RUN_FILE}.", "put right", apply)

    def _aside(self, subject: str, problem: str, path: Path | None, record: RunRecord | None, apply: bool) -> Finding:
        target = free_name(self._aside_folder / subject)
        if apply:
            self._disk.make_folder(self._aside_folder)
            if path is None:
                self._disk.make_folder(target)
            else:
                self._disk.rename(path, target)
            if record is not None:
                content = json.dumps(run_row(record), ensure_ascii=False, indent=2, default=str)
                self._disk.write(target / "record.json", content.encode())
                self._runs.forget(record.id)
        what = "The record" if path is None else "The folder and its record" if record else _kind(path if not apply else target)
        return Finding(subject, problem, f"{what} went to {target.parent.name}/{target.name}.", "put aside", apply)

    def _look(self, path: Path) -> _Folder:
        try:
            return _Folder(path, self._files.read(path), "")
        except InputError as error:
            return _Folder(path, None, str(error))


def _kind(path: Path) -> str:
    return "The folder" if path.is_dir() else "The file"


def rescue_database(workspace: Workspace, apply: bool = False, disk: Disk | None = None) -> list[Finding]:
    """Put a damaged SQLite file aside, so that a store can open; the runs come back from their folders by `repair`.

    Raises UnavailableError where a living process has it open.
    """
    problem = database_damage(workspace.database)
    if not problem:
        return []
    if living_processes(workspace):
        raise UnavailableError(f"The database {workspace.database} is damaged and in use; close every other page and command.")
    disk = disk or Disk()
    target = free_name(workspace.aside / workspace.database.name)
    if apply:
        disk.make_folder(workspace.aside)
        for ending in ("-wal", "-shm", ""):
            path = workspace.database.with_name(workspace.database.name + ending)
            if path.exists():
                disk.rename(path, target.with_name(target.name + ending))
    action = f"It went to aside/{target.name}; runs come back from their folders, prompts and queues don't."
    return [Finding(workspace.database.name, problem, action, "put aside", apply)]


def database_damage(path: Path) -> str:
    """Why an SQLite file can't be used; empty where it can, or isn't there."""
    if not path.exists():
        return ""
    try:
        with file_errors(f"The database {path}"), contextlib.closing(sqlite3.connect(path)) as connection:
            answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            return f"The database is damaged: {error}."
        raise UnavailableError(f"The database {path} can't be opened: {error}.") from error
    return "" if answer == "ok" else f"The database is damaged: {answer.splitlines()[-1]}."


def free_name(path: Path) -> Path:
    """`path`, or the first of `path-2`, `path-3` … that isn't taken."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
