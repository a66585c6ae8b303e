"""An app that a soak test starts, disturbs, kills and starts again: works its queues off, resuming what it left."""

from __future__ import annotations

import errno
import random
import signal
import sqlite3
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import event

from cosmos_workflow.config import Settings, Workspace
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.files import Disk
from cosmos_workflow.queueing import Prompt
from cosmos_workflow.store.store import Store

ADDED = "everything-is-added"
"""A file of this name is in the workspace once every queue is filled."""
STARTS = 200
"""A queue that holds is started again; this often is enough for any share of failing writes."""
KILLERS = 10
"""Of so many queues, one has an item that kills its worker."""


class FailingWrites(Disk):
    """A share of the writes fails, of files and of the database, once they begin to."""

    def __init__(self) -> None:
        self._chance = random.Random()
        self.share = 0.0

    def touching(self, path: Path) -> None:
        if self._fails():
            raise OSError(errno.EIO, "Input/output error", str(path))

    def writing(self, _connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement == "BEGIN IMMEDIATE" and self._fails():
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

    def _fails(self) -> bool:
        return self._chance.random() < self.share


def set_the_clock_back(*_signal: Any) -> None:
    """An hour, while everything runs."""
    now = time.time
    time.time = lambda: now() - 3600


def main(root: Path, items: int, queues: int, share: float) -> None:
    """Fill the queues if that wasn't done, run until nothing is left, and say "done"."""
    workspace = replace(Workspace.open(root), settings=Settings(startup="resume"))
    disk = FailingWrites()
    store = Store(workspace, disk=disk)
    with Operations(workspace, store=store, cancel_grace=1.0) as operations:
        event.listen(store.database.engine, "before_cursor_execute", disk.writing)
        signal.signal(signal.SIGUSR1, set_the_clock_back)
        sessions = Sessions(operations)
        restored = sessions.restore()
        if not (root / ADDED).exists():
            restored = [fill(sessions.open(), items, kills=queues > 1 and number % KILLERS == 0) for number in range(queues)]
            (root / ADDED).touch()
        disk.share = share
        work_off(restored, starts=STARTS if share else 1)
    sys.stdout.write("done\n")


def fill(session: Session, items: int, *, kills: bool) -> Session:
    """Three kinds of items that work for a moment, and one that kills its worker where it is asked for."""
    texts = [f"work {5 + number % 30}" for number in range(items)]
    if kills:
        texts[items // 2] = "kill"
    for group in range(3):
        session.queue.add_to_queue([Prompt(text) for text in texts[group::3]], "probe", {"group": group})
    return session


def work_off(sessions: list[Session], starts: int) -> None:
    """Start the queues, all at once, until they are empty, or as often as is said."""
    for _ in range(starts):
        for session in sessions:
            if len(session.queue):
                session.runner.start()
        for session in sessions:
            session.runner.join()
        if not any(len(session.queue) for session in sessions):
            break
    for session in sessions:
        snapshot = session.runner.snapshot()
        sys.stdout.write(f"{snapshot.state} {snapshot.reason}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
