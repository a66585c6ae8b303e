"""A store in a workspace of its own, and what the tests put into it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from store_support import publish

from cosmos_workflow.config import Workspace
from cosmos_workflow.files import Disk
from cosmos_workflow.queueing import Prompt, Queue, QueueItem
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.store import Store

MakeRun = Callable[..., RunRecord]


class FullDisk(Disk):
    """A disk that is full while `full` is set, for the names that `when` accepts."""

    def __init__(self) -> None:
        self.full = False
        self.when: Callable[[Path], bool] = lambda _path: True

    def touching(self, path: Path) -> None:
        if self.full and self.when(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@pytest.fixture
def disk() -> FullDisk:
    return FullDisk()


@pytest.fixture
def store(workspace: Workspace, disk: FullDisk) -> Iterator[Store]:
    with Store(workspace, disk=disk) as opened:
        yield opened


@pytest.fixture
def limit_database(store: Store) -> Callable[[], None]:
    """Let the database grow no further: SQLite itself says that the disk is full."""

    def limit() -> None:
        @event.listens_for(store.database.engine, "begin", insert=True)
        def _limit(connection: Any) -> None:
            # Below its present size SQLite takes the present size.
            connection.exec_driver_sql("PRAGMA max_page_count=1")

    return limit


@pytest.fixture
def queued(store: Store) -> Callable[..., tuple[Queue, list[QueueItem]]]:
    """A queue that is journalled in the store, with a probe item for each text."""

    def make(*texts: str, owner: str = "local") -> tuple[Queue, list[QueueItem]]:
        queue = Queue(journal=store.queues, owner=owner)
        store.queues.register(queue.token, owner)
        return queue, queue.add_to_queue([Prompt(text) for text in texts], "probe", {}) if texts else []

    return make


@pytest.fixture
def made(store: Store) -> MakeRun:
    """A run that succeeded, with one output."""

    def make(text: str = "hello", content: bytes = b"RIFFsound", **known: Any) -> RunRecord:
        item = QueueItem("ps_1", text, known.pop("engine", "probe"), {"seed": 7}, {}, {}, "key")
        (record,) = store.runs.begin([replace(RunRecord.of(item), **known)])
        (store.runs.open_folder(record.id) / "sound.wav").write_bytes(content)
        return publish(store, record.id, {"audio": "sound.wav"}, {"seconds": 1.5})

    return make
