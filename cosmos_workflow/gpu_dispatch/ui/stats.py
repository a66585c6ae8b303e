"""The numbers of a dispatch, kept from its events."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from .. import events

Status: TypeAlias = Literal["initializing", "processing", "idle", "finished", "error"]

_COUNTED = {events.TaskSuccess: "completed", events.TaskError: "failed", events.TaskTimeout: "timeout"}


@dataclass(slots=True)
class WorkerStats:
    """One worker's line. `started` is since the epoch, `since` by the monotonic clock, which nobody sets; `took` in seconds."""

    gpu_id: int | None
    status: Status = "initializing"
    current: events.TaskId | None = None
    started: float | None = None
    since: float | None = None
    took: float | None = None
    completed: int = 0
    failed: int = 0
    timeout: int = 0
    unusable: bool = False
    node: str = ""


@dataclass(slots=True)
class Stats:
    """Counts tasks by outcome, in all and for each worker. `expected` is None if nobody knows."""

    expected: int | None = None
    start_time: float = field(default_factory=time.time)
    began: float = field(default_factory=time.monotonic)
    first_task: float | None = None
    ended: float | None = None
    end_time: float | None = None
    completed: int = 0
    failed: int = 0
    timeout: int = 0
    setup_failures: int = 0
    last_error: str = ""
    awaited: str = ""
    workers: dict[int, WorkerStats] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Tasks that have an outcome."""
        return self.completed + self.failed + self.timeout

    def handle(self, event: events.Event) -> None:
        """Take one event in."""
        match event:
            case events.TaskStarted():
                self._on_started(event)
            case events.TaskSuccess() | events.TaskError() | events.TaskTimeout():
                self._on_outcome(event)
            case events.PlacesAwaited():
                self.awaited = event.reason
            case events.TaskProgress() | events.CleanupFailed():
                pass
            case _:
                worker = self.workers.setdefault(event.worker_id, WorkerStats(event.gpu_id))
                worker.gpu_id = event.gpu_id
                self._on_worker(worker, event)

    def finish(self) -> None:
        """The dispatch is over; the clock stands."""
        self.end_time, self.ended = time.time(), time.monotonic()
        for worker in self.workers.values():
            worker.status = "error" if worker.unusable else "finished"
            worker.current = worker.started = worker.since = None

    def copy(self) -> Stats:
        """As they are now."""
        return replace(self, workers={worker_id: replace(worker) for worker_id, worker in self.workers.items()})

    @property
    def elapsed(self) -> float:
        """Seconds, by a clock that nobody sets."""
        return (self.ended or time.monotonic()) - self.began

    @property
    def rate(self) -> float | None:
        """Tasks a second since the first one started; None if that can't be told."""
        if not self.total or self.first_task is None:
            return None
        return self.total / max(1e-6, (self.ended or time.monotonic()) - self.first_task)

    @property
    def remaining(self) -> float | None:
        """Seconds to go at the rate since the first task started; None if that can't be told."""
        rate = self.rate
        return None if not self.expected or rate is None else max(0, self.expected - self.total) / rate

    def as_dict(self) -> dict[str, Any]:
        """The statistics that `RichDispatcher.run` returns."""
        return {
            "total": self.total,
            **_counts(self),
            "expected_total": self.expected,
            "setup_failures": self.setup_failures,
            "start_time": self.start_time,
            "end_time": self.end_time,
            "gpu_status": {
                worker_id: {
                    "status": worker.status,
                    "current_task": worker.current,
                    "task_start_time": worker.started,
                    **_counts(worker),
                    "last_duration": worker.took,
                }
                for worker_id, worker in sorted(self.workers.items())
            },
        }

    def _on_started(self, event: events.TaskStarted) -> None:
        now = time.monotonic()
        self.first_task = self.first_task or now
        worker = self.workers.setdefault(event.worker_id, WorkerStats(None))
        worker.status, worker.current, worker.started = "processing", event.task_id, time.time()
        worker.since = now

    def _on_outcome(self, event: events.Outcome) -> None:
        worker = None if event.worker_id is None else self.workers.get(event.worker_id)
        count = _COUNTED[type(event)]
        for counts in filter(None, (self, worker)):
            setattr(counts, count, getattr(counts, count) + 1)
        if isinstance(event, events.TaskError):
            self.last_error = f"task {event.task_id}: {last_line(event.error)}"
        elif isinstance(event, events.TaskTimeout):
            self.last_error = f"task {event.task_id}: took longer than {event.timeout:g} s"
        if worker is None:
            return
        if worker.since is not None:
            worker.took = time.monotonic() - worker.since
        worker.current = worker.started = worker.since = None
        if worker.status == "processing":
            worker.status = "idle"

    def _on_worker(self, worker: WorkerStats, event: events.Event) -> None:
        match event:
            case events.WorkerStarted():
                worker.status, worker.unusable, worker.node = "initializing", False, event.node
            case events.WorkerReady():
                worker.status, worker.unusable, worker.node = "idle", False, event.node or worker.node
            case events.SetupFailed():
                worker.status, worker.unusable = "error", True
                self.setup_failures += 1
                self.last_error = f"setup of worker {event.worker_id}: {last_line(event.error)}"
            case events.WorkerDied():
                worker.status = "error"
            case _:
                worker.status = "error" if worker.unusable else "idle"


def _counts(of: Stats | WorkerStats) -> dict[str, int]:
    return {"completed": of.completed, "failed": of.failed, "timeout": of.timeout, "timeouts": of.timeout}


def last_line(text: str) -> str:
    """What went wrong, without the way there."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
