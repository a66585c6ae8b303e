"""Worker processes that stay alive between tasks, one a slot, driven by one loop."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Self, Unpack

from .arguments import PoolOptions, check_caller, check_limit, check_setup, checked_rules, number_workers
from .channel import NOTHING, Payload, dumps
from .devices import require_gpus, worker_environ
from .events import Event, SlotStatus, TaskId
from .loop import Loop, PoolClosedError
from .process import Process, WorkerProcess
from .reuse import HandedOut
from .scheduler import Scheduler
from .seat import Seat
from .shared import pack
from .slots import Slot
from .tasks import ANY, Pin
from .worker import BaseWorker


class WorkerPool(Loop):
    """One worker process a slot; a single-threaded loop on sockets and sentinels.

    `events` is the loop, called by one thread; every other method may be called from any thread,
    though not by a signal handler.

    worker_cls: a subclass of `BaseWorker`, or its name as ``"module:Class"``. A named class is
        imported in the workers only, and the main module isn't imported there; a class given as an
        object is found as multiprocessing's spawn finds it, main module included.
    gpu_ids: a slot for each, a position in what this program may see (as CUDA counts); None is a CPU worker, which sees no GPU.
        A slot's `worker_id` is its GPU's number, for CPU workers the lowest number that no GPU here has.
    base_seed: a worker gets ``base_seed + worker_id``.
    prefetch: tasks in a worker's hands at most, the running one included. More than one are sent
        only while they are small, and no more of them than a few milliseconds of work.
    retire_failed_slots: a slot whose setup failed is used no more and the waiting task goes to the
        others; by default that task fails, and the next one tries again.
    Further keyword arguments are those of `PoolOptions`.

    Raises ValueError or TypeError for what can't work, before any process is started.
    """

    _here = True
    eager = False
    """Whether a task is sent to an idle worker by the thread that submits it, also while the loop waits in another one: quicker
    for a single task, slower for a thread that only feeds. That it was started is then told late, with its outcome."""

    def __init__(
        self,
        worker_cls: type[BaseWorker] | str,
        gpu_ids: Sequence[int | None],
        *,
        base_seed: int = 42,
        prefetch: int = 1,
        suppress_worker_output: bool = False,
        retire_failed_slots: bool = False,
        **options: Unpack[PoolOptions],
    ) -> None:
        check_caller()
        if prefetch < 1:
            raise ValueError(f"prefetch must be at least 1, not {prefetch}")
        rules = checked_rules(
            worker_cls,
            base_seed=base_seed,
            retire_failed_slots=retire_failed_slots,
            quiet=suppress_worker_output,
            here=self._here,
            **options,
        )
        self._scheduler = Scheduler(rules, self._launch, prefetch)
        self._scheduler.slots += self._first_slots(gpu_ids)
        self._handed_out = HandedOut()
        super().__init__(self._scheduler)

    # What a pool on other machines does in its own way.

    def connect(self) -> None:
        """Have a place for the workers now and not with the first task. Nothing to do on this machine."""

    def _first_slots(self, gpu_ids: Sequence[int | None]) -> list[Slot]:
        workers = number_workers(gpu_ids)
        if self._here:
            require_gpus(gpu_ids)
        return [Slot(self._scheduler, worker_id, gpu_id) for worker_id, gpu_id in workers.items()]

    def _launch(self, slot: Seat) -> Process:
        rules = self._scheduler.rules
        env = {**worker_environ(slot.gpu_id), **(rules.env or {})}
        return WorkerProcess(f"gpu-dispatch-worker-{slot.worker_id}", env, rules.quiet)

    def _pack(self, data: Any) -> Payload:
        return pack(data)

    def submit(
        self,
        data: Any,
        *,
        task_id: TaskId = None,
        setup: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        gpu_id: Pin = ANY,
        more: bool = False,
    ) -> TaskId:
        """Queue a task and return its id (a number, unless one is given).

        `setup` holds the keyword arguments of `BaseWorker.setup` that the task needs; two are the
        same if they are equal. The task goes to an idle worker with that setup, else to one that
        loads it for nobody yet, else to a slot without a process; else an idle worker with another
        setup leaves, or one that loads another for nobody is ended, and a new one comes.
        `timeout` counts from the task's start, in seconds. `more`: another call follows at once, and `events`, if it waits in
        another thread, isn't woken for this one. Data that can't be pickled is reported
        as an event, like every other failure; arrays in it must not be changed until the outcome, and a RuntimeWarning
        says so where that is noticed.
        """
        if setup:
            check_setup(setup)
        if timeout is not None:
            check_limit("a timeout", timeout)
            if timeout == 0:
                raise ValueError("a timeout must be above 0 seconds")
        self.connect()
        if gpu_id != ANY and not any(gpu_id == slot.gpu_id for slot in self._scheduler.slots):
            raise ValueError(f"this pool has no worker on GPU {gpu_id}")
        payload, error = NOTHING, None
        try:
            payload = self._pack(data)
        except Exception:
            error = f"the task can't be pickled\n{traceback.format_exc()}"
        with self._lock:
            self._require_open("takes no more tasks")
            large = self._handed_out.look(payload.buffers) if payload.buffers else {}
            looping = self._turn.locked()
            at_once = not looping or (self._asleep and self.eager)
            task, handed = self._scheduler.submit(task_id, payload, error, setup or {}, timeout, gpu_id, at_once)
            if large:
                self._handed_out.keep(large, task)
            if handed and (not looping or timeout is None):
                return task.id  # a loop that waits need not know until the answer is there
            # Whoever is heard next will be given it, unless somebody could do with it now.
            self._stir(lazily=self._asleep and not handed and (more or not (self._scheduler.needs_tasks or self._scheduler.out)))
        return task.id

    def cancel(self, task_id: TaskId) -> None:
        """Drop a task that waits; ask the worker that runs it to stop, and kill it after
        `cancel_grace`. A task that is over is left as it ended; one that still returns succeeds."""
        with self._changing():
            self._scheduler.cancel(task_id)

    def cancel_all(self) -> None:
        """`cancel` for every task."""
        with self._changing():
            self._scheduler.cancel_all()

    def send(self, task_id: TaskId, message: Any) -> None:
        """Give `message` to a task, for its `BaseWorker.receive`; a task that waits gets it when it
        runs, one that is over never. Raises what pickling raises."""
        payload = dumps(message)
        with self._changing():
            self._scheduler.send(task_id, payload)

    def warm(self, setup: Mapping[str, Any] | None = None) -> None:
        """Start a worker with this setup in every slot that has none."""
        check_setup(setup)
        self.connect()
        arguments = dict(setup or {})
        with self._changing("starts no more workers"):
            for slot in self._scheduler.slots:
                if slot.state == "empty" and slot.free:
                    slot.start(arguments)

    def unload(self, gpu_id: Pin = ANY) -> None:
        """Let the workers (of one GPU) leave and hand their memory back: idle ones and those that
        load for nobody now, busy ones after their task."""
        with self._changing():
            for slot in self._scheduler.slots:
                if slot.worker is not None and gpu_id in (ANY, slot.gpu_id):
                    slot.leave()

    def slots(self) -> list[SlotStatus]:
        """The slots as they are now."""
        with self._lock:
            return [slot.status() for slot in self._scheduler.slots]

    @property
    def broken(self) -> str | None:
        """Set once every slot's setup has failed (with `retire_failed_slots`), so that nothing can
        be run any more: what the last one said."""
        with self._lock:
            errors = [slot.broken for slot in self._scheduler.slots]
            return errors[-1] if errors and None not in errors else None

    def capacity(self) -> int:
        """How many tasks without an outcome keep every worker busy now: what it may hold and one
        more. Whoever reads tasks from a long source needs to be no further ahead than this."""
        with self._lock:
            return self._scheduler.capacity()

    def close(self, graceful: bool = True, timeout: float | None = 30.0) -> None:
        """Begin the shutdown that `shutdown` describes, without waiting: `events` carries it out
        and tells of it, until it raises PoolClosedError. May be called again, to be less patient."""
        with self._changing():
            self._scheduler.close(graceful, timeout)

    def shutdown(self, graceful: bool = True, timeout: float | None = 30.0) -> list[Event]:
        """End everything and return what happened meanwhile.

        Tasks that wait are reported as cancelled. `graceful`: running ones finish and are
        delivered, the workers clean up, and what isn't gone after `timeout` seconds is killed;
        otherwise all are killed at once. Returns when no process is left. A second call joins in.
        """
        out: list[Event] = []
        with suppress(PoolClosedError):
            self.close(graceful, timeout)
            while True:
                out += self.events()
        return out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.shutdown(graceful=kind is None)
