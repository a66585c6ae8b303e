"""The queues behind the speech API: callers share batches, take turns, and wait for what they asked for.

They are kept in memory, since whoever waits is gone with the program; the runs are recorded as all are.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from cosmos_workflow.engines.registry import known_engine
from cosmos_workflow.errors import UnavailableError
from cosmos_workflow.execution.batch_run import ItemResult
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.runner import QueueRunner
from cosmos_workflow.queueing.items import ItemStatus, QueueItem
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.queueing.retries import Ending
from cosmos_workflow.ui.speech_api.errors import CrowdedError, SpeechFailedError
from cosmos_workflow.ui.speech_api.order import Order

MAX_WAITING = 256
"""Texts that are being made or wait, of all callers together; one more is refused."""
AHEAD = 4
"""Pieces of one text in the queue at once, so that a long text takes turns with the others."""
QUIET = 5.0
"""Seconds after an answer for which the background goes on waiting: who reads aloud asks for sentence after sentence."""
KEPT = 16
"""Queues that are kept though nobody waits in them."""


class SpeechQueue:
    """The pieces of one owner and one batch key. Used from one event loop; the runner's threads only call into it."""

    def __init__(self, operations: Operations, owner: str) -> None:
        self._queue = Queue(owner=owner, size_of=operations.batch_size)
        self._runner = QueueRunner(self._queue, operations, on_end=lambda result: self._call(self._tell, result))
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, asyncio.Future[ItemResult]] = {}
        self._runner.changes.subscribe(self._changed)

    @property
    def idle(self) -> bool:
        """Whether nobody waits in it."""
        return not self._waiting

    async def make(self, item: QueueItem) -> Path:
        """Have an item made with whatever else waits, and return its sound; whoever is cancelled meanwhile gives it up.

        Raises SpeechFailedError with the item's own reason, UnavailableError where the queue had to stop.
        """
        future: asyncio.Future[ItemResult] = self._loop.create_future()
        self._waiting[item.id] = future
        try:
            # Neither waits for a disk: this queue has no journal.
            self._queue.extend([item])
            self._runner.start()
            result = await future
            if result.ending is not Ending.SUCCEEDED:
                raise SpeechFailedError(result.error or "It was cancelled.")
            return result.files[known_engine(item.engine).output]
        finally:
            del self._waiting[item.id]
            # Forgets what has ended, takes away what waits, or else stops what runs.
            if not self._queue.remove_from_queue([item.id]):
                self._runner.cancel([item.id])

    def close(self) -> None:
        """Stop what runs, and wait until it has stopped."""
        self._runner.stop()

    def _changed(self) -> None:
        if self._runner.held:
            self._call(self._give_up)

    def _call(self, function: Callable[..., None], *arguments: ItemResult) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            self._loop.call_soon_threadsafe(function, *arguments)

    def _tell(self, result: ItemResult) -> None:
        future = self._waiting.get(result.item_id)
        if future is not None and not future.done():
            future.set_result(result)

    def _give_up(self) -> None:
        held = self._runner.held
        for item_id, future in self._waiting.items():
            item = self._queue.get(item_id)
            if held and item is not None and item.status is ItemStatus.QUEUED and not future.done():
                future.set_exception(UnavailableError(held))


class SpeechQueues:
    """One queue for each owner and batch key, so that no model's callers wait behind a stream of another's.

    `on_call` is called when somebody asks for something; it must not block.
    """

    def __init__(self, operations: Operations, on_call: Callable[[], object] = lambda: None) -> None:
        self.operations = operations
        self._on_call = on_call
        self._queues: dict[tuple[str, str], SpeechQueue] = {}
        self._orders = 0
        self._quiet_at = 0.0

    @property
    def busy(self) -> bool:
        """Whether somebody waits, or is expected to ask for more."""
        return self._orders > 0 or time.monotonic() < self._quiet_at

    @contextlib.asynccontextmanager
    async def making(self, order: Order, owner: str) -> AsyncIterator[AsyncIterator[tuple[Path, float]]]:
        """The sounds of an order one after another, each with the silence behind it; leaving it gives up what isn't made.

        Raises CrowdedError where too many wait already.
        """
        if self._orders >= MAX_WAITING:
            raise CrowdedError(f"{MAX_WAITING} texts are waiting already; try again in a moment.")
        self._orders += 1
        self._on_call()
        tasks: list[asyncio.Task[Path]] = []
        queue = self._queue(owner, order.items[0].batch_key)

        async def sounds() -> AsyncIterator[tuple[Path, float]]:
            for number, pause in enumerate(order.pauses):
                tasks.extend(asyncio.create_task(queue.make(item)) for item in order.items[len(tasks) : number + AHEAD])
                yield await tasks[number], pause

        try:
            yield sounds()
        finally:
            self._orders -= 1
            self._quiet_at = time.monotonic() + QUIET
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        """Stop what runs, and wait until it has stopped."""
        for queue in self._queues.values():
            queue.close()

    def _queue(self, owner: str, key: str) -> SpeechQueue:
        found = self._queues.pop((owner, key), None) or SpeechQueue(self.operations, owner)
        idle = [other for other, queue in self._queues.items() if queue.idle]
        for other in idle[: max(0, len(idle) - KEPT + 1)]:
            del self._queues[other]
        self._queues[owner, key] = found
        return found
