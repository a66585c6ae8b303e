"""The job manager of each owner, made when it is first asked for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.jobs.heard_items import HeardItems
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.store import JobStore


class JobManagers:
    """Managers by owner; every method may be called from any thread. `heard` has what queues make heard back."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._lock = threading.Lock()
        self._managers: dict[str, JobManager] = {}
        self.heard = HeardItems(operations.store)
        operations.on_made = self.heard.take

    def of(self, owner: str) -> JobManager:
        """An owner's manager."""
        with self._lock:
            if owner not in self._managers:
                jobs = JobStore(self._operations.workspace, owner)
                self._managers[owner] = JobManager(TaskOrchestrator(self._operations, jobs))
            return self._managers[owner]

    def are_busy(self) -> bool:
        """Whether a job of anybody runs."""
        with self._lock:
            managers = list(self._managers.values())
        return any(manager.snapshot().busy for manager in managers)

    def close(self) -> None:
        """Stop what runs after its batch; run mode that is on now is on again at the next start."""
        self.heard.close()
        with self._lock:
            managers = list(self._managers.values())
        if managers:
            with ThreadPoolExecutor(len(managers)) as threads:
                list(threads.map(lambda manager: manager.background.close(), managers))
