"""The queues of this server: each belongs to its token, and comes back from the journal."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.runner import QueueRunner
from cosmos_workflow.queueing.items import check_again
from cosmos_workflow.queueing.queue import Queue

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
            known = self._sessions.get(token)
            if known is not None:
                return known if known.queue.owner == owner else self._new(owner)
            if token and self.operations.store.queues.owner_of(token) == owner:
                items = check_again(self.operations.store.queues.load(token))
                return self._keep(Queue(token, items, self.operations.store.queues, owner, self.operations.batch_size))
            return self._new(owner)

    def find(self, token: str, owner: str = "local") -> Session:
        """The session of a token; raises InputError for an unknown one."""
        with self._lock:
            session = self._sessions.get(token)
        if session is None and token and self.operations.store.queues.owner_of(token) == owner:
            session = self.open(token, owner)
        if session is None or session.queue.owner != owner:
            raise InputError("There is no queue with this token; call add_to_queue with an empty token to make one.")
        return session

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
        session = Session(queue, QueueRunner(queue, self.operations))
        self._sessions[queue.token] = session
        return session
