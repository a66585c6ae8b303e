"""A batch on its way through a worker: its events become records, files and results."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from traceback import format_exception
from typing import TYPE_CHECKING, Any

from cosmos_workflow.engines.base import Dropped, Failure, Output, Request
from cosmos_workflow.engines.messages import BatchBegun, BatchMade, BatchTask, ItemMade, ItemReported
from cosmos_workflow.engines.registry import availability_of, known_engine, told
from cosmos_workflow.engines.spec import EngineSpec, Recipe
from cosmos_workflow.errors import InputError, UnavailableError, WorkflowError, is_outage
from cosmos_workflow.execution.patience import Patience
from cosmos_workflow.execution.task_router import TaskRouter
from cosmos_workflow.gpu_dispatch import events
from cosmos_workflow.ids import new_id
from cosmos_workflow.progress import ProgressTracker
from cosmos_workflow.queueing.items import Batch, Configuration, ItemStatus, Prompt, QueueItem
from cosmos_workflow.queueing.retries import Ending
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.runs import Made

if TYPE_CHECKING:
    from cosmos_workflow.store.store import Store

log = logging.getLogger(__name__)

TOGETHER_SECONDS = 0.2
"""How long something made waits, at most, to be published together with what is made next."""
PROGRESS_SECONDS = 1.0
"""How often an item's progress is written to the store, at most."""


@dataclass(frozen=True, slots=True)
class ItemProgressed:
    """Where a running item is; `fraction` in [0, 1] never falls, `stage` is empty while its engine is loaded or it waits for its
    device. Its time counts from its own start, not from that of its batch."""

    item_id: str
    fraction: float
    stage: str
    message: str
    started_at: float


@dataclass(frozen=True, slots=True)
class ItemResult:
    """How an item ended. *interrupted* isn't an end: the retry policy will have it tried again.

    `ending` says what happened, `item` is what the item has become: at its end, or queued again. `hold` is set when going on
    makes no sense (the disk is full, something isn't available), and says why.
    """

    item_id: str
    run_id: str
    item: QueueItem
    ending: Ending
    files: Mapping[str, Path] = field(default_factory=dict)
    error: str = ""
    traceback: str = ""
    hold: str = ""

    @property
    def outcome(self) -> str:
        """What its run is called: succeeded, failed, cancelled or interrupted."""
        return "interrupted" if self.item.status is ItemStatus.QUEUED else str(self.item.status)


@dataclass(frozen=True, slots=True)
class WriteRefused:
    """A record can't be written now, and `reason` says why; it is tried again until it can."""

    reason: str


OperationEvent = ItemProgressed | ItemResult | WriteRefused


@contextmanager
def _unimportant() -> Iterator[None]:
    """A write that a record can do without: where it is refused, the work goes on, and the records of its batch are closed."""
    try:
        yield
    except UnavailableError as error:
        log.warning("a run goes on, though something was refused: %s", error)


class BatchRun:
    """A batch on its way: turns the worker's events into records, files and results. Its items are running."""

    def __init__(
        self,
        batch: Batch,
        store: Store,
        router: TaskRouter,
        patience: Patience,
        notify: Callable[[OperationEvent], None],
        *,
        token: str,
        owner: str,
    ) -> None:
        self.batch = batch
        self.task_id = ""
        self._store = store
        self._router = router
        self._patience = patience
        self._notify = notify
        self._token, self._owner = token, owner
        self._spec: EngineSpec = known_engine(batch.engine)
        self._items = {item.id: item for item in batch.items}
        self._runs = {item.id: new_id("rs") for item in batch.items}
        self._recipes: dict[str, Recipe] = {}
        self._trackers = {item.id: ProgressTracker(item.id, self._spec.stages) for item in batch.items}
        self._noted: dict[str, float] = {}
        self._started: dict[str, float] = {}
        self._made: dict[str, tuple[Output, float]] = {}
        self._made_since = 0.0
        self._begun = False
        self._silent = False
        self.open: set[str] = set(self._items)

    def refuse_impossible(self) -> Iterator[ItemResult]:
        """Items that can't be made, found before a worker is asked: the engine isn't there, an input file is gone."""
        availability = availability_of(self._spec)
        refused: dict[str, tuple[str, str]] = {}
        for item in self.batch.items:
            if not availability.available:
                refused[item.id] = f"{self._spec.name}: {availability}", ""
                continue
            try:
                # Checked anew: another version may have kept its params.
                configuration = Configuration.of(item.engine, item.params, item.weights)
                configuration.check_params()
                self._recipes[item.id] = configuration.check(Prompt(item.prompt_text, item.inputs, item.prompt_id))
            except InputError as error:
                refused[item.id] = str(error), ""
            except Exception as error:
                if is_outage(error):
                    raise
                broken = f"{self._spec.name}: its own check broke ({told(error)})."
                refused[item.id] = broken, "".join(format_exception(error))
        known = {"owner": self._owner, "token": self._token, "cost_unit": self._spec.cost_unit}
        self._store.runs.begin([RunRecord.of(item, self.batch, id=self._runs[item.id], **known) for item in self.batch.items])
        for item_id, (reason, traceback) in refused.items():
            yield self._end(item_id, Ending.FAILED, reason, traceback)

    def task(self) -> BatchTask:
        """The batch as the worker gets it, with an empty folder for each item."""
        requests = tuple(
            Request.of(self._recipes[item_id], item_id, self._store.runs.open_folder(self._runs[item_id]))
            for item_id in self._open_in_order()
        )
        return BatchTask(self.batch.id, requests, self._store.workspace.locks)

    def results(self, route: SimpleQueue[events.Event]) -> Iterator[ItemResult]:
        """Each item's result, until none is open. What was made while others were published is published together."""
        while self.open:
            if self._made and (route.empty() or time.monotonic() - self._made_since > TOGETHER_SECONDS):
                yield from self._publish()
                continue
            event = self._next(route)
            if not isinstance(event, events.TaskProgress):
                yield from self._publish()  # it is about all that are open
            match event:
                case None:
                    # The worker is killed if it doesn't listen; its items come back as those of any that died.
                    self._silent = True
                    self._router.cancel(self.task_id)
                case events.WorkerStarted():
                    self._wait_with(f"loading {self._spec.title}")
                case events.TaskProgress(progress=message, worker_id=worker):
                    yield from self._on_message(message, worker)
                case events.TaskSuccess(data=BatchMade() as made):
                    ending = Ending.STOPPED if made.outage else Ending.BROKEN if made.error else Ending.CANCELLED
                    yield from self._end_open(ending, made.error, made.traceback, made.error if made.outage else "")
                case events.TaskError() as event:
                    yield from self._on_error(event)
                case events.TaskTimeout(timeout=seconds):
                    yield from self._end_open(Ending.FAILED, f"It took longer than {seconds:g} s.")

    def _next(self, route: SimpleQueue[events.Event]) -> events.Event | None:
        limit = self._store.workspace.settings.task_timeout
        try:
            return route.get(timeout=limit if self._begun and not self._silent else None)
        except Empty:
            return None

    def abandon(self) -> None:
        """Close the records of what nobody waits for any more; the items stay in their queue's journal."""
        for item_id in list(self.open):
            self._end(item_id, Ending.STOPPED, "Stopped before it was done.")

    def _on_message(self, message: Any, worker: int) -> Iterator[ItemResult]:
        match message:
            case BatchBegun(load_seconds=load_seconds):
                self._begin(worker, load_seconds)
            case ItemReported() if message.item_id in self.open:
                tracker = self._trackers[message.item_id]
                fraction = tracker.update_stage(message.stage, message.sub_progress, message.message)
                # Other processes on this workspace read the progress from the store; and need not every step.
                if tracker.last_updated - self._noted.setdefault(tracker.job_id, tracker.last_updated) >= PROGRESS_SECONDS:
                    self._noted[tracker.job_id] = tracker.last_updated
                    with _unimportant():
                        run_id = self._runs[tracker.job_id]
                        self._store.runs.update_progress(run_id, tracker.stage, fraction, tracker.message)
                started = self._started.setdefault(message.item_id, time.time())
                self._notify(ItemProgressed(message.item_id, fraction, tracker.stage, tracker.message, started))
            case ItemMade(outcome=Output() as output) if output.id in self.open:
                self._made_since = self._made_since if self._made else time.monotonic()
                self._made[output.id] = output, message.seconds
            case ItemMade(outcome=Failure() as failure) if failure.id in self.open:
                ending, hold = (Ending.STOPPED, failure.error) if failure.outage else (Ending.FAILED, "")
                yield self._end(failure.id, ending, failure.error, failure.traceback, hold)
            case ItemMade(outcome=Dropped() as dropped) if dropped.id in self.open:
                yield self._end(dropped.id, Ending.CANCELLED)

    def _on_error(self, event: events.TaskError) -> Iterator[ItemResult]:
        reason = event.reason or event.error
        if self._router.closing:
            yield from self._end_open(Ending.STOPPED, "The program was ended.")
        elif event.kind == "cancelled" and self._silent:
            silence = f"Its worker reported nothing for {self._store.workspace.settings.task_timeout:g} s and was stopped."
            yield from self._end_open(Ending.DIED, silence)
        elif event.kind == "cancelled":
            yield from self._end_open(Ending.CANCELLED)
        elif event.kind == "died":
            yield from self._end_open(Ending.DIED, f"Its worker died: {reason}.")
        elif event.kind == "setup" and not event.exception:
            died = f"{self._spec.name} could not be loaded: its worker died: {reason}."
            yield from self._end_open(Ending.DIED_LOADING, died)
        elif event.kind == "setup":
            sentence = f"{self._spec.name} could not be loaded: {reason}"
            yield from self._end_open(Ending.STOPPED, sentence, event.error, sentence)
        else:
            sentence = f"{event.exception}: {reason}" if event.exception else reason
            yield from self._end_open(Ending.FAILED, sentence, event.error)

    def _begin(self, worker: int, load_seconds: float) -> None:
        self._begun = True
        slot = next((slot for slot in self._router.slots() if slot.worker_id == worker), None)
        device = "CPU" if slot is None or slot.gpu_id is None else f"GPU {slot.gpu_id}"
        if slot is not None and slot.node:
            device += f" on {slot.node}"
        with _unimportant():
            run_ids = [self._runs[item_id] for item_id in self._open_in_order()]
            self._store.runs.start(run_ids, device=device, worker=str(worker), load_seconds=load_seconds)
        self._wait_with("starting")

    def _wait_with(self, message: str) -> None:
        for item_id in self._open_in_order():
            self._notify(ItemProgressed(item_id, 0.0, "", message, time.time()))

    def _publish(self) -> Iterator[ItemResult]:
        """Publish what was made and isn't published yet."""
        made, self._made = self._made, {}
        if not made:
            return
        told = [
            Made(self._runs[output.id], output.files, {**output.metadata, "work_seconds": round(seconds, 3)})
            for output, seconds in made.values()
        ]
        try:
            records = self._store.runs.publish_all(told)
        except WorkflowError as error:  # the database can't even be read
            records = [error] * len(told)
        # Whoever closes this iterator on the way finds them all ended.
        yield from [self._ended(item_id, record) for item_id, record in zip(made, records, strict=True)]

    def _ended(self, item_id: str, record: RunRecord | WorkflowError) -> ItemResult:
        """The result of an item that was published, or couldn't be."""
        if isinstance(record, WorkflowError):
            ending = Ending.STOPPED if is_outage(record) else Ending.FAILED
            return self._end(item_id, ending, str(record), hold=str(record))
        self.open.discard(item_id)
        files = {key: self._store.runs.output_path(record, key) for key in record.outputs}
        item = self._items[item_id].after(Ending.SUCCEEDED)
        result = ItemResult(item_id, record.id, item, Ending.SUCCEEDED, files)
        self._notify(result)
        return result

    def _open_in_order(self) -> list[str]:
        return [item.id for item in self.batch.items if item.id in self.open]

    def _end_open(self, ending: Ending, error: str = "", traceback: str = "", hold: str = "") -> Iterator[ItemResult]:
        for item_id in self._open_in_order():
            yield self._end(item_id, ending, error, traceback, hold)

    def _end(self, item_id: str, ending: Ending, error: str = "", traceback: str = "", hold: str = "") -> ItemResult:
        run_id = self._runs[item_id]
        item = self._items[item_id].after(ending, error, len(self.batch))
        if item.status.is_terminal:
            error = item.error
        self.open.discard(item_id)
        result = ItemResult(item_id, run_id, item, ending, {}, error, traceback, hold)
        self._patience.write(
            lambda: self._store.runs.finish(run_id, result.outcome, error=error, traceback=traceback),
            lambda reason: self._notify(WriteRefused(reason)),
        )
        with _unimportant():  # what stays is taken away at the next start
            self._store.runs.discard_folder(run_id)
        self._notify(result)
        return result
