"""What is asked of a slot, and what it makes of it by itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from . import platform
from .channel import Kind, Payload, dumps
from .events import Raised, SetupFailed, TaskError, TaskStarted, WorkerStarted
from .handle import WorkerHandle
from .process import preparation
from .seat import Seat, later, sooner
from .shared import pack
from .tasks import Kill, KillKind, Task
from .worker import Boot

_KILL_PATIENCE = 5.0  # seconds until a killed process counts as stuck in the kernel
_FIRST_PAUSE = 0.5  # seconds until a setup is tried again; twice as long each time


class Orders(Seat):
    """A slot that starts its worker, gives it tasks, lets it leave, and kills it."""

    def start(self, setup: Mapping[str, Any]) -> None:
        """Start a process in the empty slot; a failure to do so is a failed setup."""
        rules = self._owner.rules
        try:
            boot = Boot(rules.worker, self.gpu_id, rules.base_seed + self.worker_id, preparation(rules.with_main, rules.here))
            frames = [(Kind.BOOT, dumps(boot)), (Kind.SETUP, (pack if rules.here else dumps)(dict(setup)))]
            process = self._owner.launch(self)
        except Exception as error:
            self._setup_failed(setup, Raised.of(error))
            return
        self.worker, self.leaving = WorkerHandle(process, setup, self._owner.selector, self), False
        self._enter("starting", rules.setup_timeout)
        for kind, payload in frames:
            self.worker.say(kind, None, payload)
        if process.pid:
            self._owner.emit(WorkerStarted(self.worker_id, self.gpu_id, process.pid, self.node))

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
            if worker.tasks:
                self._begin(worker.tasks[0])
            else:
                self._enter("idle")
                self._idle_now()
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
        fits = self.setup == task.setup
        self.reserved = task
        if self.state == "empty":
            self.start(task.setup)
        elif self.state == "idle":
            self.retire()
        elif not fits:
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
        if self.reserved is not None:
            task, self.reserved = self.reserved, None
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

    def flush(self) -> None:
        """Send what the worker's socket takes now."""
        if self.worker is not None:
            self.worker.flush()

    # What follows by itself.

    def _idle_now(self) -> None:
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
        self._owner.emit(TaskStarted(task.id, self.worker_id))

    def _start_reserved(self) -> None:
        """An empty slot goes on with the task that waits for it, if there is one; at once or after a pause."""
        if self.state != "empty":
            return
        pause, self._pause = self._pause, 0.0
        if self.reserved is not None and pause:
            self._enter("pausing", pause)
        elif self.reserved is not None:
            self.start(self.reserved.setup)

    def _setup_failed(self, setup: Mapping[str, Any], raised: Raised) -> None:
        error = raised.error
        self._owner.emit(SetupFailed(self.gpu_id, error, self.worker_id))
        if setup == self._set_up and self._failures < self._owner.rules.setup_retries and not self._owner.closing:
            self._pause = _FIRST_PAUSE * 2**self._failures
            self._failures += 1
            self._start_reserved()
            return
        task, self.reserved = self.reserved, None
        if self._owner.rules.retire_failed_slots and not self._owner.closing:
            self.break_off(error)
            if task is not None:
                self._owner.give_back(task)
            self._owner.fail_unservable()
        elif task is not None:
            failed = TaskError(task.id, error, self.worker_id, "setup", self.node, raised.reason, raised.exception)
            self._owner.settle(task, failed)
