"""The one facade: batches in, results per item out, with records and files that never disagree."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.messages import CancelItems
from cosmos_workflow.execution.batch_run import ItemResult, OperationEvent, RunningBatch
from cosmos_workflow.execution.estimates import BatchingGain, CostSample, Rate, batching_gain, learn_rate
from cosmos_workflow.execution.task_router import Devices, Pool
from cosmos_workflow.gpu_dispatch import events
from cosmos_workflow.gpu_dispatch.events import SlotStatus
from cosmos_workflow.gpu_dispatch.pool import WorkerPool
from cosmos_workflow.queueing import Batch, QueueItem, group_queue_by_batch_key
from cosmos_workflow.store.records import CostSample as RunSample
from cosmos_workflow.store.store import Store

WORKER = "cosmos_workflow.engines.worker:EngineWorker"
LOAD_TIMEOUT = 1800.0
"""Seconds a worker may take to load an engine: the largest take minutes from a slow disk."""
MACHINES_NAMED = 6


class Operations:
    """Everything a page, a command or a program does with a workspace: run batches, cancel, ask how long it takes.

    `gpu_ids` names the devices (None is the CPU), one worker each; a `pool` that isn't `WorkerPool`, but is made in the same
    way, may have devices elsewhere and find them itself where `gpu_ids` is None. What an earlier life left running is put in
    order first: `swept` says what was found. A worker that goes on for `cancel_grace` seconds after it was asked to stop is
    killed.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        gpu_ids: Sequence[int | None] | None = (None,),
        store: Store | None = None,
        pool: Callable[..., Pool] = WorkerPool,
        cancel_grace: float = 5.0,
        on_dispatch_event: Callable[[events.Event], None] | None = None,
    ) -> None:
        self.workspace = workspace
        self.store = store or Store(workspace)
        self.swept = self.store.recovery.sweep()
        self.gpu_ids = None if gpu_ids is None else tuple(gpu_ids)
        self._new_pool = pool
        self._cancel_grace = cancel_grace
        self.devices = Devices(self._make_pool, on_dispatch_event)
        self._lock = threading.Lock()
        self._running: dict[str, RunningBatch] = {}
        self._rates: dict[str, Rate | None] = {}
        self._gains: dict[str, BatchingGain | None] = {}

    def batch_inference(
        self,
        items: Iterable[QueueItem],
        on_event: Callable[[OperationEvent], None] | None = None,
        *,
        token: str = "",
        owner: str = "local",
    ) -> Iterator[ItemResult]:
        """Make these items, batch by batch, and yield each result as it is known.

        Items of different keys are grouped first. Waits for its turn when others use the devices. An iterator that is
        closed early cancels what it had begun. Events arrive in this thread, in order.
        """
        for batch in group_queue_by_batch_key(items):
            yield from self._run_batch(batch, on_event or (lambda _event: None), token, owner)

    def cancel(self, item_ids: Collection[str]) -> None:
        """Stop these items if they are running; their neighbours go on."""
        wanted = frozenset(item_ids)
        with self._lock:
            touched = {id(batch): batch for item, batch in self._running.items() if item in wanted}
        for batch in touched.values():
            if batch.open <= wanted:
                self.devices.cancel(batch.task_id)
            else:
                self.devices.send(batch.task_id, CancelItems(wanted & batch.open))

    def free_devices(self) -> None:
        """Unload the engines: memory goes back as soon as what is running is done."""
        self.devices.unload()

    def slots(self) -> list[SlotStatus]:
        """What each device is doing."""
        return self.devices.slots()

    def lanes(self) -> int:
        """How many batches can be made at once."""
        here = sum(slot.state != "away" for slot in self.slots())
        return max(1, len(self.gpu_ids or ()), here)

    def machines(self) -> str:
        """The machines of the cluster that work for us, with their devices; empty where only this one does."""
        devices: dict[str, list[bool]] = {}
        for slot in self.slots():
            if slot.node and slot.state != "away":
                devices.setdefault(slot.node, []).append(slot.gpu_id is not None)
        words = [f"{node}: {_count_devices(on_gpu)}" for node, on_gpu in sorted(devices.items())]
        more = [f"{len(words) - MACHINES_NAMED} more"] if len(words) > MACHINES_NAMED else []
        return ", ".join(words[:MACHINES_NAMED] + more)

    def rate(self, engine: str) -> Rate | None:
        """How fast an engine is here, learned from its finished runs; None before the first."""
        if engine not in self._rates:
            self._rates[engine] = learn_rate(self.samples(engine))
        return self._rates[engine]

    def gain(self, engine: str) -> BatchingGain | None:
        """What batching gains on an engine here; None before it was measured."""
        if engine not in self._gains:
            self._gains[engine] = batching_gain(self.samples(engine))
        return self._gains[engine]

    def samples(self, engine: str) -> list[CostSample]:
        """The finished batches of an engine, newest first."""
        return batch_samples(self.store.runs.cost_samples(engine))

    def close(self, graceful: bool = False) -> None:
        """Stop the workers; what was running is interrupted, unless `graceful`."""
        self.devices.close(graceful)
        self.store.close()

    def __enter__(self) -> Operations:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _make_pool(self) -> Pool:
        return self._new_pool(
            WORKER,
            self.gpu_ids,
            max_retries=0,
            setup_timeout=LOAD_TIMEOUT,
            cancel_grace=self._cancel_grace,
            suppress_worker_output=True,
        )

    def _run_batch(self, batch: Batch, notify: Callable[[OperationEvent], None], token: str, owner: str) -> Iterator[ItemResult]:
        running = RunningBatch(batch, self.store, self.devices, notify, token=token, owner=owner)
        yield from running.refuse_impossible()
        if not running.open:
            return
        with self._lock:
            self._running.update(dict.fromkeys(running.open, running))
        try:
            running.task_id, route = self.devices.submit(running.task(), {"engine": batch.engine})
            yield from running.results(route)
        finally:
            if running.open:
                self.devices.cancel(running.task_id)
                running.abandon()
            with self._lock:
                for item in batch.items:
                    self._running.pop(item.id, None)
                self._rates.pop(batch.engine, None)
                self._gains.pop(batch.engine, None)


def _count_devices(on_gpu: Sequence[bool]) -> str:
    kind = "GPU" if all(on_gpu) else "worker"
    return f"{len(on_gpu)} {kind}{'s' if len(on_gpu) > 1 else ''}"


def batch_samples(rows: Iterable[RunSample]) -> list[CostSample]:
    """Finished runs put together by batch: what a batch cost, and how long it took from its start to its last item."""
    batches: dict[str, list[RunSample]] = {}
    for row in rows:
        batches.setdefault(row.batch_id, []).append(row)
    return [
        CostSample(
            cost=sum(row.cost for row in members),
            seconds=max(row.finished_at for row in members) - min(row.started_at for row in members),
            items=len(members),
            load_seconds=max(row.load_seconds for row in members),
        )
        for members in batches.values()
    ]
