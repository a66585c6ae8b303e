"""What a process that died left behind, put in order at the next start."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.files import TEMPORARY, Disk
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.queueing.retries import Ending
from cosmos_workflow.store.database import Database
from cosmos_workflow.store.process import ProcessLock, living_processes
from cosmos_workflow.store.records import RunRecord, Swept

if TYPE_CHECKING:
    from cosmos_workflow.store.queues import Queues
    from cosmos_workflow.store.run_files import RunFiles
    from cosmos_workflow.store.runs import Runs

COPY_SECONDS = 86_400
"""No copy of an input file takes longer."""
REASON = "The program was ended while it ran."


class Recovery:
    """The sweep at start."""

    def __init__(
        self,
        workspace: Workspace,
        database: Database,
        disk: Disk,
        process: ProcessLock,
        queues: Queues,
        runs: Runs,
        files: RunFiles,
    ) -> None:
        self._workspace = workspace
        self._database = database
        self._disk = disk
        self._process = process
        self._queues = queues
        self._runs = runs
        self._files = files

    def forget_unused(self) -> None:
        """At a store's opening: the queues of pages that nobody put anything into, and the lock files of dead processes, go.

        A queue that holds nothing may be on a page of another process still, and later on one of this.
        """
        # On a full disk one still wants to see what there is; the next opening does it.
        with suppress(UnavailableError), self._database.write(durable=False) as connection:
            if living_processes(self._workspace) == [self._process.id]:
                self._queues.forget_empty(connection)

    def sweep(self, now: float | None = None) -> Swept:
        """Put in order what dead processes left; what belongs to a living one isn't touched, and twice is as good as once.

        A run whose folder was published is succeeded. Any other is closed as interrupted and its item queued again;
        failed where no queue has that any more. Partial folders of dead runs go.
        """
        when = time.time() if now is None else now
        swept = Swept()
        with self._database.write() as connection:
            running = self._runs.list_running(connection)
            claimed = self._queues.list_running(connection)
            processes = {process for _, process in running} | {process for _, _, process in claimed}
            alive = {process: self._process.is_alive(process) for process in processes}
            for record, process in running:
                if not alive[process]:
                    swept = self._sweep_run(connection, record, swept, when)
            # What is running still, without a run, was claimed and never begun.
            for token, item, process in self._queues.list_running(connection):
                if not alive[process]:
                    self._queues.put_back(connection, token, item.to(ItemStatus.QUEUED))
                    swept = replace(swept, requeued=(*swept.requeued, item.id))
        return replace(swept, folders=self._sweep_folders(when))

    def _sweep_run(self, connection: Connection, record: RunRecord, swept: Swept, when: float) -> Swept:
        try:
            told = self._files.read(self._runs.folder(record.id))
        except InputError:
            told = None
        if told is not None:
            self._runs.succeed(connection, [replace(told, token=record.token, owner=record.owner)])
            return replace(swept, adopted=(*swept.adopted, record.id))
        item, process = self._queues.find(connection, record.token, record.item_id) or (None, "")
        after = item
        if item is not None and item.status is ItemStatus.RUNNING and not self._process.is_alive(process):
            # The program's death says nothing of the item; only those of its worker count.
            after = item.after(Ending.STOPPED)
        if item is None or after is None:  # no queue will try it again
            self._runs.end(connection, record, ItemStatus.FAILED, REASON, when, interrupted=True)
            return replace(swept, failed=(*swept.failed, record.id))
        self._runs.end(connection, record, ItemStatus.CANCELLED, REASON, when, interrupted=True)
        if after is not item:
            self._queues.put_back(connection, record.token, after)
            swept = replace(swept, requeued=(*swept.requeued, item.id))
        return replace(swept, interrupted=(*swept.interrupted, record.id))

    def _sweep_folders(self, now: float) -> tuple[str, ...]:
        gone = list(self._runs.finish_deleting())
        for folder in self._runs.unfinished_folders():
            self._disk.remove_folder(folder)
            gone.append(folder.name)
        for path in sorted(self._workspace.inputs.glob(f"*/{TEMPORARY}_*")):  # copies that were never finished
            if path.stat().st_mtime < now - COPY_SECONDS:
                path.unlink(missing_ok=True)
                gone.append(path.name)
        return tuple(gone)
