"""The one facade: batches in, results per item out, with records and files that never disagree."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cosmos_workflow.catalog import EngineSpec, find_engine
from cosmos_workflow.config import Workspace
from cosmos_workflow.devices import Devices, Pool
from cosmos_workflow.engines.base import Dropped, Failure, Output, Request
from cosmos_workflow.engines.host import BatchBegun, BatchMade, BatchTask, CancelItems, ItemMade, ItemReported
from cosmos_workflow.errors import InputError, WorkflowError
from cosmos_workflow.estimates import BatchingGain, CostSample, Rate, batching_gain, learn_rate
from cosmos_workflow.gpu_dispatch import protocol
from cosmos_workflow.gpu_dispatch.pool import WorkerPool
from cosmos_workflow.gpu_dispatch.protocol import SlotStatus
from cosmos_workflow.ids import new_id
from cosmos_workflow.params import validate_params
from cosmos_workflow.progress import ProgressTracker
from cosmos_workflow.queueing import Batch, ItemStatus, QueueItem, group_queue_by_batch_key
from cosmos_workflow.store.records import CostSample as RunSample
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.store import Store

WORKER = "cosmos_workflow.engines.host:EngineWorker"
LOAD_TIMEOUT = 1800.0
"""Seconds a worker may take to load an engine: the largest take minutes from a slow disk."""

PROGRESS_SECONDS = 1.0
"""How often an item's progress is written to the store, at most."""

Outcome = Literal["succeeded", "failed", "cancelled", "interrupted"]


@dataclass(frozen=True, slots=True)
class EngineLoading:
    """A batch has its device; the engine is being loaded, if it isn't yet."""

    item_ids: tuple[str, ...]
    engine: str


@dataclass(frozen=True, slots=True)
class BatchStarted:
    """The work on a batch began."""

    item_ids: tuple[str, ...]
    device: str
    load_seconds: float


@dataclass(frozen=True, slots=True)
class ItemProgressed:
    """An item got further; `fraction` in [0, 1] never falls."""

    item_id: str
    stage: str
    fraction: float
    message: str


@dataclass(frozen=True, slots=True)
class ItemResult:
    """How an item ended. *interrupted* isn't an end: its process died, or its batch broke, and it should be tried again.

    `worker_died` tells the two apart; neither was the item's doing where the `program_ended`. `hold` is set when going on
    makes no sense (a full disk), and says why.
    """

    item_id: str
    run_id: str
    outcome: Outcome
    files: Mapping[str, Path] = field(default_factory=dict)
    error: str = ""
    traceback: str = ""
    worker_died: bool = False
    program_ended: bool = False
    hold: str = ""


OperationEvent = EngineLoading | BatchStarted | ItemProgressed | ItemResult


class Operations:
    """Everything a page, a command or a program does with a workspace: run batches, cancel, ask how long it takes.

    `gpu_ids` names the devices (None is the CPU), one worker each. What an earlier life left running is put in order first:
    `swept` says what was found.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        gpu_ids: Sequence[int | None] = (None,),
        store: Store | None = None,
        make_pool: Callable[[], Pool] | None = None,
        on_dispatch_event: Callable[[protocol.Event], None] | None = None,
    ) -> None:
        self.workspace = workspace
        self.store = store or Store(workspace)
        self.swept = self.store.sweep()
        self.gpu_ids = tuple(gpu_ids)
        self.devices = Devices(make_pool or self._local_pool, on_dispatch_event)
        self._lock = threading.Lock()
        self._running: dict[str, _RunningBatch] = {}
        self._rates: dict[str, Rate | None] = {}

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

    def rate(self, engine: str) -> Rate | None:
        """How fast an engine is here, learned from its finished runs; None before the first."""
        if engine not in self._rates:
            self._rates[engine] = learn_rate(self.samples(engine))
        return self._rates[engine]

    def gain(self, engine: str) -> BatchingGain | None:
        """What batching gains on an engine here; None before it was measured."""
        return batching_gain(self.samples(engine))

    def samples(self, engine: str) -> list[CostSample]:
        """The finished batches of an engine, newest first."""
        return batch_samples(self.store.cost_samples(engine))

    def close(self, graceful: bool = False) -> None:
        """Stop the workers; what was running is interrupted, unless `graceful`."""
        self.devices.close(graceful)
        self.store.close()

    def __enter__(self) -> Operations:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _local_pool(self) -> Pool:
        return WorkerPool(WORKER, self.gpu_ids, max_retries=0, setup_timeout=LOAD_TIMEOUT, suppress_worker_output=True)

    def _run_batch(self, batch: Batch, notify: Callable[[OperationEvent], None], token: str, owner: str) -> Iterator[ItemResult]:
        running = _RunningBatch(self, batch, token, owner, notify)
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


class _RunningBatch:
    """A batch on its way: turns the worker's events into records, files and results."""

    def __init__(
        self, operations: Operations, batch: Batch, token: str, owner: str, notify: Callable[[OperationEvent], None]
    ) -> None:
        self.batch = batch
        self.task_id = ""
        self._store = operations.store
        self._locks = operations.workspace.locks
        self._devices = operations.devices
        self._notify = notify
        self._token, self._owner = token, owner
        self._spec: EngineSpec = find_engine(batch.engine)
        self._items = {item.id: item for item in batch.items}
        self._runs = {item.id: new_id("rs") for item in batch.items}
        self._params = {item.id: validate_params(self._spec.params, item.params) for item in batch.items}
        self._trackers = {item.id: ProgressTracker(item.id, self._spec.stages) for item in batch.items}
        self._gpu_ids = operations.gpu_ids
        self._noted: dict[str, float] = {}
        self.open: set[str] = set(self._items)

    def refuse_impossible(self) -> Iterator[ItemResult]:
        """Items that can't be made, found before a worker is asked: the engine isn't there, an input file is gone."""
        availability = self._spec.availability()
        reasons: dict[str, str] = {}
        for item in self.batch.items:
            try:
                self._spec.check(item.prompt_text, self._params[item.id], item.weights, _paths(item))
            except InputError as error:
                reasons[item.id] = str(error)
            if not availability.available:
                reasons[item.id] = f"{self._spec.name}: {availability}"
        self._store.begin_runs([self._record(item) for item in self.batch.items])
        for item_id, reason in reasons.items():
            yield self._end(item_id, "failed", error=reason)

    def task(self) -> BatchTask:
        """The batch as the worker gets it, with an empty folder for each item."""
        requests = tuple(self._request(self._items[item_id]) for item_id in self._items if item_id in self.open)
        return BatchTask(self.batch.id, requests, self._locks)

    def results(self, route: Any) -> Iterator[ItemResult]:
        """Each item's result, until none is open."""
        while self.open:
            match route.get():
                case protocol.WorkerStarted():
                    self._notify(EngineLoading(tuple(self.open), self._spec.name))
                case protocol.TaskProgress(progress=message, worker_id=worker):
                    yield from self._on_message(message, str(worker))
                case protocol.TaskSuccess(data=BatchMade() as made):
                    yield from self._on_made(made)
                case protocol.TaskError() as event:
                    yield from self._on_error(event)
                case protocol.TaskTimeout(timeout=seconds):
                    yield from self._end_open("failed", f"It took longer than {seconds:g} s.")

    def abandon(self) -> None:
        """Close the records of what nobody waits for any more."""
        for item_id in list(self.open):
            self._end(item_id, "cancelled", error="Stopped before it was done.")

    def _on_message(self, message: Any, worker: str) -> Iterator[ItemResult]:
        match message:
            case BatchBegun(load_seconds=load_seconds):
                self._begin(worker, load_seconds)
            case ItemReported() if message.item_id in self.open:
                tracker = self._trackers[message.item_id]
                fraction = tracker.update_stage(message.stage, message.sub_progress, message.message)
                self._note_progress(tracker)
                self._notify(ItemProgressed(message.item_id, tracker.stage, fraction, tracker.message))
            case ItemMade(outcome=Output() as output) if output.id in self.open:
                yield self._publish(output, message.seconds)
            case ItemMade(outcome=Failure() as failure) if failure.id in self.open:
                yield self._end(failure.id, "failed", error=failure.error, traceback=failure.traceback)
            case ItemMade(outcome=Dropped() as dropped) if dropped.id in self.open:
                yield self._end(dropped.id, "cancelled")

    def _note_progress(self, tracker: ProgressTracker) -> None:
        """Other processes on this workspace read the progress from the store; they don't need every step."""
        if tracker.last_updated - self._noted.get(tracker.job_id, 0.0) >= PROGRESS_SECONDS:
            self._noted[tracker.job_id] = tracker.last_updated
            self._store.update_progress(self._runs[tracker.job_id], tracker.stage, tracker.fraction, tracker.message)

    def _on_made(self, made: BatchMade) -> Iterator[ItemResult]:
        if made.error and len(self.batch) > 1:
            # One of them broke it: smaller batches will tell which.
            yield from self._end_open("interrupted", made.error, made.traceback)
        elif made.error:
            yield from self._end_open("failed", made.error, made.traceback)
        else:
            yield from self._end_open("cancelled", "")

    def _on_error(self, event: protocol.TaskError) -> Iterator[ItemResult]:
        reason = event.error.strip().splitlines()[-1] if event.error.strip() else "the worker stopped"
        if self._devices.closing:
            yield from self._end_open("interrupted", "The program was ended.", program_ended=True)
        elif event.kind == "cancelled":
            yield from self._end_open("cancelled", "")
        elif event.kind == "died":
            yield from self._end_open("interrupted", f"Its worker died: {reason}.", event.error, worker_died=True)
        elif event.kind == "setup":
            sentence = reason.split("Error: ", 1)[-1]
            yield from self._end_open("failed", f"{self._spec.name} could not be loaded: {sentence}", event.error)
        else:
            yield from self._end_open("failed", reason, event.error)

    def _begin(self, worker: str, load_seconds: float) -> None:
        device = "CPU" if None in self._gpu_ids else f"GPU {worker}"
        for item_id in self._open_in_order():
            known = {"device": device, "worker": worker, "load_seconds": load_seconds}
            self._store.start_run(self._runs[item_id], **known)
        self._notify(BatchStarted(tuple(self._open_in_order()), device, load_seconds))

    def _publish(self, output: Output, seconds: float) -> ItemResult:
        metadata = {**output.metadata, "work_seconds": round(seconds, 3)}
        try:
            record = self._store.publish_run(self._runs[output.id], output.files, metadata)
        except WorkflowError as error:
            return self._end(output.id, "failed", error=str(error), hold=str(error))
        self.open.discard(output.id)
        files = {key: self._store.output_path(record, key) for key in record.outputs}
        result = ItemResult(output.id, record.id, "succeeded", files)
        self._notify(result)
        return result

    def _open_in_order(self) -> list[str]:
        return [item.id for item in self.batch.items if item.id in self.open]

    def _end_open(
        self,
        outcome: Outcome,
        error: str,
        traceback: str = "",
        *,
        worker_died: bool = False,
        program_ended: bool = False,
    ) -> Iterator[ItemResult]:
        for item_id in self._open_in_order():
            yield self._end(
                item_id, outcome, error=error, traceback=traceback, worker_died=worker_died, program_ended=program_ended
            )

    def _end(
        self,
        item_id: str,
        outcome: Outcome,
        *,
        error: str = "",
        traceback: str = "",
        worker_died: bool = False,
        program_ended: bool = False,
        hold: str = "",
    ) -> ItemResult:
        if outcome == "interrupted" and not program_ended:
            # The item itself knows how often it may be tried; the last time it fails with the reason.
            after = self._items[item_id].interrupted(error)
            if after.status is ItemStatus.FAILED:
                outcome, error = "failed", after.error
        run_id = self._runs[item_id]
        self.open.discard(item_id)
        self._store.finish_run(run_id, outcome, error=error, traceback=traceback)
        self._store.discard_run_folder(run_id)
        result = ItemResult(item_id, run_id, outcome, {}, error, traceback, worker_died, program_ended, hold)
        self._notify(result)
        return result

    def _request(self, item: QueueItem) -> Request:
        folder = self._store.open_run_folder(self._runs[item.id])
        return Request(item.id, item.prompt_text, self._params[item.id], item.weights, _paths(item), folder)

    def _record(self, item: QueueItem) -> RunRecord:
        known = {"id": self._runs[item.id], "owner": self._owner, "token": self._token}
        return RunRecord.of(item, self.batch, cost_unit=self._spec.cost_unit, **known)


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


def _paths(item: QueueItem) -> dict[str, Path]:
    return {name: Path(path) for name, path in item.inputs.items()}
