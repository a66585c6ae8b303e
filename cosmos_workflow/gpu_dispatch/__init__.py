"""Keep worker processes busy, one a GPU, whatever happens to them. A library of its own."""

from cosmos_workflow.gpu_dispatch.devices import Gpu, default_gpu_ids, discover_gpus
from cosmos_workflow.gpu_dispatch.dispatcher import AllSetupsFailedError, Dispatcher
from cosmos_workflow.gpu_dispatch.pool import PoolClosedError, WorkerPool
from cosmos_workflow.gpu_dispatch.protocol import (
    CleanupFailed,
    Event,
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

__all__ = [
    "ANY",
    "AllSetupsFailedError",
    "BaseWorker",
    "CleanupFailed",
    "Dispatcher",
    "Event",
    "Gpu",
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
