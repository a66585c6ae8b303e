"""How a run gets on, for a program: a JSON object a line."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, TextIO

from cosmos_workflow.execution.runner import RunnerSnapshot
from cosmos_workflow.gpu_dispatch.events import Event
from cosmos_workflow.jobs.events import BookBound, JobEvent, JobProgressed, JobStarted, JobWaiting, TakeMade, TaskEnded

INTERVAL = 1.0
"""Seconds between two lines that only say how far it is, at most."""


class JsonProgress:
    """Writes what happens as lines, each with `event`, `time` (seconds since 1970) and what README names beside it. May be called
    from any thread."""

    def __init__(self, out: TextIO, interval: float = INTERVAL) -> None:
        self._out = out
        self._interval = interval
        self._lock = threading.Lock()
        self._pieces, self._done, self._share = 0, 0, 0.0
        self._told_at = 0.0
        self._told: dict[str, Any] = {}

    def watch(self, event: Event) -> None:
        """What the dispatcher says of its workers isn't told."""

    def see(self, event: JobEvent) -> None:
        """Write a line for what happened."""
        with self._lock:
            match event:
                case JobWaiting():
                    self._write("job_waiting", job=event.job_id)
                case JobStarted():
                    self._pieces = len({take.digest for plan in event.plan.tasks for take in plan.wanted})
                    self._done, self._share = 0, 0.0
                    self._write("job_started", job=event.job_id, tasks=len(event.plan.tasks), pieces=self._pieces)
                case JobProgressed():
                    self._progress(event.job_id, event.snapshot)
                case TakeMade():
                    self._done = event.done
                    told = {"task": event.task_id, "text": event.text, "error": event.run_error}
                    self._write("piece_ended", **told, done=event.done, pieces=event.total)
                case TaskEnded(result=ended):
                    files = {key: str(path) for key, path in ended.files.items()}
                    told = {"task": ended.task_id, "title": ended.title, "status": str(ended.status).lower(), "files": files}
                    self._write("task_ended", **told, seconds=ended.seconds, error=ended.error)
                case BookBound(book=book):
                    files = [str(file.path) for file in book.files]
                    self._write("book_bound", job=event.job_id, title=book.title, files=files, seconds=book.seconds)

    def _progress(self, job: str, snapshot: RunnerSnapshot) -> None:
        begun = sum(snapshot.progress[item.id].fraction for item in snapshot.queue.running if item.id in snapshot.progress)
        share = (self._done + begun) / self._pieces if self._pieces else 0.0
        self._share = max(self._share, min(1.0, share))  # a piece may be done and not yet gone from what runs
        told = {
            "job": job,
            "progress": round(self._share, 3),
            "done": self._done,
            "pieces": self._pieces,
            "seconds_left": round(snapshot.left.seconds, 1) if snapshot.left else None,
            "state": str(snapshot.state),
            "message": snapshot.reason or next((one.message for one in snapshot.progress.values() if one.message), ""),
        }
        if told != self._told and time.monotonic() - self._told_at >= self._interval:
            self._told, self._told_at = told, time.monotonic()
            self._write("job_progressed", **told)

    def _write(self, event: str, **told: Any) -> None:
        line = json.dumps({"event": event, "time": round(time.time(), 3), **told})
        self._out.write(f"{line}\n")
        self._out.flush()
