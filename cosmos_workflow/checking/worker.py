"""The worker that keeps a recogniser loaded, and the service that hands it sounds: checking goes on beside what is made."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmos_workflow.checking.models import require_recogniser
from cosmos_workflow.checking.verdict import Verdict
from cosmos_workflow.errors import WorkflowError
from cosmos_workflow.gpu_dispatch.events import Outcome, TaskError, TaskSuccess
from cosmos_workflow.gpu_dispatch.pool import PoolClosedError, WorkerPool
from cosmos_workflow.gpu_dispatch.worker import BaseWorker

Done = Callable[[Verdict | None, str], None]
"""What is called with a verdict, or with why there is none."""


@dataclass(frozen=True, slots=True)
class CheckTask:
    """A sound to be heard back: its file, its text with marks, the ways to write its words, their language, and the model."""

    path: Path
    text: str
    said: tuple[str, ...]
    language: str
    model: str


class CheckWorker(BaseWorker):
    """Owns a recogniser, on the processor."""

    def setup(self, gpu_id: int | None, seed: int, *, model: str, **_options: Any) -> None:
        """Load the recogniser of this name."""
        from cosmos_workflow.checking.recogniser import Whisper

        # It works beside an engine, which has the other cores.
        self.recogniser = Whisper(model, threads=max(1, (os.cpu_count() or 1) // 4))

    def process(self, data: CheckTask) -> Verdict | str:
        """The verdict, or a sentence with why there can't be one."""
        from cosmos_workflow.checking.judge import judge

        try:
            return judge(data.path, data.text, data.said, data.language, self.recogniser)
        except WorkflowError as error:
            return str(error)


class Checker:
    """Hears sounds back: one worker process with the recogniser, started by the first sound and ended by `close`.

    It runs on the processor: a GPU and its memory are left to the engine that speaks.
    """

    def __init__(self) -> None:
        self._pool: WorkerPool | None = None
        self._waiting: dict[Any, Done] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def require(self, model: str) -> None:
        """Raise UnavailableError, which says what to do, where this model can't run here."""
        require_recogniser(model)

    def submit(self, task: CheckTask, done: Done) -> None:
        """Hear a sound; `done` is called once, from any thread."""
        with self._lock:
            if self._pool is None:
                self._pool = WorkerPool(f"{__name__}:CheckWorker", [None], setup_timeout=600.0, suppress_worker_output=True)
                self._thread = threading.Thread(target=self._listen, args=(self._pool,), name="checking", daemon=True)
                self._thread.start()
            self._waiting[self._pool.submit(task, setup={"model": task.model})] = done

    def close(self) -> None:
        """Stop; what is still to be heard isn't."""
        with self._lock:
            pool, thread = self._pool, self._thread
            self._waiting.clear()
        if pool is None or thread is None:
            return
        with suppress(PoolClosedError):
            pool.close(graceful=False)
        thread.join()

    def _listen(self, pool: WorkerPool) -> None:
        with suppress(PoolClosedError):
            while True:
                for event in pool.events():
                    if isinstance(event, Outcome):
                        self._take(event)

    def _take(self, event: Outcome) -> None:
        with self._lock:
            done = self._waiting.pop(event.task_id, None)
        if done is None:
            return
        match event:
            case TaskSuccess(data=Verdict() as verdict):
                done(verdict, "")
            case TaskSuccess(data=reason):
                done(None, str(reason))
            case TaskError():
                done(None, event.reason or event.error.strip().splitlines()[-1])
            case _:
                done(None, "It took too long.")
