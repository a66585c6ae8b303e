"""The identity of an open store, and how one knows whether another's process is still alive."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from cosmos_workflow.config import Workspace
from cosmos_workflow.files import file_errors
from cosmos_workflow.ids import new_id


class ProcessLock:
    """Held from here to `release`, or to the end of its process: what carries its `id` is nobody else's until then."""

    def __init__(self, workspace: Workspace) -> None:
        self.id = new_id("pr")
        self._workspace = workspace
        # The system gives the lock back however this process ends, and to nobody before: better than a process id.
        self._lock = FileLock(_lock_file(workspace, self.id), thread_local=False)
        with file_errors(f"The workspace {workspace.root}"):
            self._lock.acquire(timeout=10)

    def release(self) -> None:
        """What was begun under this identity counts as interrupted from now on."""
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)

    def is_alive(self, process: str) -> bool:
        """Whether the store with this identity is open in a living process."""
        return self._lock.is_locked if process == self.id else is_process_alive(self._workspace, process)


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


def living_processes(workspace: Workspace) -> list[str]:
    """The identities of the stores that are open; the lock files of dead ones are taken away."""
    known = (path.stem.removeprefix("process-") for path in sorted(workspace.locks.glob("process-*.lock")))
    return [process for process in known if is_process_alive(workspace, process)]


def _lock_file(workspace: Workspace, process: str) -> Path:
    return workspace.locks / f"process-{process}.lock"
