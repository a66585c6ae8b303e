"""What is made when nothing else waits: each owner's background queue, started and paused by what the other queues do."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable

from cosmos_workflow.config import Hours
from cosmos_workflow.errors import WorkflowError
from cosmos_workflow.execution.runner import RunnerState
from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.files import Disk, file_errors

log = logging.getLogger(__name__)

FILE = "background-queues.json"
LOOK_INTERVAL = 2.0
"""Seconds between two looks whether something else waits."""


class BackgroundQueues:
    """A queue of an owner that runs while no other does, `busy` says no, and it is one of the `hours` (None: all day).

    A batch that runs is finished first. A person who pauses it is believed: it stays paused until that person starts it.
    """

    def __init__(self, sessions: Sessions, hours: Hours | None = None, busy: Callable[[], bool] = lambda: False) -> None:
        self._sessions, self._hours, self._busy = sessions, hours, busy
        self._lock = threading.Lock()
        self._path = sessions.operations.workspace.root / FILE
        self._disk = Disk()
        self._tokens = self._read()
        self._waits: set[str] = set()
        self._end = False
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._work, name="background-queues", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more; what runs is the sessions' to stop."""
        self._end = True
        self.wake()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        """Look at once, in the thread that looks: something else may have come."""
        self._woken.set()

    def of(self, owner: str) -> Session:
        """An owner's background queue, made when it is first asked for."""
        with self._lock:
            session = self._sessions.open(self._tokens.get(owner, ""), owner)
            if self._tokens.get(owner) != session.token:
                self._tokens[owner] = session.token
                self._disk.write(self._path, json.dumps(self._tokens).encode())
            self._waits.add(session.token)
            return session

    def tells(self, token: str) -> bool:
        """Whether the queue of a token is one of these."""
        return token in self._tokens.values()

    def look(self, now: float | None = None) -> None:
        """Start what may run now, and pause what may not."""
        moment = time.localtime(now)
        allowed = self._hours is None or self._hours.contain(moment.tm_hour * 60 + moment.tm_min)
        sessions = self._sessions.all()
        others = any(session.runner.snapshot().active for session in sessions if not self.tells(session.token))
        may_run = allowed and not others and not self._busy()
        for session in sessions:
            if self.tells(session.token):
                self._steer(session, may_run)

    def _steer(self, session: Session, may_run: bool) -> None:
        state = session.runner.snapshot().state
        if state is RunnerState.RUNNING and not may_run:
            session.runner.pause()
            self._waits.add(session.token)
        elif state in (RunnerState.IDLE, RunnerState.PAUSED) and may_run and session.token in self._waits and len(session.queue):
            self._waits.discard(session.token)
            session.runner.start()
        elif state is RunnerState.IDLE:
            self._waits.add(session.token)  # it ran dry: what is added from now on waits again

    def _work(self) -> None:
        while not self._end:
            self._woken.wait(LOOK_INTERVAL)
            self._woken.clear()
            try:
                self.look()
            except WorkflowError as error:
                log.warning("the background queues wait: %s", error)

    def _read(self) -> dict[str, str]:
        with file_errors(FILE):
            text = self._path.read_text(encoding="utf-8") if self._path.exists() else "{}"
        try:
            return {str(owner): str(token) for owner, token in json.loads(text).items()}
        except (ValueError, AttributeError):
            log.warning("%s in the workspace isn't what this program wrote; background queues begin anew", FILE)
            return {}
