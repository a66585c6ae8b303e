"""Jobs worked off in the background: what was asked for now, and, with run mode on, every enabled job in order.

Needs no page: it goes on when the last one is closed, and stops by itself when nothing is left to try.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cosmos_workflow.errors import WorkflowError
from cosmos_workflow.execution.runner import RunnerSnapshot, broken
from cosmos_workflow.ids import digest
from cosmos_workflow.jobs.document.tasks import JobFile
from cosmos_workflow.jobs.events import JobEvent, JobProgressed, JobWaiting, TakeMade
from cosmos_workflow.jobs.status import TaskStatus
from cosmos_workflow.jobs.takes import Mode

if TYPE_CHECKING:
    from cosmos_workflow.jobs.orchestrator import TaskOrchestrator

STATE = ".run-mode.json"


@dataclass(frozen=True, slots=True)
class BackgroundState:
    """`on` is the switch; `asks` that it was on when the program ended, and waits for a person's word.

    `running` is the id of the job that runs ("" for none), `waiting` those that were asked for, `snapshot` the runner's. `again`
    says that everything of the job that runs is made again, whatever there is of it.
    `message` says what happened last that a person should know.
    """

    on: bool
    asks: bool
    running: str
    waiting: tuple[str, ...]
    message: str
    snapshot: RunnerSnapshot | None
    again: bool = False


@dataclass(frozen=True, slots=True)
class _Wish:
    """Something that was asked for: a job in a mode, or only these takes, or only the tasks of these keys."""

    job_id: str
    mode: Mode = "resume"
    takes: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()

    @property
    def kind(self) -> tuple[str, Mode, bool, bool]:
        """Wishes of one kind become one."""
        return self.job_id, self.mode, bool(self.takes), bool(self.tasks)

    def joined(self, other: _Wish) -> _Wish:
        """This wish with another of its kind."""
        takes, tasks = ((*own, *more) for own, more in ((self.takes, other.takes), (self.tasks, other.tasks)))
        return replace(self, takes=tuple(dict.fromkeys(takes)), tasks=tuple(dict.fromkeys(tasks)))


class JobBackground:
    """The one background runner of a program; every method may be called from any thread, and none waits for a job but `join`
    and `close`. `on_change` is called where more changed than how far the running batch is."""

    def __init__(self, orchestrator: TaskOrchestrator, on_change: Callable[[], object] = lambda: None) -> None:
        self._orchestrator = orchestrator
        self._on_change = on_change
        self._file = orchestrator.jobs.folder / STATE
        self._changed = threading.Condition()
        self._asked: dict[tuple[object, ...], _Wish] = {}
        self._tried: set[str] = set()
        self._on = False
        self._asks = False
        self._running = ""
        self._by_hand = False
        self._again = False
        self._message = ""
        self._snapshot: RunnerSnapshot | None = None
        self._stop = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def restore(self) -> None:
        """At the program's start: where run mode was on, go on or ask, as the workspace's `startup` setting says."""
        if not self._was_on():
            return
        if self._orchestrator.operations.workspace.settings.startup == "resume":
            self.switch(True)
        else:
            with self._changed:
                self._asks = True

    def switch(self, on: bool) -> None:
        """Turn run mode on or off. Off stops after the batch that runs; on begins with the first enabled job."""
        with self._changed:
            if on:
                self._tried.clear()
            elif self._running and not self._by_hand:
                self._stop.set()
            self._set_on(on)
            self._begin()
        self._on_change()

    def run_now(self, job_id: str, mode: Mode = "resume", tasks: Collection[str] = ()) -> None:
        """Run a job before everything else that waits, whether it is enabled or not; with `tasks`, only those of these keys.

        What these need of other tasks, and isn't there, is made as well.
        """
        job = self._orchestrator.jobs.job(job_id)
        for key in tasks:
            self._orchestrator.task(job, key)
        self._ask(_Wish(job_id, mode, tasks=tuple(tasks)))

    def make_again(self, job_id: str, key: str, piece: int) -> None:
        """Make one more take of a piece (counted from 0) in its turn; see TaskOrchestrator.want_again."""
        take = self._orchestrator.want_again(self._orchestrator.jobs.job(job_id), key, piece)
        self._ask(_Wish(job_id, "all", takes=(take,)))

    def stop(self, job_id: str) -> None:
        """Stop a job after the batch that runs, or forget that it was asked for; what is made stays."""
        with self._changed:
            self._asked = {kind: wish for kind, wish in self._asked.items() if wish.job_id != job_id}
            if self._running == job_id:
                self._stop.set()
        self._on_change()

    def state(self) -> BackgroundState:
        """What it does at this moment."""
        with self._changed:
            waiting = tuple(dict.fromkeys(wish.job_id for wish in self._asked.values()))
            snapshot = self._snapshot if self._running else None
            return BackgroundState(self._on, self._asks, self._running, waiting, self._message, snapshot, self._again)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until it has nothing to do; False where `timeout` seconds passed first."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, timeout)

    def close(self) -> None:
        """Stop after the batch that runs; run mode is on again at the next start, if it is on now."""
        with self._changed:
            self._closing = True
            self._stop.set()
        self.join(timeout=10)

    def _ask(self, wish: _Wish) -> None:
        with self._changed:
            earlier = self._asked.get(wish.kind)
            self._asked[wish.kind] = earlier.joined(wish) if earlier else wish
            self._message = ""
            self._begin()
        self._on_change()

    # --- the thread ---

    def _begin(self) -> None:
        if self._thread is None and not self._closing and (self._on or self._asked):
            self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (chosen := self._next()) is not None:
            job, wish = chosen
            try:
                results = self._orchestrator.run(job, wish.mode, self._see, self._stop, wish.takes, wish.tasks)
                unfinished = [result for result in results if not result.succeeded]
                if unfinished and not self._stop.is_set():
                    with self._changed:
                        self._message = f"{unfinished[0].title}: {unfinished[0].error}"
            except Exception as error:
                self._give_up(broken(error))

    def _next(self) -> tuple[JobFile, _Wish] | None:
        """The job to run now; None, and the thread ends, where there is none."""
        with self._changed:
            self._running, self._snapshot, self._again = "", None, False
            self._stop.clear()
            while self._asked and not self._closing:
                wish = self._asked.pop(next(iter(self._asked)))
                stored = self._orchestrator.jobs.find(wish.job_id)
                if stored and stored.job:
                    self._running, self._by_hand = wish.job_id, True
                    self._again = wish.mode == "all" and not wish.takes
                    return stored.job, wish
                self._message = stored.problem if stored else f"The job {wish.job_id} was deleted."
        try:
            job = self._next_of_run_mode()
        except WorkflowError as error:
            self._give_up(str(error))
            job = None
        with self._changed:
            # Somebody may have asked for something since: then the thread goes on.
            if self._closing or (job is None and not self._asked):
                if job is None and self._on and not self._closing:
                    self._set_on(False)
                    self._message = self._message or "Everything is done; run mode switched itself off."
                self._thread = None
                self._changed.notify_all()
                return None
            if job is not None and not self._asked and self._on:
                self._running, self._by_hand = job.id, False
                return job, _Wish(job.id)
        return self._next()

    def _next_of_run_mode(self) -> JobFile | None:
        if not self._on:
            return None
        for stored in self._orchestrator.jobs.list():
            job = stored.job
            if job is None or not job.enabled or (state := _contents(job)) in self._tried:
                continue
            self._tried.add(state)
            reports = [report for report in self._orchestrator.report(job).tasks if report.task.enabled]
            if any(report.status not in (TaskStatus.COMPLETED, TaskStatus.FAILED) for report in reports):
                return job
        return None

    def _give_up(self, message: str) -> None:
        with self._changed:
            self._message = message
            if not self._closing:  # what broke because the program ends is no reason to stay off
                self._set_on(False)

    def _see(self, event: JobEvent) -> None:
        with self._changed:
            if isinstance(event, JobProgressed):
                self._snapshot = event.snapshot
            elif isinstance(event, JobWaiting):
                self._message = "Another program is running this job; what it leaves is made after it."
        if not isinstance(event, JobProgressed | TakeMade):  # these come too often: a page looks by itself
            self._on_change()

    # --- the switch, under the lock ---

    def _set_on(self, on: bool) -> None:
        self._on, self._asks = on, False
        if on:
            self._message = ""
        self._orchestrator.jobs.disk.write(self._file, json.dumps({"on": on}).encode())

    def _was_on(self) -> bool:
        try:
            return json.loads(self._file.read_text(encoding="utf-8")) == {"on": True}
        except (FileNotFoundError, ValueError):
            return False


def _contents(job: JobFile) -> str:
    """A job with everything it names: an edited one is tried again."""
    return digest({"id": job.id, "source": job.source, "texts": [[chunk.text for chunk in task.chunks] for task in job.tasks]})
