"""The queues of this server: each belongs to its token, and comes back from the journal."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.notice import MOST_TOLD
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.runner import QueueRunner
from cosmos_workflow.queueing.items import ItemStatus, check_again
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.store.store import Store

LONG = 1000
"""Items of a queue that takes a while to be read: its engine is loaded meanwhile."""


@dataclass(frozen=True, slots=True)
class Session:
    """A queue and the runner that works it off."""

    queue: Queue
    runner: QueueRunner

    @property
    def token(self) -> str:
        """What a browser keeps to find its queue again."""
        return self.queue.token


class Sessions:
    """One Session a token, made when it is first asked for; two tabs with one token share it."""

    def __init__(self, operations: Operations) -> None:
        self.operations = operations
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def open(self, token: str = "", owner: str = "local") -> Session:
        """The session of a token; a new one for an empty or unknown token. A token of somebody else counts as unknown."""
        with self._lock:
            return self._known(token, owner) or self._new(owner)

    def find(self, token: str, owner: str = "local") -> Session:
        """The session of a token; raises InputError for an unknown one."""
        with self._lock:
            session = self._known(token, owner)
        if session is None:
            raise InputError("There is no queue with this token; call add_to_queue with an empty token to make one.")
        return session

    def _known(self, token: str, owner: str) -> Session | None:
        session, queues = self._sessions.get(token), self.operations.store.queues
        if session is None and token and queues.owner_of(token) == owner:
            items = check_again(queues.load(token))
            session = self._keep(Queue(token, items, queues, owner, self.operations.batch_size))
        return session if session and session.queue.owner == owner else None

    def all(self) -> list[Session]:
        """The sessions that were opened since the server started."""
        with self._lock:
            return list(self._sessions.values())

    def restore(self) -> list[Session]:
        """Open every queue that still holds items; those that were running go on where the `startup` setting says "resume"."""
        queues = self.operations.store.queues
        known = queues.list_open()
        went_on = [token for token, _ in known if queues.state_of(token).get("state") in ("running", "pausing")]
        resumed = went_on if self.operations.workspace.settings.startup == "resume" else []
        for token in resumed[:1]:
            if engine := queues.first_engine(token, LONG):
                self.operations.warm(engine)
        sessions = [self.open(token, owner) for token, owner in known]
        for session in sessions:
            if session.token in resumed:
                session.runner.start()
        return sessions

    def close(self) -> None:
        """Stop every runner; what was running is queued again."""
        for session in self.all():
            session.runner.pause()
        self.operations.patience.end()
        self.operations.router.close()
        for session in self.all():
            session.runner.join()
        self.operations.close()

    def _new(self, owner: str) -> Session:
        queue = Queue(journal=self.operations.store.queues, owner=owner, size_of=self.operations.batch_size)
        self.operations.store.queues.register(queue.token, owner)
        return self._keep(queue)

    def _keep(self, queue: Queue) -> Session:
        told = self._tell if self.operations.notifier.wanted else None
        session = Session(queue, QueueRunner(queue, self.operations, on_rest=told))
        self._sessions[queue.token] = session
        return session

    def _tell(self, runner: QueueRunner) -> None:
        self.operations.notifier.tell(lambda: queue_notice(runner, self.operations.store))


def queue_notice(runner: QueueRunner, store: Store) -> dict[str, Any] | None:
    """What came of a queue's items since it was empty; None where nothing ended. Its token, by which others could use it, isn't
    told."""
    now = runner.snapshot()
    ended = now.queue.finished[-sum(now.queue.done.values()) or len(now.queue.finished) :]
    if not ended:
        return None
    made = [item.id for item in ended if item.status is ItemStatus.SUCCEEDED][-MOST_TOLD:]
    runs = [run for run in store.runs.of_items(made, runner.queue.owner) if run.status is ItemStatus.SUCCEEDED]
    failed = [item for item in ended if item.status is ItemStatus.FAILED]
    return {
        "event": "queue.held" if runner.held else "queue.ended",
        "reason": runner.held,
        "owner": runner.queue.owner,
        "counts": {str(status): number for status, number in now.queue.done.items()},
        "queued": now.queue.waiting,
        "seconds": round(time.time() - now.started_at, 1),
        "failures": [{"item": item.id, "error": item.error} for item in failed[-MOST_TOLD:]],
        "files": [str(store.runs.output_path(run, key)) for run in runs for key in run.outputs],
    }
