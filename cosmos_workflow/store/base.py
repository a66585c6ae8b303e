"""What every part of the store shares, and how one process knows whether another is still alive."""

from __future__ import annotations

from filelock import FileLock, Timeout

from cosmos_workflow.config import Workspace, file_errors
from cosmos_workflow.ids import new_id
from cosmos_workflow.store.database import Database
from cosmos_workflow.store.disk import Disk


class StorePart:
    """The workspace, its database, its disk, and the identity of this process."""

    def __init__(self, workspace: Workspace, url: str | None = None, disk: Disk | None = None) -> None:
        self.workspace = workspace
        self.process = new_id("pr")
        self._disk = disk or Disk()
        self._db = Database(workspace, url or "")
        # The system gives the lock back however this process ends, and to nobody before: better than a process id.
        self._alive = FileLock(workspace.locks / f"process-{self.process}.lock", thread_local=False)
        with file_errors(f"The workspace {workspace.root}"):
            self._alive.acquire(timeout=10)

    def close(self) -> None:
        """Close the database; what this store left running counts as interrupted from now on."""
        self._db.close()
        self._alive.release()

    def is_alive(self, process: str) -> bool:
        """Whether the store with this identity is open in a living process."""
        if process == self.process:
            return self._alive.is_locked
        path = self.workspace.locks / f"process-{process}.lock"
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
