"""The runner, which works a queue off: one batch after another on each device, with pause, cancel and hold."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cosmos_workflow.errors import WorkflowError
from cosmos_workflow.execution.batch_run import ItemProgressed, ItemResult, OperationEvent, WriteRefused
from cosmos_workflow.execution.estimates import TimeLeft
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.queueing.changes import Changes
from cosmos_workflow.queueing.items import Batch, ItemStatus
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.queueing.retries import MAX_DEATHS, Deaths, Ending
from cosmos_workflow.queueing.snapshot import QueueSnapshot

log = logging.getLogger(__name__)


class RunnerState(StrEnum):
    """idle: nothing to do, or never started. pausing: the running batch is the last. held: stopped itself, and says why."""

    IDLE = "idle"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class RunnerSnapshot:
    """A runner at one moment, with its queue. `fraction` is that of the round: what was added since the queue was empty.

    `left` is None until the engines in the queue have finished a batch here; `version` grows with every change of the runner
    or its queue; `machines` says where a cluster works for us.
    """

    version: int
    state: RunnerState
    reason: str
    queue: QueueSnapshot
    progress: Mapping[str, ItemProgressed]
    batches: tuple[Batch, ...]
    left: TimeLeft | None
    started_at: float
    machines: str = ""

    @property
    def active(self) -> bool:
        """Whether something runs, or is about to."""
        return self.state in (RunnerState.RUNNING, RunnerState.PAUSING) or bool(self.queue.running)

    @property
    def fraction(self) -> float:
        """Done share of the round, in [0, 1]: finished items, and the running ones by their progress."""
        finished = sum(self.queue.done.values())
        partial = sum(self.progress[item.id].fraction for item in self.queue.running if item.id in self.progress)
        return (finished + partial) / self.queue.total if self.queue.total else 0.0

    def batch_fraction(self, batch: Batch) -> float:
        """Done share of a running batch, in [0, 1]."""
        running = {item.id for item in self.queue.running}
        shares = [
            self.progress[item.id].fraction if item.id in self.progress else float(item.id not in running) for item in batch.items
        ]
        return sum(shares) / len(shares)


class QueueRunner:
    """Drives one queue. Lives in the server, so that a closed page stops nothing; every method is safe from any thread.

    There are as many lanes as devices: each takes the next batch when it is free. Once `stop` is set no further batch begins,
    as after a pause. `changes` tells who subscribes that the runner or its queue changed. `on_end` is called with the result of
    each item that reached its end, once the queue knows it, and `on_rest` when everything is done, or the runner stopped itself;
    neither may block.
    """

    def __init__(
        self,
        queue: Queue,
        operations: Operations,
        stop: threading.Event | None = None,
        on_rest: Callable[[QueueRunner], object] | None = None,
        on_end: Callable[[ItemResult], object] | None = None,
    ) -> None:
        self.queue = queue
        self._operations = operations
        self._stop = stop or threading.Event()
        self._on_rest = on_rest
        self._on_end = on_end
        self.changes = Changes()
        queue.changes.subscribe(self.changes.notify)
        self._lock = threading.Condition(threading.RLock())
        self._state = RunnerState.IDLE
        self._reason = ""
        self._free_when_paused = False
        self._lanes: set[threading.Thread] = set()
        self._batches: dict[str, Batch] = {}
        self._progress: dict[str, ItemProgressed] = {}
        self._deaths = Deaths()
        self._devices = 0
        self._started_at = 0.0

    def start(self) -> None:
        """Begin, or go on after a pause or a hold; does nothing while it runs. An empty queue leaves it idle.

        What is running and nobody makes, since a lane broke, is queued again first.
        """
        with self._lock:
            made = {item.id for batch in self._batches.values() for item in batch.items}
            self.queue.put_back([item.id for item in self.queue.snapshot().running if item.id not in made])
            if self._state is not RunnerState.RUNNING:
                self._deaths = Deaths()
                self._started_at = time.time()
                self._set(RunnerState.RUNNING)
            self._staff()

    def pause(self, *, free_devices: bool = False) -> None:
        """Stop after the running batch; `free_devices` unloads the engines then, so that others can have the memory."""
        with self._lock:
            self._free_when_paused = free_devices
            if self._state is RunnerState.RUNNING:
                self._set(RunnerState.PAUSING if self._batches else RunnerState.PAUSED)
            if free_devices and not self._batches:
                self._operations.router.unload()

    def cancel(self, ids: Collection[str] | None = None) -> list[str]:
        """Stop these running items, or all that run; returns which. The queue goes on with what is queued."""
        running = [item.id for item in self.queue.snapshot().running if ids is None or item.id in ids]
        self._operations.cancel(running)
        return running

    def stop(self) -> None:
        """Pause, cancel what runs, and wait until it has stopped."""
        self.pause()
        self.cancel()
        self.join()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs; False when `timeout` seconds passed first."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._lanes, timeout)

    def snapshot(self) -> RunnerSnapshot:
        """The runner and its queue at this moment."""
        version = self.changes.version  # what changes from here on makes another one
        queue = self.queue.snapshot()
        with self._lock:
            progress = dict(self._progress)
            batches = tuple(self._batches.values())
            state, reason, started = self._state, self._reason, self._started_at
        made: dict[str, float] = {}
        for item in queue.running:
            if item.id in progress:
                made[item.engine] = made.get(item.engine, 0.0) + item.cost * progress[item.id].fraction
        left = self._operations.time_for(queue.work, made)
        return RunnerSnapshot(version, state, reason, queue, progress, batches, left, started, self._operations.machines())

    @property
    def held(self) -> str:
        """Why it stopped itself; empty where it didn't."""
        return self._reason if self._state is RunnerState.HELD else ""

    # --- the lanes ---

    def _staff(self) -> None:
        """A lane for each device."""
        self._devices = self._operations.lanes()
        for _ in range(self._devices - len(self._lanes)):
            lane = threading.Thread(target=self._work, name=f"runner-{self.queue.token[:8]}", daemon=True)
            self._lanes.add(lane)
            lane.start()

    def _work(self) -> None:
        try:
            while (batch := self._next_batch()) is not None:
                self._run(batch)
        except Exception as error:
            self._hold(broken(error))
        finally:
            self._leave()

    def _next_batch(self) -> Batch | None:
        with self._lock:
            batch = None
            if self._stop.is_set():
                self.pause()
            if self._state is RunnerState.RUNNING:
                try:
                    batch = self.queue.claim()
                except WorkflowError as error:
                    self._hold(str(error))
            if batch is None:
                # Under the same lock: whoever calls start() after this finds one lane fewer, and starts one.
                self._leave()
                return None
            self._batches[batch.id] = batch
            self._notify()
            return batch

    def _leave(self) -> None:
        with self._lock:
            if threading.current_thread() not in self._lanes:
                return
            self._lanes.discard(threading.current_thread())
            if not self._lanes:
                rested = {RunnerState.RUNNING: RunnerState.IDLE, RunnerState.PAUSING: RunnerState.PAUSED}
                if self._state in rested:
                    self._set(rested[self._state])
                if self._on_rest and self._state in (RunnerState.IDLE, RunnerState.HELD):
                    self._on_rest(self)
                if self._free_when_paused:
                    self._operations.router.unload()
                    self._free_when_paused = False
            self._notify()

    def _run(self, batch: Batch) -> None:
        died: ItemResult | None = None
        try:
            for result in self._operations.run(batch, self._on_event, token=self.queue.token, owner=self.queue.owner):
                self._settle(result)
                if result.ending in (Ending.DIED, Ending.DIED_LOADING):
                    died = result
        except Exception as error:
            self._hold(broken(error))
        finally:
            self._close(batch, died)

    def _settle(self, result: ItemResult) -> None:
        if result.hold:
            self._hold(result.hold)
        ended = result.item.status.is_terminal
        # The record of its run was closed together with its place in the journal.
        self._operations.patience.write(lambda: self.queue.settle(result.item, journalled=ended), self._hold)
        if ended and self._on_end:
            self._on_end(result)
        with self._lock:
            self._progress.pop(result.item_id, None)
            if result.ending is Ending.SUCCEEDED:
                self._deaths = Deaths()
            self._notify()

    def _close(self, batch: Batch, died: ItemResult | None) -> None:
        left_over = [item.id for item in batch.items if (now := self.queue.get(item.id)) and now.status is ItemStatus.RUNNING]
        try:
            if left_over:
                self._operations.patience.write(lambda: self.queue.put_back(left_over), self._hold)
        finally:
            with self._lock:
                self._batches.pop(batch.id, None)
                for item in batch.items:
                    self._progress.pop(item.id, None)
        with self._lock:
            if died:
                self._deaths = self._deaths.after(died.ending, batch.items[0].attempts, len(batch))
                if self._deaths.in_a_row >= MAX_DEATHS:
                    self._hold(f"The worker died {self._deaths.in_a_row} times in a row, the last time with: {died.error}")
            self._notify()

    def _on_event(self, event: OperationEvent) -> None:
        with self._lock:
            if self._state is RunnerState.RUNNING and self._operations.lanes() > self._devices:
                self._staff()  # a cluster's machines come when they come
            if isinstance(event, WriteRefused):
                self._hold(event.reason)
            elif isinstance(event, ItemProgressed):
                self._progress[event.item_id] = event
                self._notify()

    # --- under the lock ---

    def _hold(self, reason: str) -> None:
        with self._lock:
            if (self._state, self._reason) != (RunnerState.HELD, reason):
                self._set(RunnerState.HELD, reason)

    def _set(self, state: RunnerState, reason: str = "") -> None:
        self._state, self._reason = state, reason
        try:
            # Kept beside the journal, so that a restart knows whether this queue was running.
            if self.queue.is_kept:
                self._operations.store.queues.set_state(self.queue.token, {"state": str(state), "reason": reason})
        except WorkflowError as error:
            log.warning("the state of %s could not be kept: %s", self.queue.token, error)
        self._notify()

    def _notify(self) -> None:
        self._lock.notify_all()
        self.changes.notify()


def broken(error: Exception) -> str:
    """What a person is told of an error that stopped something; one of this program's own goes to the log."""
    if isinstance(error, WorkflowError):
        return str(error)
    log.error("something broke", exc_info=error)
    return f"Something went wrong in Cosmos Workflow itself: {type(error).__name__}: {error}"
