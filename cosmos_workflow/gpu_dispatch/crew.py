"""What happens to one slot: its worker is started, given tasks, heard, sent away, killed, mourned."""

from __future__ import annotations

import selectors
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from multiprocessing import spawn
from pathlib import Path
from typing import Any

from cosmos_workflow.gpu_dispatch.channel import Frame, Kind, Payload, dumps
from cosmos_workflow.gpu_dispatch.child import Boot
from cosmos_workflow.gpu_dispatch.devices import worker_environ
from cosmos_workflow.gpu_dispatch.process import Process, WorkerProcess, describe_exit
from cosmos_workflow.gpu_dispatch.protocol import (
    CleanupFailed,
    Event,
    Outcome,
    SetupFailed,
    TaskError,
    TaskProgress,
    TaskStarted,
    TaskSuccess,
    TaskTimeout,
    WorkerDied,
    WorkerExited,
    WorkerReady,
    WorkerStarted,
)
from cosmos_workflow.gpu_dispatch.slots import Slot, Task, Verdict

_KILL_PATIENCE = 5.0  # seconds until a killed process counts as stuck in the kernel
_EOF_PATIENCE = 1.0  # seconds between the end of a worker's channel and that of its process
_PACE_WEIGHT = 0.3


@dataclass(frozen=True, slots=True)
class Rules:
    """How a pool treats its workers; times in seconds, None for no limit. `here`: they run on this machine."""

    worker: str
    with_main: bool
    setup_timeout: float | None
    cleanup_timeout: float
    cancel_grace: float
    max_retries: int
    quiet: bool
    env: Mapping[str, str]
    here: bool = True


def launch_here(slot: Slot, rules: Rules) -> Process:
    """A worker's process on this machine."""
    env = {**worker_environ(slot.gpu_id), **rules.env}
    return WorkerProcess(f"gpu-dispatch-worker-{slot.worker_id}", env, rules.quiet)


class Crew:
    """The life of the workers. Knows no queue: what it can't finish it hands back."""

    def __init__(
        self,
        rules: Rules,
        emit: Callable[[Event], None],
        settle: Callable[[Task, Outcome], None],
        give_back: Callable[[Task], None],
        setup_failed: Callable[[Slot, str], None],
        launch: Callable[[Slot, Rules], Process],
    ) -> None:
        self._rules = rules
        self._emit = emit
        self._settle = settle
        self._give_back = give_back
        self._setup_failed = setup_failed
        self._launch = launch
        self.selector = selectors.DefaultSelector()

    def start(self, slot: Slot, setup: Mapping[str, Any]) -> None:
        """Start a process in an empty slot; a failure to do so is a failed setup."""
        rules = self._rules
        try:
            boot = Boot(rules.worker, slot.gpu_id, slot.seed, _preparation(rules.with_main, rules.here))
            frames = [(Kind.BOOT, dumps(boot)), (Kind.SETUP, dumps(dict(setup)))]
            process = self._launch(slot, rules)
        except Exception:
            self._fail_setup(slot, traceback.format_exc())
            return
        slot.process, slot.setup, slot.state, slot.pace = process, setup, "starting", None
        slot.leaving, slot.farewell, slot.blocked = False, False, False
        slot.deadline = _later(rules.setup_timeout)
        for kind, payload in frames:
            process.channel.put(kind, 0, payload)
        self.selector.register(process.channel, selectors.EVENT_READ, (slot, process, False))
        self.selector.register(process.sentinel, selectors.EVENT_READ, (slot, process, True))
        if process.pid:
            self._emit(WorkerStarted(slot.worker_id, slot.gpu_id, process.pid, slot.node))

    def hand(self, slot: Slot, task: Task) -> None:
        """Send a task to a worker that is set up for it."""
        slot.hands.append(task)
        channel = slot.worker.channel
        channel.put(Kind.RUN, task.seq, task.payload)
        for message in task.mail:
            channel.put(Kind.MESSAGE, task.seq, message)
        if len(slot.hands) == 1:
            self._begin(slot, task)

    def cancel(self, slot: Slot, task: Task) -> None:
        """Ask the worker to give `task` up; it's killed if it is still at it after the grace."""
        if task.cancelled:
            return
        task.cancelled = True
        slot.worker.channel.put(Kind.CANCEL, task.seq)
        if slot.hands[0] is task and slot.verdict is None:
            slot.deadline = _sooner(slot.deadline, _later(self._rules.cancel_grace))

    def post(self, slots: Iterable[Slot], task: Task, message: Payload) -> None:
        """Send a message to whoever has `task` in hand."""
        for slot in slots:
            if slot.process is not None and task in slot.hands:
                slot.process.channel.put(Kind.MESSAGE, task.seq, message)

    def retire(self, slot: Slot) -> None:
        """Let an idle worker clean up and leave."""
        slot.state = "retiring"
        slot.deadline = _later(self._rules.cleanup_timeout)
        slot.worker.channel.put(Kind.EXIT)

    def kill(self, slot: Slot, verdict: Verdict) -> None:
        """End the worker at once; what comes of its tasks is decided when it is gone."""
        if slot.process is None or slot.verdict is not None:
            return
        slot.verdict = verdict
        slot.deadline = _later(_KILL_PATIENCE)
        slot.process.kill()

    def flush(self, slot: Slot) -> None:
        """Send what the worker's socket takes now; the loop is told to watch for the rest."""
        process = slot.worker
        if process.channel.eof:
            return
        blocked = not process.channel.flush()
        if blocked != slot.blocked:
            slot.blocked = blocked
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if blocked else 0)
            self.selector.modify(process.channel, events, (slot, process, False))

    def hear(self, slot: Slot) -> None:
        """Take in what the worker has sent."""
        process = slot.worker
        for frame in process.channel.receive():
            self._on_frame(slot, frame)
        if process.channel.eof:
            self.selector.unregister(process.channel)
            # Most likely its process is ending, and how it ended is worth waiting for.
            slot.deadline = _sooner(slot.deadline, _later(_EOF_PATIENCE))

    def overran(self, slot: Slot) -> None:
        """The slot's deadline is over: kill what it was for."""
        if slot.verdict is not None:
            self.bury(slot)
        elif slot.worker.channel.eof and slot.state != "retiring":
            self.kill(slot, Verdict("channel", "the worker closed its channel"))
        elif slot.state == "starting":
            limit = self._rules.setup_timeout
            self.kill(slot, Verdict("setup", f"setup took longer than {limit:g} seconds"))
        elif slot.state == "retiring":
            limit = self._rules.cleanup_timeout
            self.kill(slot, Verdict("cleanup", f"cleanup took longer than {limit:g} seconds"))
        else:
            task = slot.hands[0]
            if task.cancelled:
                verdict = Verdict("cancelled", "it did not stop when its task was cancelled", task)
            else:
                reason = f"its task took longer than {task.timeout:g} seconds"
                verdict = Verdict("timeout", reason, task)
            self.kill(slot, verdict)

    def bury(self, slot: Slot) -> None:
        """The worker's process is gone: hear its last words, then say what that means."""
        process, verdict = slot.worker, slot.verdict
        process.kill()  # its descendants, which may hold the socket open
        if not process.channel.eof:
            for frame in process.channel.drain():
                self._on_frame(slot, frame)
            self.selector.unregister(process.channel)
        self.selector.unregister(process.sentinel)
        exitcode = process.reap()
        reason = verdict.reason if verdict else process.reason or describe_exit(exitcode)
        state, tasks = slot.state, list(slot.hands)
        slot.away = process.lost
        slot.process, slot.setup, slot.state = None, None, "empty"
        slot.verdict, slot.deadline, slot.leaving = None, None, False
        slot.hands.clear()
        sent_home = verdict is not None and verdict.kind in ("shutdown", "unneeded") and not tasks
        if sent_home or (state == "retiring" and slot.farewell and verdict is None):
            self._emit(WorkerExited(slot.worker_id, slot.gpu_id, process.pid))
        else:
            if state == "retiring" and not slot.farewell:
                self._emit(CleanupFailed(slot.gpu_id, reason, slot.worker_id))
            self._emit(WorkerDied(slot.worker_id, slot.gpu_id, process.pid, exitcode, reason))
        if slot.away and slot.reserved is not None:
            task, slot.reserved = slot.reserved, None
            self._give_back(task)
        elif state == "starting" and not sent_home and not slot.away:
            self._fail_setup(slot, reason)
        for task in reversed(tasks[1:]):
            self._give_back(task)
        if tasks:
            self._on_lost(slot, tasks[0], verdict, reason)
        if slot.reserved is not None and slot.state == "empty":
            self.start(slot, slot.reserved.setup)

    def _fail_setup(self, slot: Slot, error: str) -> None:
        self._emit(SetupFailed(slot.gpu_id, error, slot.worker_id))
        self._setup_failed(slot, error)

    def _begin(self, slot: Slot, task: Task) -> None:
        now = time.monotonic()
        task.started, slot.state, slot.deadline = now, "busy", None
        if task.timeout is not None:
            slot.deadline = now + task.timeout
        if task.cancelled:
            slot.deadline = _sooner(slot.deadline, now + self._rules.cancel_grace)
        self._emit(TaskStarted(task.id, slot.worker_id))

    def _on_frame(self, slot: Slot, frame: Frame) -> None:
        kind = frame.kind
        if kind is Kind.PROGRESS:
            self._on_progress(slot, frame)
        elif kind is Kind.STARTED:
            self._emit(WorkerStarted(slot.worker_id, slot.gpu_id, slot.worker.pid, slot.node))
        elif kind is Kind.READY:
            self._on_ready(slot)
        elif kind is Kind.SETUP_FAILED:
            slot.state, slot.farewell = "retiring", True
            slot.deadline = _later(self._rules.cleanup_timeout)
            self._fail_setup(slot, frame.load())
        elif kind is Kind.CLEANUP_FAILED:
            self._emit(CleanupFailed(slot.gpu_id, frame.load(), slot.worker_id))
        elif kind is Kind.CLOSED:
            slot.farewell = True
        elif slot.hands and slot.hands[0].seq == frame.seq:
            self._on_outcome(slot, frame)

    def _on_ready(self, slot: Slot) -> None:
        slot.state, slot.deadline, slot.idle_since = "idle", None, time.monotonic()
        self._emit(WorkerReady(slot.worker_id, slot.gpu_id, slot.worker.pid))
        if slot.reserved is not None and slot.verdict is None:
            task, slot.reserved = slot.reserved, None
            self.hand(slot, task)

    def _on_progress(self, slot: Slot, frame: Frame) -> None:
        if not slot.hands or slot.hands[0].seq != frame.seq:
            return
        task = slot.hands[0]
        try:
            progress = frame.load()
        except Exception:
            task.spoiled = f"a progress report can't be unpickled\n{traceback.format_exc()}"
            return
        self._emit(TaskProgress(task.id, progress, slot.worker_id))

    def _on_outcome(self, slot: Slot, frame: Frame) -> None:
        task = slot.hands.popleft()
        self._settle(task, _outcome(task, frame, slot))
        now = time.monotonic()
        took = now - task.started
        slot.pace = took if slot.pace is None else slot.pace + _PACE_WEIGHT * (took - slot.pace)
        slot.deadline = None if slot.verdict is None else slot.deadline
        if slot.hands:
            self._begin(slot, slot.hands[0])
        else:
            slot.state, slot.idle_since = "idle", now

    def _on_lost(self, slot: Slot, task: Task, verdict: Verdict | None, reason: str) -> None:
        worker_id, node = slot.worker_id, slot.node
        if task.cancelled:
            self._settle(task, TaskError(task.id, "the task was cancelled", worker_id, "cancelled", node))
        elif verdict is not None and verdict.kind == "shutdown":
            self._settle(task, TaskError(task.id, verdict.reason, worker_id, "cancelled", node))
        elif verdict is not None and verdict.at_fault is task:
            self._settle(task, TaskTimeout(task.id, task.timeout or 0.0, worker_id, node))
        elif verdict is not None and verdict.kind != "channel":
            self._give_back(task)  # killed because of the task before it, whose result came in time
        elif task.deaths < self._rules.max_retries:
            task.deaths += 1
            self._give_back(task)
        else:
            self._settle(task, TaskError(task.id, reason, worker_id, "died", node))


def _outcome(task: Task, frame: Frame, slot: Slot) -> Outcome:
    worker_id, node = slot.worker_id, slot.node
    if task.spoiled is not None:
        return TaskError(task.id, task.spoiled, worker_id, "unpicklable", node)
    if frame.kind is Kind.SUCCESS:
        try:
            return TaskSuccess(task.id, frame.load(), worker_id, node)
        except Exception:
            error = f"the result can't be unpickled\n{traceback.format_exc()}"
            return TaskError(task.id, error, worker_id, "unpicklable", node)
    if frame.kind is Kind.CANCELLED:
        return TaskError(task.id, "the task was cancelled", worker_id, "cancelled", node)
    kind = "unpicklable" if frame.kind is Kind.UNPICKLABLE else "exception"
    return TaskError(task.id, frame.load(), worker_id, kind, node)


def _preparation(with_main: bool, same_machine: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"sys_argv": sys.argv}
    if same_machine:
        here = str(Path.cwd())
        data |= {"sys_path": [path or here for path in sys.path], "dir": here}
    if with_main:
        found = spawn.get_preparation_data("")
        keys = ("init_main_from_name", "init_main_from_path")
        data.update({key: found[key] for key in keys if key in found})
    return data


def _later(seconds: float | None) -> float | None:
    return None if seconds is None else time.monotonic() + seconds


def _sooner(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else min(a, b)
