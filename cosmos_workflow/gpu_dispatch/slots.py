"""A slot, the place of one worker: what the loop sees of that worker, what it says, and what that means."""

from __future__ import annotations

import traceback

from .channel import Frame, Kind
from .events import CleanupFailed, Raised, TaskProgress, WorkerDied, WorkerExited, WorkerReady, WorkerStarted
from .handle import WorkerHandle
from .orders import Orders
from .process import describe_exit
from .seat import later, sooner
from .tasks import Task, outcome_of_death, outcome_of_frame

_EOF_PATIENCE = 1.0  # seconds between the end of a worker's channel and that of its process
_JUNK = "the worker wrote into its channel what nobody can read"


class Slot(Orders):
    """A place for one worker, and that worker's life: started, given tasks, heard, retired, killed, replaced."""

    def on_readable(self) -> None:
        """Take in what the worker has sent."""
        worker = self._present()
        worker.hear(self._on_frame)
        if worker.process.channel.junk:
            self.kill("channel", _JUNK)
        elif worker.process.channel.eof:
            # Most likely its process is ending, and how it ended is worth waiting for.
            self.deadline = sooner(self.deadline, later(_EOF_PATIENCE))

    def on_deadline(self) -> None:
        """The time is over that the slot may stay in its state: kill the worker for it, or end the pause."""
        if self.state == "pausing":
            self._enter("empty")
            self._start_reserved()
            return
        rules, worker = self._owner.rules, self._present()
        if self.state == "killed":
            self.on_exit()
        elif worker.process.channel.eof and self.state != "retiring":
            self.kill("channel", "the worker closed its channel")
        elif self.state == "starting":
            self.kill("setup", f"setup took longer than {rules.setup_timeout:g} seconds")
        elif self.state == "retiring":
            self.kill("cleanup", f"cleanup took longer than {rules.cleanup_timeout:g} seconds")
        elif worker.tasks[0].cancelled:
            self.kill("cancelled", "it did not stop when its task was cancelled", worker.tasks[0])
        else:
            task = worker.tasks[0]
            self.kill("timeout", f"its task took longer than {task.timeout:g} seconds", task)

    def on_exit(self) -> None:
        """The worker's process is gone: take in its last words, then say what that means."""
        worker = self._present()
        process, exitcode = worker.process, worker.bury(self._on_frame)
        kill, tasks = worker.kill, list(worker.tasks)
        during = kill.during if kill else self.state
        reason = kill.reason if kill else process.reason or describe_exit(exitcode)
        error = f"{process.stderr}\n{reason}" if process.stderr else reason
        self.worker, self.leaving = None, False
        self._enter("broken" if self.broken else "away" if process.lost else "empty")
        unneeded = kill is not None and kill.kind in ("shutdown", "unneeded") and not tasks
        if unneeded or (during == "retiring" and worker.closed and kill is None):
            self._owner.emit(WorkerExited(self.worker_id, self.gpu_id, process.pid))
        else:
            if during == "retiring" and not worker.closed:
                self._owner.emit(CleanupFailed(self.gpu_id, error, self.worker_id))
            died = WorkerDied(self.worker_id, self.gpu_id, process.pid, exitcode, reason, self.node, process.stderr)
            self._owner.emit(died)
        if self.state == "away" and self.reserved is not None:
            task, self.reserved = self.reserved, None
            self._owner.give_back(task)
        elif during == "starting" and not unneeded and self.state != "away":
            too_long = kill is not None and kill.kind == "setup"
            self._setup_failed(worker.setup, Raised(error, reason, TimeoutError.__name__ if too_long else ""))
        for task in reversed(tasks[1:]):
            self._owner.give_back(task)
        if tasks:
            died_of = Raised(error, reason)
            outcome = outcome_of_death(tasks[0], kill, died_of, self._owner.rules.max_retries, self.worker_id, self.node)
            if outcome is None:
                self._owner.give_back(tasks[0])
            else:
                self._owner.settle(tasks[0], outcome)
        self._start_reserved()

    # What the worker says.

    def _on_frame(self, frame: Frame) -> None:
        worker, kind = self._present(), frame.kind
        task = worker.tasks[0] if worker.tasks and worker.tasks[0].ticket == frame.seq else None
        if task is not None and kind is not Kind.PROGRESS:
            self._on_outcome(worker, task, frame)
        elif kind is Kind.STARTED:
            self._owner.emit(WorkerStarted(self.worker_id, self.gpu_id, worker.process.pid, self.node))
        elif kind is Kind.READY:
            self._on_ready()
        elif kind is Kind.SETUP_FAILED:
            self._on_setup_failed(self._said(frame))
        elif kind is Kind.CLEANUP_FAILED:
            self._owner.emit(CleanupFailed(self.gpu_id, self._said(frame).error, self.worker_id))
        elif kind is Kind.CLOSED:
            worker.closed = True
        elif kind is Kind.PROGRESS:
            if task is not None:  # not from a thread that outlived its task
                self._on_progress(task, frame)
        else:
            self.kill("channel", "the worker answered for a task that it did not run")

    def _on_ready(self) -> None:
        if self.state != "starting":  # it was killed meanwhile
            return
        worker = self._present()
        self._set_up, self._failures = worker.setup, 0
        self._owner.emit(WorkerReady(self.worker_id, self.gpu_id, worker.process.pid, self.node))
        self._enter("idle")
        self._idle_now()

    def _on_setup_failed(self, raised: Raised) -> None:
        if self.state == "starting":
            worker = self._present()
            worker.closed = True
            self._enter("retiring", self._owner.rules.cleanup_timeout)
            self._setup_failed(worker.setup, raised)

    def _on_progress(self, task: Task, frame: Frame) -> None:
        try:
            progress = frame.load()
        except BaseException:  # whatever it is, it was raised by what the worker has sent
            task.bad_report = f"a progress report can't be unpickled\n{traceback.format_exc()}"
            return
        self._owner.emit(TaskProgress(task.id, progress, self.worker_id))

    def _on_outcome(self, worker: WorkerHandle, task: Task, frame: Frame) -> None:
        worker.tasks.popleft()
        self._owner.settle(task, outcome_of_frame(task, frame, self.worker_id, self.node))
        worker.answered += 1
        if self.state == "killed":
            return
        if worker.tasks:
            self._begin(worker.tasks[0])
        else:
            self._enter("idle")
            self._idle_now()

    def _said(self, frame: Frame) -> Raised:
        """What went wrong in the worker, in its own words; one whose words can't be read is killed."""
        try:
            said = frame.load()
            return said if isinstance(said, Raised) else Raised(str(said), str(said))
        except BaseException as error:
            self.kill("channel", _JUNK)
            return Raised(f"{_JUNK}\n{traceback.format_exc()}", _JUNK, type(error).__name__)
