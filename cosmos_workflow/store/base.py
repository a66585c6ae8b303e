"""What every part of the store shares, and how one process knows whether another is still alive."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from cosmos_workflow.config import Workspace
from cosmos_workflow.files import Disk, file_errors
from cosmos_workflow.ids import new_id
from cosmos_workflow.store.database import Database


class StorePart:
    """The workspace, its database, its disk, and the identity of this process."""

    def __init__(self, workspace: Workspace, url: str | None = None, disk: Disk | None = None) -> None:
        self.workspace = workspace
        self.process = new_id("pr")
        self._disk = disk or Disk()
        self._db = Database(workspace, url or "")
        # The system gives the lock back however this process ends, and to nobody before: better than a process id.
        self._alive = FileLock(_lock_file(workspace, self.process), thread_local=False)
        with file_errors(f"The workspace {workspace.root}"):
            self._alive.acquire(timeout=10)

    def close(self) -> None:
        """Close the database; what this store left running counts as interrupted from now on."""
        self._db.close()
        self._alive.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def is_alive(self, process: str) -> bool:
        """Whether the store with this identity is open in a living process."""
        return self._alive.is_locked if process == self.process else is_process_alive(self.workspace, process)


def is_process_alive(workspace: Workspace, process: str) -> bool:
    """Whether the store of this identity is open in a living process; the lock file of a dead one is taken away."""
    path = _lock_file(workspace, process)
    if not process or not path.exists():
        return False
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    path.unlink(missing_ok=True)
    return False


def _lock_file(workspace: Workspace, process: str) -> Path:
    return workspace.locks / f"process-{process}.lock"
