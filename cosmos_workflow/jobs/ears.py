"""Takes of one run of a job on their way to the recogniser and back, and what a task's takes sounded like in the end."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cosmos_workflow.checking.verdict import Verdict
from cosmos_workflow.checking.worker import Checker
from cosmos_workflow.errors import WorkflowError
from cosmos_workflow.jobs.document.tasks import TaskConfig
from cosmos_workflow.jobs.status import count_pieces
from cosmos_workflow.store.records import RunRecord

if TYPE_CHECKING:
    from cosmos_workflow.jobs.state import JobReader, TaskReport


@dataclass(frozen=True, slots=True)
class HeardBack:
    """How a task sounds as it is used: word error rates over its pieces, the numbers (from 1) of those to listen to, and how
    many weren't heard. `unchanging` is the engine where it would only say these the same way again; empty otherwise."""

    model: str
    pieces: int
    median: float
    worst: float
    listen: tuple[int, ...]
    unheard: int = 0
    unchanging: str = ""

    @property
    def sentence(self) -> str:
        """The same in words."""
        words = f"Heard back by Whisper {self.model}: word error rate {self.median:.1%} in the median, {self.worst:.1%} at worst"
        listen = f"; {count_pieces(self.listen)} to listen to: {', '.join(map(str, self.listen[:12]))}" if self.listen else ""
        again = f"; {self.unchanging} says a text the same way each time, so none was made again" if self.unchanging else ""
        return f"{words}{listen}{again}."


def heard_back(reader: JobReader, report: TaskReport) -> HeardBack | None:
    """How a task sounds; None where it isn't checked or nothing of it was heard."""
    task = report.task
    if task.check is None:
        return None
    verdicts = [reader.hearings.heard(task, run) for run in report.chosen if run]
    rates = [one.hearing.word_error_rate for one in verdicts if one and one.hearing]
    if not rates:
        return None
    listen = tuple(place + 1 for place in report.listen)
    alone = task.check.retries and all(len(report.pieces[place].takes) == 1 for place in report.listen)
    unchanging = task.engine if listen and alone else ""
    return HeardBack(task.check.model, len(rates), statistics.median(rates), max(rates), listen, len(report.unheard), unchanging)


class Ears:
    """Hands takes to a recogniser, and keeps what it says. `on_change` is called, in any thread, when something was heard."""

    def __init__(self, reader: JobReader, checker: Checker, on_change: Callable[[], object]) -> None:
        self._reader = reader
        self._checker = checker
        self._on_change = on_change
        self._lock = threading.Lock()
        self._asked: set[tuple[str, str]] = set()
        self._waiting: set[tuple[str, str]] = set()
        self._heard: list[str] = []
        self.problems: dict[str, str] = {}

    @property
    def busy(self) -> bool:
        """Whether a take is still to be heard, or what was heard is still to be taken in."""
        with self._lock:
            return bool(self._waiting or self._heard)

    def listens_for(self, task_id: str) -> bool:
        """Whether a take of a task is still to be heard, or was and isn't taken in."""
        with self._lock:
            return task_id in self._heard or any(waiting == task_id for waiting, _ in self._waiting)

    def listen(self, task: TaskConfig, runs: Sequence[RunRecord]) -> None:
        """Have takes of a task heard, each once; does nothing for a task that isn't checked."""
        if task.check is None:
            return
        for run in runs:
            path = self._reader.output_of(run)
            with self._lock:
                if path is None or (task.id, run.id) in self._asked:
                    continue
                self._asked.add((task.id, run.id))
                self._waiting.add((task.id, run.id))
            question = self._reader.hearings.question(task, run, path)

            def done(verdict: Verdict | None, reason: str, run: RunRecord = run) -> None:
                self._take(task, run, verdict, reason)

            self._checker.submit(question, done)

    def take(self) -> list[str]:
        """The tasks of which something was heard since the last call."""
        with self._lock:
            heard, self._heard = list(dict.fromkeys(self._heard)), []
        return heard

    def _take(self, task: TaskConfig, run: RunRecord, verdict: Verdict | None, reason: str) -> None:
        try:
            if verdict is not None:
                self._reader.hearings.keep(task, run, verdict)
        except WorkflowError as error:
            reason = str(error)
        with self._lock:
            if reason:
                self.problems[task.id] = reason
            self._waiting.discard((task.id, run.id))
            self._heard.append(task.id)
        self._on_change()
