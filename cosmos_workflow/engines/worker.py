"""The worker that hosts an engine: loads it once, then makes batch after batch.

Runs in the worker process; app and worker speak in `cosmos_workflow.engines.messages`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cosmos_workflow.engines import speech
from cosmos_workflow.engines.base import Cancelled, Device, Dropped, Engine, Failure, ItemOutcome, Output, failure
from cosmos_workflow.engines.messages import BatchBegun, BatchMade, BatchTask, CancelItems, ItemMade, ItemReported
from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.errors import WorkflowError, is_out_of_memory
from cosmos_workflow.gpu_dispatch.worker import BaseWorker

LOCK_POLL_SECONDS = 0.2


class EngineWorker(BaseWorker):
    """Owns one device and keeps one engine loaded."""

    def setup(self, gpu_id: int | None, seed: int, *, engine: str, **_options: Any) -> None:
        """Load the engine of this name; whatever it raises is the reason that the app sees."""
        started = time.monotonic()
        self.spec = spec = find_engine(engine)
        module, _, name = spec.implementation.partition(":")
        self.device = Device(gpu_id, "CPU" if gpu_id is None else f"GPU {gpu_id}")
        # The pool seeds each of its workers differently, so this tells two CPU workers apart.
        self.lock_name = f"cpu-{seed}.lock" if gpu_id is None else f"gpu-{gpu_id}.lock"
        self.engine: Engine = getattr(import_module(module), name)()
        self.engine.load(self.device)
        self.load_seconds = time.monotonic() - started

    def process(self, data: BatchTask) -> BatchMade:
        """Make a batch; outcomes go out one by one as they are known."""
        context = _WorkerContext(self)
        with self._device_lock(data, context):
            self.report(BatchBegun(self.load_seconds))
            self.load_seconds = 0.0
            wanted = {request.id: request for request in data.requests}
            while wanted:
                try:
                    for outcome in speech.generate(self.spec, self.engine, tuple(wanted.values()), context):
                        wanted.pop(outcome.id, None)
                        folder = next(request.folder for request in data.requests if request.id == outcome.id)
                        made, files = _checked(outcome, folder)
                        self.report(ItemMade(made, context.seconds(outcome.id), files))
                    break
                except Cancelled as error:
                    dropped = [item_id for item_id in wanted if context.is_cancelled(item_id)]
                    if not dropped:
                        return _broken(error)
                except Exception as error:
                    return _broken(error)
                for item_id in dropped:
                    del wanted[item_id]
                    self.report(ItemMade(Dropped(item_id), context.seconds(item_id)))
        return BatchMade()

    def cleanup(self) -> None:
        """Give back what the engine took."""
        self.engine.close()

    @contextmanager
    def _device_lock(self, data: BatchTask, context: _WorkerContext) -> Iterator[None]:
        if data.lock_dir is None:
            yield
            return
        lock = FileLock(data.lock_dir / self.lock_name)
        while True:
            try:
                lock.acquire(timeout=LOCK_POLL_SECONDS)
                break
            except Timeout:
                if all(context.is_cancelled(request.id) for request in data.requests):
                    break
        try:
            yield
        finally:
            lock.release()


class _WorkerContext:
    """The `Context` of a batch in a worker: reports go up the pipe, cancels come down it."""

    def __init__(self, worker: EngineWorker) -> None:
        self.device = worker.device
        self._worker = worker
        self._cancelled: set[str] = set()
        self._begun: dict[str, float] = {}
        self._batch_begun = time.monotonic()

    def report(self, item_id: str, stage: str, sub_progress: float = 0.0, message: str = "") -> None:
        self._begun.setdefault(item_id, time.monotonic())
        self._worker.report(ItemReported(item_id, stage, float(sub_progress), message))
        if self.is_cancelled(item_id):
            raise Cancelled(item_id)

    def is_cancelled(self, item_id: str) -> bool:
        for message in self._worker.receive():
            if isinstance(message, CancelItems):
                self._cancelled |= message.ids
        return self._worker.cancelled or item_id in self._cancelled

    def seconds(self, item_id: str) -> float:
        return time.monotonic() - self._begun.get(item_id, self._batch_begun)


def _checked(outcome: ItemOutcome, folder: Path) -> tuple[ItemOutcome, tuple[Path, ...]]:
    """An outcome and its files; an output whose files aren't there, or are empty, is a failure: what is called done must be
    playable."""
    if not isinstance(outcome, Output):
        return outcome, ()
    for key, name in outcome.files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file() or path.stat().st_size == 0:
            return Failure(outcome.id, f"The engine said that it wrote {key} ({name}), but there is no such file."), ()
    return outcome, tuple(folder / name for name in outcome.files.values())


def _broken(error: Exception) -> BatchMade:
    found = failure("", error)
    out_of_memory = is_out_of_memory(error) and not isinstance(error, WorkflowError)
    return BatchMade("The device ran out of memory." if out_of_memory else found.error, found.traceback, found.outage)
