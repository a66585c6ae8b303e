"""A slot, the place of one worker: what is asked of it, what the loop sees of its worker, and what that means."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from typing import Any

from . import events, platform
from .channel import Frame, Kind, Payload, dumps
from .process import describe_exit, preparation
from .seat import Seat, WorkerHandle, later, sooner
from .shared import pack
from .tasks import Kill, KillKind, Task, outcome_of_death, outcome_of_frame
from .worker import Boot

_KILL_PATIENCE = 5.0  # seconds until a killed process counts as stuck in the kernel
_EOF_PATIENCE = 1.0  # seconds between the end of a worker's channel and that of its process
_FIRST_PAUSE = 0.5  # seconds until a setup is tried again; twice as long each time
_JUNK = "the worker wrote into its channel what nobody can read"


class Slot(Seat):
    """A place for one worker, and that worker's life: started, given tasks, heard, retired, killed, replaced."""

    def start(self, setup: Mapping[str, Any]) -> None:
        """Start a process in the empty slot; a failure to do so is a failed setup."""
        rules = self._owner.rules
        try:
            boot = Boot(rules.worker, self.gpu_id, rules.base_seed + self.worker_id, preparation(rules.with_main, rules.here))
            frames = [(Kind.BOOT, dumps(boot)), (Kind.SETUP, (pack if rules.here else dumps)(dict(setup)))]
            process = self._owner.launch(self)
        except Exception as error:
            self._setup_failed(setup, events.Raised.of(error))
            return
        self.worker, self.leaving = WorkerHandle(process, setup, self._owner.selector, self), False
        self._enter("starting", rules.setup_timeout)
        for kind, payload in frames:
            self.worker.say(kind, None, payload)
        if process.pid:
            self._owner.emit(events.WorkerStarted(self.worker_id, self.gpu_id, process.pid, self.node))

    def hand(self, task: Task, at_once: bool = False) -> None:
        """Send a task to the worker, which is set up for it; by the next `flush`, if not `at_once`."""
        worker = self._present()
        worker.give(task)
        if at_once:
            worker.flush()
        if len(worker.tasks) == 1:
            self._begin(task)

    def take_back(self) -> list[Task]:
        """The tasks that the worker was sent ahead and hasn't begun; it won't, and they are nobody's now."""
        worker = self._present()
        first, back = worker.tasks[0], worker.take_back()
        if first in back:  # begun as far as we knew
            self._go_on()
        return back

    def send(self, task: Task, message: Payload) -> None:
        """Send a message to `task`, which the worker holds."""
        self._present().say(Kind.MESSAGE, task, message)

    def cancel(self, task: Task) -> None:
        """Ask the worker to give `task` up; it's killed if it is still at it after the grace."""
        if task.cancelled:
            return
        task.cancelled = True
        worker = self._present()
        worker.say(Kind.CANCEL, task)
        if worker.tasks[0] is task and self.state == "busy":
            self.deadline = sooner(self.deadline, later(self._owner.rules.cancel_grace))

    def reserve(self, task: Task) -> None:
        """Have `task` wait for a worker with its setup, and see to it that there will be one."""
        self.reserved = task
        if self.state == "empty":
            self.start(task.setup)
        elif self.state == "idle":
            self.retire()
        elif self.setup != task.setup:
            self.kill("unneeded", "nobody waits for what it was loading")

    def leave(self) -> None:
        """Let the worker go: an idle one and one that loads for nobody now, a busy one after its task."""
        self.leaving = True
        if self.state == "idle":
            self.retire()
        elif self.state == "starting" and self.reserved is None:
            self.kill("unneeded", "nobody waits for what it was loading")

    def retire(self) -> None:
        """Let the idle worker clean up and leave."""
        self._enter("retiring", self._owner.rules.cleanup_timeout)
        self._present().say(Kind.EXIT)

    def kill(self, kind: KillKind, reason: str, task: Task | None = None) -> None:
        """End the worker at once; what comes of its tasks is decided when it is gone."""
        if self.worker is None or self.state == "killed":
            return
        self.worker.kill = Kill(kind, reason, self.state, task)
        self._enter("killed", _KILL_PATIENCE)
        self.worker.process.kill()

    def attach(self, node: str, gpu_id: int | None) -> None:
        """The slot's place in the cluster is there."""
        self._enter("empty")
        self.node, self.gpu_id = node, gpu_id

    def detach(self) -> None:
        """The place of an empty slot is gone."""
        if self.state != "away":
            self._enter("away")
        self.give_back_reserved()

    def give_back_reserved(self) -> None:
        """The task that waits for the worker here may go to another one."""
        task, self.reserved = self.reserved, None
        if task is not None:
            self._owner.give_back(task)

    def break_off(self, error: str) -> None:
        """Use this slot no more."""
        self.broken = error
        if self.worker is None and self.state != "broken":
            self._enter("broken")

    def abandon(self) -> None:
        """End the worker without hearing it."""
        if self.worker is not None:
            process, self.worker = self.worker.process, None
            process.kill()
            platform.readable([process.sentinel], _KILL_PATIENCE)
            process.reap()
        if self.state != "broken":
            self._enter("broken")

    # What the loop sees.

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
            self._owner.emit(events.WorkerExited(self.worker_id, self.gpu_id, process.pid))
        else:
            if during == "retiring" and not worker.closed:
                self._owner.emit(events.CleanupFailed(self.gpu_id, error, self.worker_id))
            died = events.WorkerDied(self.worker_id, self.gpu_id, process.pid, exitcode, reason, self.node, process.stderr)
            self._owner.emit(died)
        if self.state == "away":
            self.give_back_reserved()
        elif during == "starting" and not unneeded:
            too_long = kill is not None and kill.kind == "setup"
            self._setup_failed(worker.setup, events.Raised(error, reason, TimeoutError.__name__ if too_long else ""))
        for task in reversed(tasks[1:]):
            self._owner.give_back(task)
        if tasks:
            died_of = events.Raised(error, reason)
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
            self._owner.emit(events.WorkerStarted(self.worker_id, self.gpu_id, worker.process.pid, self.node))
        elif kind is Kind.READY:
            self._on_ready()
        elif kind is Kind.SETUP_FAILED:
            self._on_setup_failed(self._said(frame))
        elif kind is Kind.CLEANUP_FAILED:
            self._owner.emit(events.CleanupFailed(self.gpu_id, self._said(frame).error, self.worker_id))
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
        self._owner.emit(events.WorkerReady(self.worker_id, self.gpu_id, worker.process.pid, self.node))
        self._go_on()

    def _on_setup_failed(self, raised: events.Raised) -> None:
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
        self._owner.emit(events.TaskProgress(task.id, progress, self.worker_id))

    def _on_outcome(self, worker: WorkerHandle, task: Task, frame: Frame) -> None:
        worker.tasks.popleft()
        self._owner.settle(task, outcome_of_frame(task, frame, self.worker_id, self.node))
        worker.answered += 1
        if self.state != "killed":
            self._go_on()

    def _said(self, frame: Frame) -> events.Raised:
        """What went wrong in the worker, in its own words; one whose words can't be read is killed."""
        try:
            said = frame.load()
            return said if isinstance(said, events.Raised) else events.Raised(str(said), str(said))
        except BaseException as error:
            self.kill("channel", _JUNK)
            return events.Raised(f"{_JUNK}\n{traceback.format_exc()}", _JUNK, type(error).__name__)

    # What follows by itself.

    def _go_on(self) -> None:
        """The worker begins the next task in its hands, else the one that waits for it, or may leave."""
        if tasks := self._present().tasks:
            self._begin(tasks[0])
            return
        self._enter("idle")
        self.idle_since = time.monotonic()
        if self.reserved is not None:
            task, self.reserved = self.reserved, None
            self.hand(task)
        elif self.leaving:
            self.retire()

    def _begin(self, task: Task) -> None:
        """The worker is at `task` now."""
        limit = task.timeout
        if task.cancelled:
            limit = sooner(limit, self._owner.rules.cancel_grace)
        self._enter("busy", limit)
        task.started = time.monotonic()
        self._owner.emit(events.TaskStarted(task.id, self.worker_id))

    def _start_reserved(self) -> None:
        """An empty slot goes on with the task that waits for it, if there is one; at once or after a pause."""
        if self.state != "empty":
            return
        pause, self._pause = self._pause, 0.0
        if self.reserved is not None and pause:
            self._enter("pausing", pause)
        elif self.reserved is not None:
            self.start(self.reserved.setup)

    def _setup_failed(self, setup: Mapping[str, Any], raised: events.Raised) -> None:
        self._owner.emit(events.SetupFailed(self.gpu_id, raised.error, self.worker_id))
        if setup == self._set_up and self._failures < self._owner.rules.setup_retries and not self._owner.closing:
            self._pause = _FIRST_PAUSE * 2**self._failures
            self._failures += 1
            self._start_reserved()
            return
        if self._owner.rules.retire_failed_slots and not self._owner.closing:
            self.break_off(raised.error)
            self.give_back_reserved()
            self._owner.fail_unservable()
        elif self.reserved is not None:
            task, self.reserved = self.reserved, None
            failed = events.TaskError(task.id, raised.error, self.worker_id, "setup", self.node, raised.reason, raised.exception)
            self._owner.settle(task, failed)
