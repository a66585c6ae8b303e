"""Runs: what was made, is being made, and how it ended."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, insert, select, update

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError, WorkflowError, shorten
from cosmos_workflow.files import Disk, inside
from cosmos_workflow.queueing.items import TRANSITIONS, ItemStatus, TransitionError
from cosmos_workflow.store.database import Database, in_parts
from cosmos_workflow.store.process import ProcessLock
from cosmos_workflow.store.records import LOCAL, CostSample, RunRecord, run_of, run_row
from cosmos_workflow.store.schema import runs
from cosmos_workflow.store.search import RunFilter, matching, of_owner

if TYPE_CHECKING:
    from cosmos_workflow.store.queues import Queues
    from cosmos_workflow.store.run_files import RunFiles

RUNNING = str(ItemStatus.RUNNING)
_NEWEST_FIRST = (runs.c.started_at.desc(), runs.c.seq.desc())
_RUN_ID = re.compile(r"rs_[a-z0-9_]{1,60}")
_PARTIAL = ".partial"
_DELETED = ".deleted"
_SUCCEED = (
    update(runs)
    .where(runs.c.id == bindparam("new_id"))
    .values({entry.name: bindparam(f"new_{entry.name}", type_=runs.c[entry.name].type) for entry in fields(RunRecord)})
)


@dataclass(frozen=True, slots=True)
class Made:
    """What a run made: `outputs` maps a key to a file name inside its folder, `metadata` describes them."""

    run_id: str
    outputs: Mapping[str, str]
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Runs:
    """Records of runs with their folders; a terminal status never changes. `owner=None` means whoever's.

    A folder is `<id>.<process>.partial` while it is being made, then renamed to `<id>`. What takes a `connection` belongs to
    the caller's transaction.
    """

    def __init__(
        self, workspace: Workspace, database: Database, disk: Disk, process: ProcessLock, queues: Queues, files: RunFiles
    ) -> None:
        self.files = files
        self._folder = workspace.runs
        self._database, self._disk, self._process, self._queues = database, disk, process, queues

    # --- folders ---

    def folder(self, run_id: str) -> Path:
        """Where a run's files are once it succeeded; raises InputError for what isn't a run's id."""
        if not _RUN_ID.fullmatch(run_id):
            raise InputError(f"{shorten(run_id)} isn't the id of a run; ids look like rs_k3x9m2p7q4w8.")
        return self._folder / run_id

    def open_folder(self, run_id: str) -> Path:
        """A new, empty folder for a run that begins: an engine writes there, and `publish_all` gives it its name."""
        folder = self._partial_folder(run_id)
        self._disk.remove_folder(folder)
        self._disk.make_folder(folder)
        return folder

    def discard_folder(self, run_id: str) -> None:
        """Take away what a run that didn't succeed has written."""
        self._disk.remove_folder(self._partial_folder(run_id))

    def output_path(self, run: RunRecord, key: str) -> Path:
        """The file of an output; raises InputError where the run has none of that key, or it lies outside its folder."""
        name = run.outputs.get(key)
        if name is None:
            raise InputError(f"{run.id} has no output {shorten(key)}; it has {', '.join(run.outputs) or 'none'}.")
        return inside(self.folder(run.id), name, f"the folder of {run.id}")

    def published_folders(self) -> list[Path]:
        """The folders that have a run's name."""
        return [path for path in sorted(self._folder.glob("rs_*")) if _RUN_ID.fullmatch(path.name)]

    def unfinished_folders(self) -> list[Path]:
        """The folders that dead processes were writing in."""
        partial = sorted(self._folder.glob(f"rs_*{_PARTIAL}"))
        return [path for path in partial if not self._process.is_alive(path.name.removesuffix(_PARTIAL).partition(".")[2])]

    def finish_deleting(self) -> Iterator[str]:
        """Take away the runs that a process which died was deleting; the names of their folders."""
        for folder in sorted(self._folder.glob(f"rs_*{_DELETED}")):
            self.forget(folder.name.removesuffix(_DELETED))
            self._disk.remove_folder(folder)
            yield folder.name

    def _partial_folder(self, run_id: str) -> Path:
        # Its name says whose it is, so that a dead one's is known.
        folder = self.folder(run_id)
        return folder.with_name(f"{folder.name}.{self._process.id}{_PARTIAL}")

    # --- a run's way ---

    def begin(self, records: Sequence[RunRecord]) -> list[RunRecord]:
        """Note runs that begin, or were made elsewhere, in one transaction; each gets its start time where it has none."""
        now = time.time()
        begun = [replace(record, started_at=now) if record.started_at is None else record for record in records]
        if begun:
            with self._database.write() as connection:
                connection.execute(insert(runs), [{**run_row(record), "process": self._process.id} for record in begun])
        return begun

    def start(self, run_ids: Collection[str], *, device: str, worker: str, load_seconds: float) -> None:
        """The engine is loaded and the work on these runs begins: from here their seconds count. Cheap, and not durable."""
        values = {"device": device, "worker": worker, "load_seconds": load_seconds, "started_at": time.time()}
        alive = and_(runs.c.id.in_(list(run_ids)), runs.c.status == RUNNING)
        with self._database.write(durable=False) as connection:
            connection.execute(update(runs).where(alive).values(**values))

    def update_progress(self, run_id: str, stage: str, progress: float, message: str = "") -> None:
        """Where a run is; the fraction never falls, and nothing happens once the run ended. Cheap, and not durable."""
        values = {"stage": stage, "progress": progress, "message": message}
        alive = and_(runs.c.id == run_id, runs.c.status == RUNNING, runs.c.progress <= progress)
        with self._database.write(durable=False) as connection:
            connection.execute(update(runs).where(alive).values(**values))

    def publish_all(self, made: Sequence[Made]) -> list[RunRecord | WorkflowError]:
        """Runs succeeded: their files are written for good, `run.json` is added, the folders renamed, then the records closed.

        The items leave the queue's journal in the same transaction. One that can't be published has its error in its place,
        and is still running: a WorkflowError where an output isn't there, UnavailableError where the disk is full. A process
        that dies between renaming and closing has published: `sweep` closes the record.
        """
        known = {run.id: run for run in self._read(runs.c.id.in_([one.run_id for one in made]))}
        outcomes: dict[str, RunRecord | WorkflowError] = {}
        for one in made:
            try:
                outcomes[one.run_id] = self._complete(known.get(one.run_id), one)
            except WorkflowError as error:
                outcomes[one.run_id] = error
        if ready := [done for done in outcomes.values() if isinstance(done, RunRecord)]:
            outcomes |= self._close(ready)
        return [outcomes[one.run_id] for one in made]

    def _complete(self, record: RunRecord | None, made: Made) -> RunRecord:
        """The record as it will be, with everything in its folder that belongs there."""
        if record is None:
            raise InputError(f"There is no run {shorten(made.run_id)}.")
        _check_transition(record, ItemStatus.SUCCEEDED)
        partial = self._partial_folder(record.id)
        done = replace(
            record,
            status=ItemStatus.SUCCEEDED,
            progress=1.0,
            finished_at=time.time(),
            outputs=dict(made.outputs),
            checks=self.files.measure(record, made.outputs, partial),
            metadata=_plain(record, made.metadata),
        )
        self.files.complete(done, partial)
        return done

    def _close(self, done: Sequence[RunRecord]) -> dict[str, WorkflowError]:
        """Folders get their names and records their end, all together, else each alone; the errors of those that can't be."""
        names = [(self._partial_folder(one.id), self.folder(one.id)) for one in done]
        try:
            self._disk.rename_all(names)
            with self._database.write() as connection:
                self.succeed(connection, done)
        except BaseException as error:
            for partial, final in names:
                if final.exists():
                    final.rename(partial)
            if not isinstance(error, WorkflowError):
                raise
            if len(done) == 1:
                return {done[0].id: error}
            return {run_id: why for one in done for run_id, why in self._close([one]).items()}
        return {}

    def finish(self, run_id: str, outcome: ItemStatus | str, *, error: str = "", traceback: str = "") -> RunRecord:
        """A run failed, was cancelled, or was "interrupted"; `publish_all` is the way to success.

        In the same transaction its item leaves the queue's journal; that of an interrupted run stays, for its queue to decide
        on. Raises TransitionError where the run has ended already.
        """
        interrupted = outcome == "interrupted"
        status = ItemStatus.CANCELLED if interrupted else ItemStatus(outcome)
        with self._database.write() as connection:
            # The lock is for other databases: SQLite lets one process write at a time anyway.
            row = connection.execute(select(runs).where(runs.c.id == run_id).with_for_update()).mappings().first()
            if row is None:
                raise InputError(f"There is no run {shorten(run_id)}.")
            record = run_of(row)
            if status is ItemStatus.SUCCEEDED:
                raise TransitionError(f"{record.id} succeeds when its files are published")
            _check_transition(record, status)
            return self.end(connection, record, status, error, time.time(), traceback, interrupted=interrupted)

    def get(self, run_id: str, owner: str | None = None) -> RunRecord | None:
        """One run; None where there is none of that id, or it isn't the owner's."""
        return next(iter(self._read(runs.c.id == run_id, *of_owner(owner))), None)

    # --- what there is ---

    def list(
        self, owner: str | None = LOCAL, *, limit: int | None = 50, offset: int = 0, **chosen: Unpack[RunFilter]
    ) -> list[RunRecord]:
        """Runs, newest first."""
        query = select(runs).where(*matching(owner, **chosen)).order_by(*_NEWEST_FIRST)
        return [run_of(row) for row in self._database.rows(query.limit(limit).offset(offset))]

    def count(self, owner: str | None = LOCAL, **chosen: Unpack[RunFilter]) -> int:
        """How many runs `list` would give without a limit."""
        return self._database.value(select(func.count()).select_from(runs).where(*matching(owner, **chosen)))

    def of_items(self, item_ids: Collection[str], owner: str | None = LOCAL) -> list[RunRecord]:
        """The runs of at most some hundred queue items, oldest first; an item that was interrupted has several."""
        return self._read(runs.c.item_id.in_(list(item_ids)), *of_owner(owner))

    def marks(self, source: str, owner: str | None = LOCAL) -> list[tuple[Any, ...]]:
        """The ids of the runs that `list` would give, newest first, each with what of it may still change.

        A run whose mark is as before is as before: `some` gives those that aren't.
        """
        chosen = [runs.c[name] for name in ("id", "status", "started_at", "finished_at", "progress", "stage", "message")]
        query = select(*chosen).where(*matching(owner, source=source)).order_by(*_NEWEST_FIRST)
        return [tuple(row.values()) for row in self._database.rows(query)]

    def some(self, ids: Collection[str], owner: str | None = LOCAL) -> list[RunRecord]:
        """The runs of these ids, in no order; those that are gone are left out."""
        return [run for part in in_parts(ids) for run in self._read(runs.c.id.in_(part), *of_owner(owner))]

    def version(self) -> int | None:
        """A number that is another one once anything in the store changed; None where that can't be told."""
        return self._database.version()

    def made_of(self, prompt_ids: Collection[str], owner: str | None = LOCAL) -> list[RunRecord]:
        """The runs of these prompts that succeeded, oldest first."""
        succeeded = (runs.c.status == str(ItemStatus.SUCCEEDED), *of_owner(owner))
        found = (run for part in in_parts(prompt_ids) for run in self._read(runs.c.prompt_id.in_(part), *succeeded))
        return sorted(found, key=lambda run: (run.started_at or 0.0, run.id))

    def delete(self, ids: Collection[str], owner: str | None = LOCAL) -> int:
        """Delete finished runs with their folders, and say how many there were; raises InputError for one that still runs."""
        wanted = [record for run_id in dict.fromkeys(ids) if (record := self.get(run_id, owner)) is not None]
        for record in wanted:
            if not record.status.is_terminal:
                raise InputError(f"{record.id} is still {record.status}; cancel it first.")
        for record in wanted:
            folder = self.folder(record.id)
            gone = folder.with_name(folder.name + _DELETED)
            if folder.exists():
                self._disk.rename(folder, gone)
            try:
                self.forget(record.id)
            except BaseException:
                if gone.exists():
                    gone.rename(folder)
                raise
            shutil.rmtree(gone, ignore_errors=True)  # what stays is taken away by the next sweep
        return len(wanted)

    def cost_samples(self, engine: str, limit: int = 200) -> list[CostSample]:
        """What succeeded runs of an engine took, newest first, whoever's they are."""
        names = ("cost", "batch_size", "batch_id", "load_seconds", "device", "started_at", "finished_at")
        succeeded = and_(runs.c.engine == engine, runs.c.status == str(ItemStatus.SUCCEEDED), runs.c.cost > 0)
        query = select(*(runs.c[name] for name in names)).where(succeeded).order_by(runs.c.seq.desc()).limit(limit)
        rows = self._database.rows(query)
        return [CostSample(seconds=max(0.0, row["finished_at"] - row["started_at"]), **row) for row in rows]

    def _read(self, *conditions: ColumnElement[bool]) -> list[RunRecord]:
        """Runs in the order in which they were noted."""
        return [run_of(row) for row in self._database.rows(select(runs).where(*conditions).order_by(runs.c.seq))]

    # --- what recovery and repair do to records ---

    def list_running(self, connection: Connection) -> list[tuple[RunRecord, str]]:
        """Runs that haven't ended, each with the process it belongs to."""
        query = select(runs).where(runs.c.status == RUNNING).order_by(runs.c.seq).with_for_update()
        return [(run_of(row), row["process"]) for row in connection.execute(query).mappings()]

    def succeed(self, connection: Connection, done: Sequence[RunRecord]) -> None:
        """Write runs that were published, and let their items leave the queue; raises TransitionError where one has ended."""
        alive = select(runs.c.id).where(runs.c.id.in_([one.id for one in done]), runs.c.status == RUNNING).with_for_update()
        running = set(connection.execute(alive).scalars())
        for one in done:
            if one.id not in running:
                raise TransitionError(f"{one.id} can't go from its end to {one.status}")
        rows = [{f"new_{name}": value for name, value in run_row(one).items()} for one in done]
        connection.execute(_SUCCEED, rows)
        for token in dict.fromkeys(one.token for one in done):
            self._queues.remove(connection, token, [one.item_id for one in done if one.token == token])

    def end(
        self,
        connection: Connection,
        record: RunRecord,
        status: ItemStatus,
        error: str,
        when: float,
        traceback: str = "",
        *,
        interrupted: bool = False,
    ) -> RunRecord:
        """Close a run that failed or was cancelled. Its item leaves the queue, but for one that an interruption cancelled."""
        if status is ItemStatus.FAILED or not interrupted:
            self._queues.remove(connection, record.token, [record.item_id])
        changes: dict[str, Any] = {"interrupted": interrupted, "error": error, "traceback": traceback, "finished_at": when}
        connection.execute(update(runs).where(runs.c.id == record.id).values(status=str(status), **changes))
        return replace(record, status=status, **changes)

    def forget(self, run_id: str) -> None:
        """Delete a record, whatever its status; its folder stays."""
        with self._database.write() as connection:
            connection.execute(delete(runs).where(runs.c.id == run_id))


def _plain(record: RunRecord, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as plain JSON values: arrays' numbers become Python's, what isn't JSON its text."""
    try:
        text = json.dumps(
            dict(metadata), default=lambda value: value.item() if hasattr(value, "item") else str(value), allow_nan=False
        )
    except ValueError as error:
        raise WorkflowError(f"{record.engine} described its output with a value that isn't JSON: {error}.") from error
    return json.loads(text)


def _check_transition(record: RunRecord, status: ItemStatus) -> None:
    if status not in TRANSITIONS[record.status]:
        raise TransitionError(f"{record.id} can't go from {record.status} to {status}")
