"""Records and files that don't agree: found, listed, and put right or put aside, never deleted."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.files import TEMPORARY, Disk, file_errors
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.process import living_processes
from cosmos_workflow.store.records import RUN_FILE, Finding, RunRecord, run_row

if TYPE_CHECKING:
    from cosmos_workflow.store.runs import Runs

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Repair:
    """What the verb `repair` does. Runs of living processes, and those that `sweep` will put in order, are left alone."""

    def __init__(self, workspace: Workspace, disk: Disk, runs: Runs) -> None:
        self._workspace, self._disk, self._runs, self._files = workspace, disk, runs, runs.files

    def run(self, apply: bool = False) -> list[Finding]:
        """What doesn't agree, by run; with `apply` it is put right or put aside, else it is only listed."""
        unfinished = "A folder of a run that was never finished."
        found = [self._aside(path.name, unfinished, path, None, apply) for path in self._runs.unfinished_folders()]
        for path in self._runs.published_folders():
            found += self._repair_folder(path, apply)
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
            if self._workspace.aside not in path.parents and unfinished.isdisjoint(path.parents):
                where = path.parent.relative_to(self._workspace.root).as_posix()
                yield path, f"A file in {where} was never finished."

    def _repair_folder(self, path: Path, apply: bool) -> Iterator[Finding]:
        told, problem = None, ""
        try:
            told = self._files.read(path)
        except InputError as error:
            problem = str(error)
        record = self._runs.get(path.name)
        if record is None:
            problem = problem if told is None else self._files.find_fault(told, path)
            if told is None or problem:
                yield self._aside(path.name, f"The folder has no record, and {problem}", path, None, apply)
                return
            if apply:
                self._runs.begin([told])
            action = f"The record was taken from {RUN_FILE}."
            yield Finding(told.id, "The folder has no record.", action, "put right", apply)
        elif record.status is ItemStatus.SUCCEEDED:
            if broken := self._files.find_fault(record, path):
                yield self._aside(record.id, broken[0].upper() + broken[1:], path, record, apply)
            elif told is None or (told.outputs, told.checks) != (record.outputs, record.checks):
                if apply:
                    self._files.write(record, path)
                action = f"{RUN_FILE} was written again from the record."
                yield Finding(record.id, problem or f"{RUN_FILE} disagrees with the record.", action, "put right", apply)
        elif record.status.is_terminal:
            yield self._aside(path.name, f"The folder belongs to a run that {record.status}.", path, None, apply)

    def _aside(self, subject: str, problem: str, path: Path | None, record: RunRecord | None, apply: bool) -> Finding:
        disk, aside = self._disk, self._workspace.aside
        target = free_name(aside / subject)
        what = "The record" if path is None else "The folder and its record" if record else _kind(path)
        if apply:
            disk.make_folder(aside)
            if path is None:
                disk.make_folder(target)
            else:
                disk.rename(path, target)
            if record is not None:
                content = json.dumps(run_row(record), ensure_ascii=False, indent=2, default=str)
                disk.write(target / "record.json", content.encode())
                self._runs.forget(record.id)
        return Finding(subject, problem, f"{what} went to {aside.name}/{target.name}.", "put aside", apply)


def _kind(path: Path) -> str:
    return "The folder" if path.is_dir() else "The file"


def rescue_database(workspace: Workspace, apply: bool) -> list[Finding]:
    """Put a damaged SQLite file aside, so that a store can open; the runs come back from their folders by `repair`.

    Raises UnavailableError where a living process has it open.
    """
    problem = database_damage(workspace.database)
    if not problem:
        return []
    if living_processes(workspace):
        raise UnavailableError(f"The database {workspace.database} is damaged and in use; close every other page and command.")
    disk, target = Disk(), free_name(workspace.aside / workspace.database.name)
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
    others = (path.with_name(f"{path.name}-{number}") for number in count(2))
    return next(name for name in chain([path], others) if not name.exists())
