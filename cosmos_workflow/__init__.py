"""Queue generative work on your own machine: prompts in, batches on a loaded model, finished files out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cosmos_workflow.operations import Operations
    from cosmos_workflow.progress import ProgressTracker
    from cosmos_workflow.queueing import Batch, Prompt, Queue, QueueItem, calculate_batch_key, group_queue_by_batch_key
    from cosmos_workflow.runner import QueueRunner

__version__ = "0.1.0"

_HOMES = {
    "Batch": "queueing",
    "Operations": "operations",
    "ProgressTracker": "progress",
    "Prompt": "queueing",
    "Queue": "queueing",
    "QueueItem": "queueing",
    "QueueRunner": "runner",
    "calculate_batch_key": "queueing",
    "group_queue_by_batch_key": "queueing",
}

__all__ = [
    "Batch",
    "Operations",
    "ProgressTracker",
    "Prompt",
    "Queue",
    "QueueItem",
    "QueueRunner",
    "__version__",
    "calculate_batch_key",
    "group_queue_by_batch_key",
]


def __getattr__(name: str) -> Any:
    # Imported when first asked for, so that `import cosmos_workflow` costs nothing in a worker that needs little of it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
