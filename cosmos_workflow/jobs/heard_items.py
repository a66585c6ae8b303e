"""What queues make, heard back where their items ask for it: by the same worker, and kept in the same place, as takes of jobs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from cosmos_workflow.checking.records import Verdicts
from cosmos_workflow.checking.verdict import Verdict
from cosmos_workflow.checking.worker import Checker
from cosmos_workflow.errors import WorkflowError
from cosmos_workflow.execution.batch_run import ItemResult
from cosmos_workflow.files import Disk
from cosmos_workflow.jobs.speech.hearing import place_of, question_about
from cosmos_workflow.store.store import Store

log = logging.getLogger(__name__)


class HeardItems:
    """Hands results to a recogniser of its own, which is started by the first; `heard` counts what came back.

    What isn't heard when the program ends stays without a score.
    """

    def __init__(self, store: Store, open_checker: Callable[[], Checker] = Checker) -> None:
        self._store = store
        self._verdicts = Verdicts(Disk())
        self._open_checker = open_checker
        self._checker: Checker | None = None
        self._lock = threading.Lock()
        self.heard = 0

    def take(self, result: ItemResult) -> None:
        """Have a result heard, if its item asks for that."""
        run = self._store.runs.get(result.run_id) if result.item.check else None
        if run is None or not result.files:
            return
        asked = question_about(run, next(iter(result.files.values())), result.item.check)
        folder, key = place_of(self._store, run, asked)

        def done(verdict: Verdict | None, reason: str) -> None:
            try:
                if verdict is not None:
                    self._verdicts.put(folder, key, verdict)
            except WorkflowError as error:
                reason = str(error)
            if reason:
                log.warning("%s was not heard back: %s", run.id, reason)
            with self._lock:
                self.heard += 1

        with self._lock:
            self._checker = self._checker or self._open_checker()
            checker = self._checker
        checker.submit(asked, done)

    def close(self) -> None:
        """Stop; what is still to be heard isn't."""
        with self._lock:
            checker, self._checker = self._checker, None
        if checker is not None:
            checker.close()
