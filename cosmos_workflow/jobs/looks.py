"""The runs of jobs as they are now: read once, and after that only those that changed.

A look at a book of ten thousand pieces is asked for once a second by every open page. What is kept is only ever used where the
store says that nothing changed: the version of its database, then the mark of each run. Whether a file is still there is looked
at each time, since no database knows.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from cosmos_workflow.engines.registry import known_engine
from cosmos_workflow.jobs.document.tasks import TaskConfig
from cosmos_workflow.jobs.takes import KnownRuns, PieceState, TakeRef, prompt_id
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.runs import Runs

if TYPE_CHECKING:
    from cosmos_workflow.jobs.reports import TaskReport


@dataclass(frozen=True, slots=True)
class BarePieces:
    """The pieces of a task without their runs, and what they follow from: the task, what lies in its folder, and its inputs.

    `takes` are the digests of all their takes, spare ones included.
    """

    task: TaskConfig
    stamp: tuple[Any, ...]
    inputs: tuple[Any, ...]
    pieces: tuple[PieceState, ...]
    takes: tuple[str, ...]


@dataclass(slots=True)
class Look(KnownRuns):
    """The runs of a job at one moment, and what was read of its tasks then: what one task needs of another is read once.

    `sought` are the takes that were looked for in other jobs.
    """

    job_id: str = ""
    reports: dict[str, TaskReport] = field(default_factory=dict)
    sought: set[str] = field(default_factory=set)
    bare: dict[str, BarePieces] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Known:
    """A run with its mark, the take that it is one of, and the file that is played where it succeeded."""

    mark: tuple[Any, ...]
    run: RunRecord
    take: str
    file: str | None


@dataclass(slots=True)
class _Kept:
    """What is kept of a job: the store's version then, its runs newest first, and what other jobs have made of its takes.

    `sought` has each take that was looked for in other jobs since that version, with its runs there.
    """

    version: int | None = None
    runs: tuple[_Known, ...] = ()
    sought: dict[str, tuple[_Known, ...]] = field(default_factory=dict)


class RunsOfJobs:
    """One owner's runs by job and take; every method may be called from any thread. `file_of` is the file that is played."""

    def __init__(self, runs: Runs, owner: str, file_of: Callable[[RunRecord], Path | None]) -> None:
        self._store = runs
        self._owner = owner
        self._file_of = file_of
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def look(self, job_id: str) -> Look:
        """Every run of a job as it is now, by what it made."""
        look = Look(job_id=job_id)
        with self._lock:
            runs = self._read(job_id).runs
        for one in runs:
            look.last.setdefault(one.take, one.run)
            if one.file is not None and _is_there(one.file):
                look.made.setdefault(one.take, []).append(one.run)
        return look

    def made_elsewhere(self, job_id: str, takes: Collection[str]) -> list[RunRecord]:
        """What the owner's other jobs have made of these takes, and is there, oldest first."""
        with self._lock:
            kept = self._read(job_id)
            new = [take for take in takes if take not in kept.sought]
            found: dict[str, list[_Known]] = {take: [] for take in new}
            for run in self._store.made_of([prompt_id(take) for take in new], self._owner) if new else ():
                if TakeRef.is_one(run.source) and (take := TakeRef.parse(run.source).take) in found:
                    found[take].append(self._known((), run))
            kept.sought |= {take: tuple(runs) for take, runs in found.items()}
            there = [one for take in takes for one in kept.sought[take]]
        return [one.run for one in there if one.file is not None and _is_there(one.file)]

    def keep_only(self, job_ids: Collection[str]) -> None:
        """Forget what is kept of every other job."""
        with self._lock:
            self._kept = {job_id: kept for job_id, kept in self._kept.items() if job_id in job_ids}

    def _read(self, job_id: str) -> _Kept:
        """What there is of a job now; what changed since the last look is read."""
        kept = self._kept.setdefault(job_id, _Kept())
        version = self._store.version()
        if version is not None and version == kept.version:
            return kept
        marks = self._store.marks(TakeRef.all_of(job_id), self._owner)
        before = {one.mark: one for one in kept.runs}
        new = {run.id: run for run in self._store.some([mark[0] for mark in marks if mark not in before], self._owner)}
        runs = [before.get(mark) or self._known(mark, new[mark[0]]) for mark in marks if mark in before or mark[0] in new]
        # The version was read first: what is written in between is read again by the next look.
        self._kept[job_id] = _Kept(version, tuple(runs))
        return self._kept[job_id]

    def _known(self, mark: tuple[Any, ...], run: RunRecord) -> _Known:
        file = self._file_of(run) if run.status is ItemStatus.SUCCEEDED else None
        return _Known(mark, run, TakeRef.parse(run.source).take, str(file) if file else None)


def _is_there(path: str) -> bool:
    # Asked for each of ten thousand files, where Path costs twice as much.
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except OSError:
        return False


def played_file(run: RunRecord, folder: Path) -> Path | None:
    """Where the file of a run that is played is, or was, below the run's folder; None where it made none."""
    # A run that was asked for less (a plan alone) has another first output.
    name = run.outputs.get(known_engine(run.engine).output) or next(iter(run.outputs.values()), "")
    return folder / name if name and ".." not in PurePath(name).parts else None
