"""Keep worker processes busy, one a GPU, whatever happens to them. A library of its own, which needs the standard library alone.

A worker is a class. Put it into a module, say ``workers.py``::

    from cosmos_workflow.gpu_dispatch import BaseWorker

    class Power(BaseWorker):
        def setup(self, gpu_id, seed, power=2):
            self.power = power  # load the model here, once; in this process the device is cuda:0

        def process(self, data):
            self.report("at work")  # whatever can be pickled; it arrives while the task runs
            return data**self.power

**A source of tasks**, as long as it likes: it is read only as far as the workers need it. None is a CPU worker; on a machine with
GPUs ``gpu_ids=[0, 1]``, or ``default_gpu_ids()``. Each task is reported once, whatever becomes of it, here by callback::

    from cosmos_workflow.gpu_dispatch import Dispatcher

    def on_success(task_id, result, worker_id):
        print("task", task_id, "is", result)

    def on_error(task_id, error, worker_id):
        print("task", task_id, "failed:", error)

    dispatcher = Dispatcher("workers:Power", gpu_ids=[None, None])
    dispatcher.run(range(4), on_success, on_error, task_timeout=60, setup={"power": 3})

A task that takes longer than its limit, a worker that dies and one that hangs cost that process alone, which is replaced; a task
whose worker died is tried once more (`max_retries`). The error of a death ends with how the process ended, after what it last
wrote to its stderr.

**As an iterator**, as they come or in order. Within a block the workers stay, loaded, from one run to the next::

    with Dispatcher("workers:Power", gpu_ids=[None]) as dispatcher:
        for outcome in dispatcher.map(range(3)):
            print(outcome.task_id, outcome.unwrap())  # the result; raises why there is none
        print([outcome.unwrap() for outcome in dispatcher.map(range(3), ordered=True)])

**One by one**, with futures of concurrent.futures, or for asyncio::

    import asyncio
    from cosmos_workflow.gpu_dispatch import Executor

    with Executor("workers:Power", gpu_ids=[None], setup={"power": 2}) as executor:
        future = executor.submit(7, timeout=60)
        print(future.result())

    async def main():
        async with Executor("workers:Power", gpu_ids=[None]) as executor:
            print(await executor.asubmit(5))
            async for outcome in executor.amap(range(3), ordered=True):
                print(outcome.unwrap())

    asyncio.run(main())

**What many tasks are given**, say a large array, need not be sent with each: put ``share(array)`` into their data, or into
``setup``. The workers of this machine then have the one array, which they can't write to; see `Shared`.

**Under all of it** is `WorkerPool`, whose loop is called by whoever wants to: ``submit``, ``cancel``, ``send``, ``events``. With
Rich installed, ``ui.RichDispatcher`` is a `Dispatcher` with a view in the terminal; with Ray, ``executor="ray"`` has the workers
on a cluster. Python 3.11 and later; on Windows and macOS never run by its makers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .arguments import PoolOptions as PoolOptions
    from .devices import Gpu as Gpu
    from .devices import default_gpu_ids as default_gpu_ids
    from .devices import discover_gpus as discover_gpus
    from .dispatcher import Dispatcher as Dispatcher
    from .events import CleanupFailed as CleanupFailed
    from .events import Event as Event
    from .events import Outcome as Outcome
    from .events import PlacesAwaited as PlacesAwaited
    from .events import SetupFailed as SetupFailed
    from .events import SlotStatus as SlotStatus
    from .events import TaskError as TaskError
    from .events import TaskFailedError as TaskFailedError
    from .events import TaskId as TaskId
    from .events import TaskProgress as TaskProgress
    from .events import TaskStarted as TaskStarted
    from .events import TaskSuccess as TaskSuccess
    from .events import TaskTimeout as TaskTimeout
    from .events import WorkerDied as WorkerDied
    from .events import WorkerExited as WorkerExited
    from .events import WorkerReady as WorkerReady
    from .events import WorkerStarted as WorkerStarted
    from .executor import Executor as Executor
    from .options import WorkerOptions as WorkerOptions
    from .pool import PoolClosedError as PoolClosedError
    from .pool import WorkerPool as WorkerPool
    from .run import AllSetupsFailedError as AllSetupsFailedError
    from .shared import Shared as Shared
    from .shared import share as share
    from .tasks import ANY as ANY
    from .worker import BaseWorker as BaseWorker
    from .worker import TaskCancelledError as TaskCancelledError

# Imported when asked for: a worker process needs its own side only, and starts in half the time.
_HOME = {
    name: module
    for module, names in {
        "arguments": "PoolOptions",
        "devices": "Gpu default_gpu_ids discover_gpus",
        "dispatcher": "Dispatcher",
        "events": "CleanupFailed Event Outcome PlacesAwaited SetupFailed SlotStatus TaskError TaskFailedError TaskId"
        " TaskProgress TaskStarted TaskSuccess TaskTimeout WorkerDied WorkerExited WorkerReady WorkerStarted",
        "executor": "Executor",
        "options": "WorkerOptions",
        "pool": "PoolClosedError WorkerPool",
        "run": "AllSetupsFailedError",
        "shared": "Shared share",
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
