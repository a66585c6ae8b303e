"""Queue generative work on your own machine: prompts in, batches on a loaded model, finished files out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cosmos_workflow.config import Workspace
    from cosmos_workflow.errors import InputError, UnavailableError, WorkflowError
    from cosmos_workflow.execution.operations import Operations
    from cosmos_workflow.execution.runner import QueueRunner
    from cosmos_workflow.jobs.document.tasks import TaskConfig
    from cosmos_workflow.jobs.events import TaskResult
    from cosmos_workflow.jobs.executor import TaskExecutor
    from cosmos_workflow.jobs.manager import JobManager
    from cosmos_workflow.jobs.orchestrator import TaskOrchestrator, run_job
    from cosmos_workflow.jobs.plan import ExecutionPlan
    from cosmos_workflow.jobs.store import JobStore
    from cosmos_workflow.progress import ProgressTracker
    from cosmos_workflow.queueing import Batch, Prompt, Queue, QueueItem, calculate_batch_key, group_queue_by_batch_key
    from cosmos_workflow.yaml_places import JobFileError

__version__ = "0.1.0"

_HOMES = {
    name: module
    for module, names in {
        "config": "Workspace",
        "errors": "InputError UnavailableError WorkflowError",
        "execution.operations": "Operations",
        "execution.runner": "QueueRunner",
        "jobs.document.tasks": "TaskConfig",
        "jobs.events": "TaskResult",
        "jobs.executor": "TaskExecutor",
        "jobs.manager": "JobManager",
        "jobs.orchestrator": "TaskOrchestrator run_job",
        "jobs.plan": "ExecutionPlan",
        "jobs.store": "JobStore",
        "progress": "ProgressTracker",
        "queueing": "Batch Prompt Queue QueueItem calculate_batch_key group_queue_by_batch_key",
        "yaml_places": "JobFileError",
    }.items()
    for name in names.split()
}

__all__ = [
    "Batch",
    "ExecutionPlan",
    "InputError",
    "JobFileError",
    "JobManager",
    "JobStore",
    "Operations",
    "ProgressTracker",
    "Prompt",
    "Queue",
    "QueueItem",
    "QueueRunner",
    "TaskConfig",
    "TaskExecutor",
    "TaskOrchestrator",
    "TaskResult",
    "UnavailableError",
    "WorkflowError",
    "Workspace",
    "__version__",
    "calculate_batch_key",
    "group_queue_by_batch_key",
    "run_job",
]


def __getattr__(name: str) -> Any:
    # Imported when first asked for, so that `import cosmos_workflow` costs nothing in a worker that needs little of it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
