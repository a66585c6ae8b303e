"""Jobs: YAML files worked off through the same queue as everything else, and what is made of their pieces."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cosmos_workflow.jobs.background import JobBackground
    from cosmos_workflow.jobs.document.loading import JobFileError, load_job, parse_job
    from cosmos_workflow.jobs.document.tasks import JobFile, TaskConfig
    from cosmos_workflow.jobs.executor import TaskExecutor, TaskResult
    from cosmos_workflow.jobs.manager import JobManager
    from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
    from cosmos_workflow.jobs.plan import ExecutionPlan, TaskStatus
    from cosmos_workflow.jobs.store import JobStore

_HOMES = {
    "ExecutionPlan": "plan",
    "JobBackground": "background",
    "JobFile": "document.tasks",
    "JobFileError": "document.loading",
    "JobManager": "manager",
    "JobStore": "store",
    "TaskConfig": "document.tasks",
    "TaskExecutor": "executor",
    "TaskOrchestrator": "orchestrator",
    "TaskResult": "executor",
    "TaskStatus": "plan",
    "load_job": "document.loading",
    "parse_job": "document.loading",
}

__all__ = [
    "ExecutionPlan",
    "JobBackground",
    "JobFile",
    "JobFileError",
    "JobManager",
    "JobStore",
    "TaskConfig",
    "TaskExecutor",
    "TaskOrchestrator",
    "TaskResult",
    "TaskStatus",
    "load_job",
    "parse_job",
]


def __getattr__(name: str) -> Any:
    # Imported when first asked for: checking a file needs neither workers nor a database.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
