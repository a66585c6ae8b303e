"""Keep worker processes busy, one a GPU, whatever happens to them. A library of its own."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cosmos_workflow.gpu_dispatch.devices import Gpu as Gpu
    from cosmos_workflow.gpu_dispatch.devices import default_gpu_ids as default_gpu_ids
    from cosmos_workflow.gpu_dispatch.devices import discover_gpus as discover_gpus
    from cosmos_workflow.gpu_dispatch.dispatcher import AllSetupsFailedError as AllSetupsFailedError
    from cosmos_workflow.gpu_dispatch.dispatcher import Dispatcher as Dispatcher
    from cosmos_workflow.gpu_dispatch.events import CleanupFailed as CleanupFailed
    from cosmos_workflow.gpu_dispatch.events import Event as Event
    from cosmos_workflow.gpu_dispatch.events import Outcome as Outcome
    from cosmos_workflow.gpu_dispatch.events import SetupFailed as SetupFailed
    from cosmos_workflow.gpu_dispatch.events import SlotStatus as SlotStatus
    from cosmos_workflow.gpu_dispatch.events import TaskError as TaskError
    from cosmos_workflow.gpu_dispatch.events import TaskId as TaskId
    from cosmos_workflow.gpu_dispatch.events import TaskProgress as TaskProgress
    from cosmos_workflow.gpu_dispatch.events import TaskStarted as TaskStarted
    from cosmos_workflow.gpu_dispatch.events import TaskSuccess as TaskSuccess
    from cosmos_workflow.gpu_dispatch.events import TaskTimeout as TaskTimeout
    from cosmos_workflow.gpu_dispatch.events import WorkerDied as WorkerDied
    from cosmos_workflow.gpu_dispatch.events import WorkerExited as WorkerExited
    from cosmos_workflow.gpu_dispatch.events import WorkerReady as WorkerReady
    from cosmos_workflow.gpu_dispatch.events import WorkerStarted as WorkerStarted
    from cosmos_workflow.gpu_dispatch.pool import PoolClosedError as PoolClosedError
    from cosmos_workflow.gpu_dispatch.pool import WorkerPool as WorkerPool
    from cosmos_workflow.gpu_dispatch.tasks import ANY as ANY
    from cosmos_workflow.gpu_dispatch.worker import BaseWorker as BaseWorker
    from cosmos_workflow.gpu_dispatch.worker import TaskCancelledError as TaskCancelledError

# Imported when asked for: a worker process needs its own side only, and starts in half the time.
_HOME = {
    name: module
    for module, names in {
        "devices": "Gpu default_gpu_ids discover_gpus",
        "dispatcher": "AllSetupsFailedError Dispatcher",
        "events": "CleanupFailed Event Outcome SetupFailed SlotStatus TaskError TaskId TaskProgress TaskStarted TaskSuccess"
        " TaskTimeout WorkerDied WorkerExited WorkerReady WorkerStarted",
        "pool": "PoolClosedError WorkerPool",
        "tasks": "ANY",
        "worker": "BaseWorker TaskCancelledError",
    }.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value
