"""Worker processes that stay alive between tasks, one a slot, driven by one loop.

The loop waits on every worker's socket and on every process at once. So the owner of each task is
always known, a death is seen when it happens, and a limit that is overrun costs a process, never
the pool.
"""

from __future__ import annotations

import itertools
import os
import selectors
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from cosmos_workflow.gpu_dispatch.arguments import check_setup, number_workers, worker_name
from cosmos_workflow.gpu_dispatch.channel import NOTHING, Payload, dumps
from cosmos_workflow.gpu_dispatch.crew import Crew, Rules, launch_here
from cosmos_workflow.gpu_dispatch.placement import Placement
from cosmos_workflow.gpu_dispatch.process import Process
from cosmos_workflow.gpu_dispatch.protocol import Event, Outcome, SlotStatus, TaskError, TaskId
from cosmos_workflow.gpu_dispatch.slots import ANY, UNNEEDED, Backlog, Pin, Slot, Task, Verdict
from cosmos_workflow.gpu_dispatch.worker import BaseWorker


class PoolClosedError(RuntimeError):
    """The pool was shut down."""


class WorkerPool:
    """One worker process a slot; a single-threaded loop on sockets and sentinels.

    `events` is the loop, called by one thread; every other method may be called from any thread,
    though not by a signal handler.

    worker_cls: a subclass of `BaseWorker`, or its name as ``"module:Class"``. A named class is
        imported in the workers only, and the main module isn't imported there; a class given as an
        object is found as multiprocessing's spawn finds it, main module included.
    gpu_ids: a slot for each; None is a CPU worker, which sees no GPU. A slot's `worker_id` is its
        GPU's number, for CPU workers the lowest number that no GPU here has.
    base_seed: a worker gets ``base_seed + worker_id``.
    setup_timeout, cleanup_timeout, cancel_grace: seconds until the worker is killed.
    max_retries: how often a task is run again whose worker died under it. A task that overran its
        limit isn't: it's reported at once.
    prefetch: tasks in a worker's hands at most, the running one included. More than one are sent
        only while they are small, and no more of them than a few milliseconds of work.
    env: added to the workers' environment.
    retire_failed_slots: a slot whose setup failed is used no more and the waiting task goes to the
        others; by default that task fails, and the next one tries again.

    Raises ValueError or TypeError for what can't work, before any process is started.
    """

    _here = True

    def __init__(
        self,
        worker_cls: type[BaseWorker] | str,
        gpu_ids: Sequence[int | None],
        *,
        base_seed: int = 42,
        setup_timeout: float | None = None,
        cleanup_timeout: float = 10.0,
        cancel_grace: float = 5.0,
        max_retries: int = 1,
        prefetch: int = 1,
        suppress_worker_output: bool = False,
        env: Mapping[str, str] | None = None,
        retire_failed_slots: bool = False,
    ) -> None:
        if prefetch < 1:
            raise ValueError(f"prefetch must be at least 1, not {prefetch}")
        if max_retries < 0:
            raise ValueError(f"max_retries can't be negative: {max_retries}")
        rules = Rules(
            worker=worker_name(worker_cls),
            with_main=not isinstance(worker_cls, str),
            setup_timeout=setup_timeout,
            cleanup_timeout=cleanup_timeout,
            cancel_grace=cancel_grace,
            max_retries=max_retries,
            quiet=suppress_worker_output,
            env=dict(env or {}),
            here=self._here,
        )
        self._slots = self._first_slots(gpu_ids, base_seed)
        self._retire_failed_slots = retire_failed_slots
        self._backlog = Backlog()
        self._tasks: dict[TaskId, Task] = {}
        self._numbers = itertools.count(1)
        self._setup: dict[str, Any] = {}
        self._out: list[Event] = []
        self._closing = False
        self._closing_deadline: float | None = None
        self._closed = False
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._asleep = False
        self._stirred = False
        self._some_broken = False
        self._crew = Crew(rules, self._out_append, self._settle, self._give_back, self._setup_failed, self._launch)
        self._placement = Placement(self._slots, self._backlog, self._crew, prefetch)
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(self._wake_r, False)
        os.set_blocking(self._wake_w, False)
        self._crew.selector.register(self._wake_r, selectors.EVENT_READ, None)

    def _first_slots(self, gpu_ids: Sequence[int | None], base_seed: int) -> list[Slot]:
        return [Slot(worker_id, gpu_id, base_seed + worker_id) for worker_id, gpu_id in number_workers(gpu_ids).items()]

    def _launch(self, slot: Slot, rules: Rules) -> Process:
        return launch_here(slot, rules)

    def _pack(self, data: Any) -> Payload:
        return dumps(data)

    @property
    def closed(self) -> bool:
        """Shut down, with no process left; `events` raises PoolClosedError."""
        return self._closed

    def submit(
        self,
        data: Any,
        *,
        task_id: TaskId = None,
        setup: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        gpu_id: Pin = ANY,
    ) -> TaskId:
        """Queue a task and return its id (a number, unless one is given).

        `setup` holds the keyword arguments of `BaseWorker.setup` that the task needs; two are the
        same if they are equal. The task goes to an idle worker with that setup, else to one that
        loads it for nobody yet, else to a slot without a process; else an idle worker with another
        setup leaves, or one that loads another for nobody is ended, and a new one comes.
        `timeout` counts from the task's start, in seconds. Data that can't be pickled is reported
        as an event, like every other failure; arrays in it must not be changed until the outcome.
        """
        check_setup(setup)
        if timeout is not None and not timeout > 0:
            raise ValueError(f"a timeout must be above 0 seconds, not {timeout}")
        if gpu_id != ANY and not any(gpu_id == slot.gpu_id for slot in self._slots):
            raise ValueError(f"this pool has no worker on GPU {gpu_id}")
        error = None
        try:
            payload = self._pack(data)
        except Exception:
            payload, error = NOTHING, f"the task can't be pickled\n{traceback.format_exc()}"
        with self._lock:
            if self._closing:
                raise PoolClosedError("the pool is shut down and takes no more tasks")
            seq = next(self._numbers)
            task_id = seq if task_id is None else task_id
            if task_id in self._tasks:
                raise ValueError(f"there is a task {task_id!r} already, and it isn't done")
            if (setup or {}) != self._setup:
                self._setup = dict(setup or {})
            task = Task(seq, task_id, payload, self._setup, timeout, gpu_id)
            self._tasks[task_id] = task
            if error is None:
                self._backlog.push(task)
                self._fail_unservable()
            else:
                self._settle(task, TaskError(task_id, error, None, "unpicklable"))
            self._stir()
        return task_id

    def cancel(self, task_id: TaskId) -> None:
        """Drop a task that waits; ask the worker that runs it to stop, and kill it after
        `cancel_grace`. A task that is over is left as it ended; one that still returns succeeds."""
        with self._lock:
            task = self._tasks.get(task_id)
            if task is None:
                return
            slot = next((slot for slot in self._slots if task in slot.hands), None)
            if slot is not None:
                self._crew.cancel(slot, task)
            else:
                self._drop(task, "the task was cancelled before it started")
            self._stir()

    def send(self, task_id: TaskId, message: Any) -> None:
        """Give `message` to a task, for its `BaseWorker.receive`; a task that waits gets it when it
        runs, one that is over never. Raises what pickling raises."""
        payload = dumps(message)
        with self._lock:
            task = self._tasks.get(task_id)
            if task is None:
                return
            task.mail.append(payload)
            self._crew.post(self._slots, task, payload)
            self._stir()

    def warm(self, setup: Mapping[str, Any] | None = None) -> None:
        """Start a worker with this setup in every slot that has none."""
        check_setup(setup)
        with self._lock:
            if self._closing:
                raise PoolClosedError("the pool is shut down and starts no more workers")
            for slot in self._slots:
                if slot.state == "empty" and slot.free:
                    self._crew.start(slot, dict(setup or {}))
            self._stir()

    def unload(self, gpu_id: Pin = ANY) -> None:
        """Let the workers (of one GPU) leave and hand their memory back: idle ones and those that
        load for nobody now, busy ones after their task."""
        with self._lock:
            for slot in self._slots:
                if slot.process is None or gpu_id not in (ANY, slot.gpu_id):
                    continue
                slot.leaving = True
                if slot.state == "starting" and slot.reserved is None:
                    self._crew.kill(slot, UNNEEDED)
            self._stir()

    def slots(self) -> list[SlotStatus]:
        """The slots as they are now."""
        with self._lock:
            return [slot.status() for slot in self._slots]

    def cancel_all(self) -> None:
        """`cancel` for every task."""
        with self._lock:
            task_ids = list(self._tasks)
        for task_id in task_ids:
            self.cancel(task_id)

    @property
    def broken(self) -> str | None:
        """Set once every slot's setup has failed (with `retire_failed_slots`), so that nothing can
        be run any more: what the last one said."""
        with self._lock:
            errors = [slot.broken for slot in self._slots]
            return errors[-1] if errors and None not in errors else None

    def capacity(self) -> int:
        """How many tasks without an outcome keep every worker busy now: what it may hold and one
        more. Whoever reads tasks from a long source needs to be no further ahead than this."""
        with self._lock:
            return self._placement.capacity()

    def events(self, timeout: float | None = None) -> list[Event]:
        """Run the loop once: wait until something happens, at most `timeout` seconds, and return
        it in order. Raises PoolClosedError once the pool is shut down and everything was returned."""
        with self._turn:
            with self._lock:
                if self._closed and not self._out:
                    raise PoolClosedError("the pool is shut down")
                self._advance()
                if self._out or self._closed:
                    return self._take()
                wait = self._patience(timeout)
                self._asleep = True
            ready = self._crew.selector.select(wait)
            with self._lock:
                self._asleep = False
                self._handle([key.data for key, _ in ready])
                self._advance()
                return self._take()

    def close(self, graceful: bool = True, timeout: float | None = 30.0) -> None:
        """Begin the shutdown that `shutdown` describes, without waiting: `events` carries it out
        and tells of it, until it raises PoolClosedError. May be called again, to be less patient."""
        with self._lock:
            if not self._closed:
                self._close(graceful, timeout)
                self._stir()

    def shutdown(self, graceful: bool = True, timeout: float | None = 30.0) -> list[Event]:
        """End everything and return what happened meanwhile.

        Tasks that wait are reported as cancelled. `graceful`: running ones finish and are
        delivered, the workers clean up, and what isn't gone after `timeout` seconds is killed;
        otherwise all are killed at once. Returns when no process is left. A second call joins in.
        """
        self.close(graceful, timeout)
        out: list[Event] = []
        with suppress(PoolClosedError):
            while True:
                out += self.events()
        return out

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown(graceful=kind is None)

    def _take(self) -> list[Event]:
        out, self._out = self._out, []
        return out

    def _stir(self) -> None:
        """Something changed that the loop has to act on."""
        self._stirred = True
        if self._asleep:
            self._asleep = False
            os.write(self._wake_w, b"\0")

    def _patience(self, timeout: float | None) -> float | None:
        """Seconds until the loop has to look at a limit."""
        nearest = self._closing_deadline
        for slot in self._slots:
            if slot.deadline is not None and (nearest is None or slot.deadline < nearest):
                nearest = slot.deadline
        if nearest is None:
            return timeout
        left = max(0.0, nearest - time.monotonic())
        return left if timeout is None else min(left, timeout)

    def _handle(self, ready: list[Any]) -> None:
        """First what was said, then who is gone: a death comes after the last word."""
        gone = []
        for data in ready:
            if data is None:
                os.read(self._wake_r, 4096)
                continue
            slot, process, is_sentinel = data
            if is_sentinel:
                gone.append((slot, process))
            elif slot.process is process:
                self._crew.hear(slot)
        for slot, process in gone:
            if slot.process is process:
                self._crew.bury(slot)
        now = time.monotonic()
        for slot in self._slots:
            if slot.deadline is not None and now >= slot.deadline:
                self._crew.overran(slot)
        if self._closing_deadline is not None and now >= self._closing_deadline:
            self._kill_all("it was still there when the time for the shutdown was over")
        self._stirred = True

    def _advance(self) -> None:
        """Put everybody to work, or out of it, as far as that goes now."""
        if not self._stirred:
            return
        self._stirred = False
        for slot in self._slots:
            if slot.leaving and slot.state == "idle" and slot.verdict is None:
                self._crew.retire(slot)
        if self._closing:
            self._finish_closing()
        else:
            self._placement.place()
        for slot in self._slots:
            if slot.process is not None and slot.process.channel.pending:
                self._crew.flush(slot)

    def _out_append(self, event: Event) -> None:
        self._out.append(event)

    def _settle(self, task: Task, outcome: Outcome) -> None:
        if not task.settled:
            task.settled, task.payload = True, NOTHING
            del self._tasks[task.id]
            self._out.append(outcome)

    def _drop(self, task: Task, reason: str) -> None:
        """Settle a task that isn't in a worker's hands."""
        for slot in self._slots:
            if slot.reserved is task:
                slot.reserved = None
        self._settle(task, TaskError(task.id, reason, None, "cancelled"))

    def _give_back(self, task: Task) -> None:
        if task.cancelled:
            self._drop(task, "the task was cancelled before it started")
        elif self._closing:
            self._drop(task, "the pool was shut down")
        else:
            self._backlog.push_back(task)
            self._fail_unservable()

    def _setup_failed(self, slot: Slot, error: str) -> None:
        task, slot.reserved = slot.reserved, None
        if self._retire_failed_slots and not self._closing:
            slot.broken, self._some_broken = error, True
            if task is not None:
                self._give_back(task)
            self._fail_unservable()
        elif task is not None:
            self._settle(task, TaskError(task.id, error, slot.worker_id, "setup"))

    def _fail_unservable(self) -> None:
        """Settle the tasks for which every slot is broken."""
        if not self._some_broken:
            return
        for task in self._backlog:
            fitting = [slot for slot in self._slots if slot.accepts(task)]
            if all(slot.broken for slot in fitting):
                error = f"no worker could be set up; the last one said:\n{fitting[-1].broken}"
                self._settle(task, TaskError(task.id, error, None, "setup"))

    def _close(self, graceful: bool, timeout: float | None) -> None:
        self._closing = True
        if timeout is not None:
            deadline = time.monotonic() + timeout
            self._closing_deadline = min(self._closing_deadline or deadline, deadline)
        for task in list(self._tasks.values()):
            if not any(task in slot.hands for slot in self._slots):
                self._drop(task, "the pool was shut down before the task started")
        for slot in self._slots:
            slot.leaving = True
            if slot.state == "starting":
                self._crew.kill(slot, Verdict("shutdown", "the pool was shut down"))
        if not graceful:
            self._kill_all("the pool was shut down")

    def _kill_all(self, reason: str) -> None:
        for slot in self._slots:
            self._crew.kill(slot, Verdict("shutdown", reason))
        self._closing_deadline = None

    def _finish_closing(self) -> None:
        if all(slot.state == "empty" for slot in self._slots):
            self._closed = True
            self._crew.selector.close()
            os.close(self._wake_r)
            os.close(self._wake_w)
            self._wake_w = -1
