"""Jobs: YAML files worked off through the same queue as everything else, and what is made of their pieces.

`document` is what a job file says, `speech` long text as sound. Above them, each on the one before: `plan` (tasks, pieces, takes,
queue items; pure), `store` (the files), `state` (what is there of a job), `executor` (one run of a plan), `orchestrator` (plans,
and whose turn it is), `background` (what runs without a page) and `manager` (the one door for page, command line and programs).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cosmos_workflow.jobs.document.loading import load_job
    from cosmos_workflow.jobs.document.tasks import TaskConfig
    from cosmos_workflow.jobs.events import TaskResult
    from cosmos_workflow.jobs.executor import TaskExecutor
    from cosmos_workflow.jobs.manager import JobManager
    from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
    from cosmos_workflow.jobs.plan import ExecutionPlan
    from cosmos_workflow.jobs.store import JobStore

_HOMES = {
    "ExecutionPlan": "plan",
    "JobManager": "manager",
    "JobStore": "store",
    "TaskConfig": "document.tasks",
    "TaskExecutor": "executor",
    "TaskOrchestrator": "orchestrator",
    "TaskResult": "events",
    "load_job": "document.loading",
}

__all__ = [
    "ExecutionPlan",
    "JobManager",
    "JobStore",
    "TaskConfig",
    "TaskExecutor",
    "TaskOrchestrator",
    "TaskResult",
    "load_job",
]


def __getattr__(name: str) -> Any:
    # Imported when first asked for: checking a file needs neither workers nor a database.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
