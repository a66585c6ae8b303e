"""What a process that died left behind, put in order at the next start."""

from __future__ import annotations

import time
from dataclasses import replace

from sqlalchemy import Connection, delete, select

from cosmos_workflow.errors import InputError
from cosmos_workflow.files import TEMPORARY
from cosmos_workflow.queueing.items import ItemStatus, QueueItem
from cosmos_workflow.queueing.retries import Ending
from cosmos_workflow.store.folders import DELETED, PARTIAL, process_of, read_run_file
from cosmos_workflow.store.journal import QueueJournal, save_items
from cosmos_workflow.store.records import RunRecord, Swept, item_of
from cosmos_workflow.store.runs import Runs, close_interrupted, end, open_runs, succeed
from cosmos_workflow.store.schema import queue_items, runs

COPY_SECONDS = 86_400
"""No copy of an input file takes longer."""
REASON = "The program was ended while it ran."


class Recovery(Runs, QueueJournal):
    """The sweep at start."""

    def sweep(self, now: float | None = None) -> Swept:
        """Put in order what dead processes left; what belongs to a living one isn't touched, and twice is as good as once.

        A run whose folder was published is succeeded. Any other is closed as interrupted and its item queued again, or
        failed where that happened too often. Partial folders of dead runs go.
        """
        when = time.time() if now is None else now
        swept = Swept()
        with self._db.write() as connection:
            alive = {process: self.is_alive(process) for process in _processes(connection)}
            for record, process in open_runs(connection):
                if not alive[process]:
                    swept = self._sweep_run(connection, record, swept, when)
            # What is running still, without a run, was claimed and never begun.
            for token, process, item in _running_items(connection):
                if not alive[process]:
                    save_items(connection, token, self.process, [item.to(ItemStatus.QUEUED)])
                    swept = replace(swept, requeued=(*swept.requeued, item.id))
        return replace(swept, folders=self._sweep_folders(when))

    def _sweep_run(self, connection: Connection, record: RunRecord, swept: Swept, when: float) -> Swept:
        try:
            told = read_run_file(self.run_folder(record.id), self.workspace.root)
        except InputError:
            told = None
        if told is not None:
            succeed(connection, replace(told, token=record.token, owner=record.owner))
            return replace(swept, adopted=(*swept.adopted, record.id))
        item, process = _held_item(connection, record)
        after = item
        if item is not None and item.status is ItemStatus.RUNNING and not self.is_alive(process):
            after = item.after(Ending.DIED, REASON)
        if item is None or after is None or after.status is ItemStatus.FAILED:  # no queue will try it again
            end(connection, record, ItemStatus.FAILED, after.error if after else REASON, "", when)
            return replace(swept, failed=(*swept.failed, record.id))
        close_interrupted(connection, record, REASON, "", when)
        if after is not item:
            save_items(connection, record.token, self.process, [after])
            swept = replace(swept, requeued=(*swept.requeued, item.id))
        return replace(swept, interrupted=(*swept.interrupted, record.id))

    def _sweep_folders(self, now: float) -> tuple[str, ...]:
        gone: list[str] = []
        for folder in sorted(self.workspace.runs.glob(f"rs_*{DELETED}")):
            with self._db.write() as connection:
                connection.execute(delete(runs).where(runs.c.id == folder.name.removesuffix(DELETED)))
            self._disk.remove_folder(folder)
            gone.append(folder.name)
        for folder in sorted(self.workspace.runs.glob(f"rs_*{PARTIAL}")):
            if not self.is_alive(process_of(folder)):
                self._disk.remove_folder(folder)
                gone.append(folder.name)
        for path in sorted(self.workspace.inputs.glob(f"*/{TEMPORARY}_*")):  # copies that were never finished
            if path.stat().st_mtime < now - COPY_SECONDS:
                path.unlink(missing_ok=True)
                gone.append(path.name)
        return tuple(gone)


def _processes(connection: Connection) -> set[str]:
    running = {process for _, process, _ in _running_items(connection)}
    return running | {process for _, process in open_runs(connection)}


def _running_items(connection: Connection) -> list[tuple[str, str, QueueItem]]:
    running = select(queue_items).where(queue_items.c.status == str(ItemStatus.RUNNING))
    rows = connection.execute(running.order_by(queue_items.c.token, queue_items.c.position)).mappings()
    return [(row["token"], row["process"], item_of(row["item"])) for row in rows]


def _held_item(connection: Connection, record: RunRecord) -> tuple[QueueItem | None, str]:
    known = (queue_items.c.token == record.token) & (queue_items.c.id == record.item_id)
    row = connection.execute(select(queue_items.c.item, queue_items.c.process).where(known)).first()
    return (None, "") if row is None else (item_of(row.item), row.process)
