"""What a process that died left behind, put in order at the next start."""

from __future__ import annotations

import time
from collections import defaultdict
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
    from cosmos_workflow.store.runs import Runs

COPY_SECONDS = 86_400
"""No copy of an input file takes longer."""
REASON = "The program was ended while it ran."


class Recovery:
    """The sweep at start."""

    def __init__(
        self, workspace: Workspace, database: Database, disk: Disk, process: ProcessLock, queues: Queues, runs: Runs
    ) -> None:
        self._workspace, self._database, self._disk = workspace, database, disk
        self._process, self._queues, self._runs = process, queues, runs

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
        queues, is_alive = self._queues, self._process.is_alive
        when = time.time() if now is None else now
        swept: defaultdict[str, list[str]] = defaultdict(list)
        with self._database.write() as connection:
            running = self._runs.list_running(connection)
            processes = {process for _, process in running} | {process for _, _, process in queues.list_running(connection)}
            alive = {process: is_alive(process) for process in processes}
            for record, process in running:
                if not alive[process]:
                    self._sweep_run(connection, record, swept, when)
            # What is running still, without a run, was claimed and never begun.
            for token, item, process in queues.list_running(connection):
                if not alive[process]:
                    queues.put_back(connection, token, item.to(ItemStatus.QUEUED))
                    swept["requeued"].append(item.id)
        swept["folders"] += self._sweep_folders(when)
        return Swept(**{what: tuple(ids) for what, ids in swept.items()})

    def _sweep_run(self, connection: Connection, record: RunRecord, swept: defaultdict[str, list[str]], when: float) -> None:
        runs, queues = self._runs, self._queues
        with suppress(InputError):
            told = self._runs.files.read(runs.folder(record.id))
            runs.succeed(connection, [replace(told, token=record.token, owner=record.owner)])
            swept["adopted"].append(record.id)
            return
        item, process = queues.find(connection, record.token, record.item_id) or (None, "")
        if item is None:  # no queue will try it again
            runs.end(connection, record, ItemStatus.FAILED, REASON, when, interrupted=True)
            swept["failed"].append(record.id)
            return
        runs.end(connection, record, ItemStatus.CANCELLED, REASON, when, interrupted=True)
        swept["interrupted"].append(record.id)
        if item.status is ItemStatus.RUNNING and not self._process.is_alive(process):
            # The program's death says nothing of the item; only those of its worker count.
            queues.put_back(connection, record.token, item.after(Ending.STOPPED))
            swept["requeued"].append(item.id)

    def _sweep_folders(self, now: float) -> list[str]:
        gone = list(self._runs.finish_deleting())
        for folder in self._runs.unfinished_folders():
            self._disk.remove_folder(folder)
            gone.append(folder.name)
        for path in sorted(self._workspace.inputs.glob(f"*/{TEMPORARY}_*")):  # copies that were never finished
            if path.stat().st_mtime < now - COPY_SECONDS:
                path.unlink(missing_ok=True)
                gone.append(path.name)
        return gone
