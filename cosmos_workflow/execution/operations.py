"""The one facade: batches in, results per item out, with records and files that never disagree."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.messages import CancelItems
from cosmos_workflow.engines.registry import availability_of, known_engine
from cosmos_workflow.execution.batch_run import BatchRun, ItemResult, OperationEvent
from cosmos_workflow.execution.estimates import BatchingGain, CostSample, Rate, TimeLeft, batching_gain, learn_rate, time_left
from cosmos_workflow.execution.notice import Notifier
from cosmos_workflow.execution.patience import Patience
from cosmos_workflow.execution.task_router import Pool, TaskRouter
from cosmos_workflow.gpu_dispatch import events
from cosmos_workflow.gpu_dispatch.pool import WorkerPool
from cosmos_workflow.queueing.batches import batch_size, plan_batches
from cosmos_workflow.queueing.items import Batch, ItemStatus, QueueItem
from cosmos_workflow.queueing.snapshot import Kind, Work, count_work
from cosmos_workflow.store.records import CostSample as RunSample
from cosmos_workflow.store.store import Store

WORKERS_VARIABLE = "COSMOS_WORKFLOW_CPU_WORKERS"
"""Tells an engine that runs on the CPU how many workers share the machine's cores."""
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
        self.router = TaskRouter(self._make_pool, on_dispatch_event, workspace.settings.unload_after)
        self.patience = Patience()
        self.notifier = Notifier(workspace.settings.notify)
        self.on_made: Callable[[ItemResult], object] = lambda _result: None
        self._lock = threading.Lock()
        self._running: dict[str, BatchRun] = {}
        self._learned: dict[str, tuple[Rate | None, BatchingGain | None]] = {}

    def batch_inference(
        self,
        items: Iterable[QueueItem],
        on_event: Callable[[OperationEvent], None] | None = None,
        *,
        token: str = "",
        owner: str = "local",
    ) -> Iterator[ItemResult]:
        """Make these items, whatever their status, and yield each result as it is known.

        They are put into batches first, as large as their engine takes and the setting `batch_size` allows; see `run`.
        """
        fresh = [replace(item, status=ItemStatus.QUEUED, error="") for item in items]
        for batch in plan_batches(fresh, self.batch_size):
            yield from self.run(batch.begun(), on_event, token=token, owner=owner)

    def run(
        self,
        batch: Batch,
        on_event: Callable[[OperationEvent], None] | None = None,
        *,
        token: str = "",
        owner: str = "local",
    ) -> Iterator[ItemResult]:
        """Make a batch as it is, and yield each result as it is known; its items are running (`Queue.claim`, `Batch.begun`).

        Waits for its turn when others use the devices. An iterator that is closed early cancels what it had begun. Events
        arrive in this thread, in order.
        """
        notify = on_event or (lambda _event: None)
        run = BatchRun(batch, self.store, self.router, self.patience, notify, token=token, owner=owner)
        yield from run.refuse_impossible()
        if not run.open:
            return
        with self._lock:
            self._running.update(dict.fromkeys(run.open, run))
        try:
            run.task_id, route = self.router.submit(run.task(), {"engine": batch.engine})
            for result in run.results(route):
                if result.outcome == "succeeded":
                    self.on_made(result)
                yield result
        finally:
            if run.open:
                self.router.cancel(run.task_id)
                run.abandon()
            with self._lock:
                for item in batch.items:
                    self._running.pop(item.id, None)
                self._learned.pop(batch.engine, None)

    def batch_size(self, item: QueueItem) -> int:
        """How many items like this one a batch may hold: as many as its engine takes, and the setting `batch_size` allows."""
        return batch_size(item, self.workspace.settings.batch_size)

    def time_left(self, items: Iterable[QueueItem]) -> TimeLeft | None:
        """How long these items take on the devices that there are; None before their engines were measured here."""
        work: dict[Kind, Work] = {}
        for item in items:
            count_work(work, item)
        return self.time_for(work)

    def time_for(self, work: Mapping[Kind, Work], made: Mapping[str, float] = MappingProxyType({})) -> TimeLeft | None:
        """What `time_left` says of items by what they are together; `made` is the cost that is behind them, by engine."""
        costs: dict[str, float] = {}
        batches: Counter[str] = Counter()
        for (engine, _), some in work.items():
            costs[engine] = costs.get(engine, 0.0) + some.cost
            batches[engine] += math.ceil(some.items / self.batch_size(some.example))
        if not costs:
            return None
        parts = [(max(0.0, cost - made.get(engine, 0.0)), batches[engine], self.rate(engine)) for engine, cost in costs.items()]
        return time_left(parts, devices=min(self.lanes(), batches.total()))

    def cancel(self, item_ids: Collection[str]) -> None:
        """Stop these items if they are running; their neighbours go on."""
        wanted = frozenset(item_ids)
        with self._lock:
            touched = {id(run): run for item, run in self._running.items() if item in wanted}
        for run in touched.values():
            if run.open <= wanted:
                self.router.cancel(run.task_id)
            else:
                self.router.send(run.task_id, CancelItems(wanted & run.open))

    def warm(self, engine: str) -> None:
        """Load an engine ahead on every device that has none; nothing happens where it can't be used here."""
        if availability_of(known_engine(engine)).available:
            self.router.warm({"engine": engine})

    def lanes(self) -> int:
        """How many batches can be made at once."""
        here = sum(slot.state != "away" for slot in self.router.slots())
        return max(1, len(self.gpu_ids or ()), here)

    @property
    def has_gpu(self) -> bool:
        """Whether a GPU works for us, here or on a cluster."""
        return any(gpu is not None for gpu in (*(self.gpu_ids or ()), *(slot.gpu_id for slot in self.router.slots())))

    def machines(self) -> str:
        """The machines of the cluster that work for us, and what is waited for; empty where only this one does."""
        devices: dict[str, list[bool]] = {}
        for slot in self.router.slots():
            if slot.node and slot.state != "away":
                devices.setdefault(slot.node, []).append(slot.gpu_id is not None)
        words = [f"{node}: {_count_devices(on_gpu)}" for node, on_gpu in sorted(devices.items())]
        more = [f"{len(words) - MACHINES_NAMED} more"] if len(words) > MACHINES_NAMED else []
        awaited = sorted({slot.awaits for slot in self.router.slots() if slot.awaits})
        return ", ".join(words[:MACHINES_NAMED] + more + awaited)

    def rate(self, engine: str) -> Rate | None:
        """How fast an engine is here, learned from its finished runs; None before the first."""
        return self._measured(engine)[0]

    def gain(self, engine: str) -> BatchingGain | None:
        """What batching gains on an engine here; None before it was measured."""
        return self._measured(engine)[1]

    def _measured(self, engine: str) -> tuple[Rate | None, BatchingGain | None]:
        if engine not in self._learned:
            samples = batch_samples(self.store.runs.cost_samples(engine))
            self._learned[engine] = learn_rate(samples), batching_gain(samples)
        return self._learned[engine]

    def close(self, graceful: bool = False) -> None:
        """Stop the workers; what was running is interrupted, unless `graceful`."""
        self.patience.end()
        self.router.close(graceful)
        self.notifier.close()
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
            env={WORKERS_VARIABLE: str(max(1, len(self.gpu_ids or ())))},
        )


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
        )
        for members in batches.values()
    ]
