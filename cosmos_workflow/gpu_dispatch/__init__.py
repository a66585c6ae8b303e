"""Keep worker processes busy, one a GPU, whatever happens to them. A library of its own."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cosmos_workflow.gpu_dispatch.devices import Gpu, default_gpu_ids, discover_gpus
    from cosmos_workflow.gpu_dispatch.dispatcher import AllSetupsFailedError, Dispatcher
    from cosmos_workflow.gpu_dispatch.pool import PoolClosedError, WorkerPool
    from cosmos_workflow.gpu_dispatch.protocol import (
        CleanupFailed,
        Event,
        Outcome,
        SetupFailed,
        SlotStatus,
        TaskError,
        TaskId,
        TaskProgress,
        TaskStarted,
        TaskSuccess,
        TaskTimeout,
        WorkerDied,
        WorkerExited,
        WorkerReady,
        WorkerStarted,
    )
    from cosmos_workflow.gpu_dispatch.slots import ANY
    from cosmos_workflow.gpu_dispatch.worker import BaseWorker, TaskCancelledError

# Imported when asked for: a worker process needs its own side only, and starts in half the time.
_HOME = {
    "Gpu": "devices",
    "default_gpu_ids": "devices",
    "discover_gpus": "devices",
    "AllSetupsFailedError": "dispatcher",
    "Dispatcher": "dispatcher",
    "PoolClosedError": "pool",
    "WorkerPool": "pool",
    "CleanupFailed": "protocol",
    "Event": "protocol",
    "Outcome": "protocol",
    "SetupFailed": "protocol",
    "SlotStatus": "protocol",
    "TaskError": "protocol",
    "TaskId": "protocol",
    "TaskProgress": "protocol",
    "TaskStarted": "protocol",
    "TaskSuccess": "protocol",
    "TaskTimeout": "protocol",
    "WorkerDied": "protocol",
    "WorkerExited": "protocol",
    "WorkerReady": "protocol",
    "WorkerStarted": "protocol",
    "ANY": "slots",
    "BaseWorker": "worker",
    "TaskCancelledError": "worker",
}

__all__ = [
    "ANY",
    "AllSetupsFailedError",
    "BaseWorker",
    "CleanupFailed",
    "Dispatcher",
    "Event",
    "Gpu",
    "Outcome",
    "PoolClosedError",
    "SetupFailed",
    "SlotStatus",
    "TaskCancelledError",
    "TaskError",
    "TaskId",
    "TaskProgress",
    "TaskStarted",
    "TaskSuccess",
    "TaskTimeout",
    "WorkerDied",
    "WorkerExited",
    "WorkerPool",
    "WorkerReady",
    "WorkerStarted",
    "default_gpu_ids",
    "discover_gpus",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value
