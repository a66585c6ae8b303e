"""What to do for a job, and in whose turn: plans, runs one job at a time under its lock, and answers where everything is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import Timeout

from cosmos_workflow.checking.worker import Checker
from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError, shorten
from cosmos_workflow.execution.estimates import TimeLeft
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.gpu_dispatch.devices import default_gpu_ids
from cosmos_workflow.jobs.books.final import BookBinder, BookFinal
from cosmos_workflow.jobs.document.tasks import JobFile, TaskConfig, all_needs
from cosmos_workflow.jobs.events import BookBound, JobEvent, JobWaiting, OnEvent, TaskEnded, TaskResult, job_notice
from cosmos_workflow.jobs.executor import TaskExecutor, put_together, result_of
from cosmos_workflow.jobs.looks import Look
from cosmos_workflow.jobs.plan import CheckedJob, ExecutionPlan, plan_task, queue_items
from cosmos_workflow.jobs.reports import JobReport, TaskReport
from cosmos_workflow.jobs.state import JobReader
from cosmos_workflow.jobs.status import TaskStatus
from cosmos_workflow.jobs.store import GLANCE, JobStore
from cosmos_workflow.jobs.takes import Choice, Mode, PieceState
from cosmos_workflow.queueing.batches import explain_groups, plan_batches

_TURN = 0.5
"""Seconds between two looks whether another program gave a job back."""


class TaskOrchestrator:
    """Plans and runs jobs of one owner. Every method may be called from any thread."""

    def __init__(self, operations: Operations, jobs: JobStore, open_checker: Callable[[], Checker] = Checker) -> None:
        self.operations = operations
        self.jobs = jobs
        self.reader = JobReader(operations.store, jobs)
        self.binder = BookBinder(jobs)
        self._open_checker = open_checker
        self._live: set[str] = set()
        self._known: dict[str, JobFile] = {}

    # --- planning ---

    def plan(
        self,
        job: JobFile,
        mode: Mode = "resume",
        takes: Collection[str] = (),
        tasks: Collection[str] = (),
        look: Look | None = None,
    ) -> ExecutionPlan:
        """What a run in this mode would do: new, partial, done or failed, task by task.

        `tasks` names by their keys those that are run, switched on or not, with what is missing of those that they need;
        without it, all that are switched on are.
        """
        look = look or self.reader.look(job.id)
        chosen = [self.task(job, key) for key in tasks] or [task for task in job.tasks if task.enabled]
        keys = {task.key for task in chosen}
        needed = [task for task in all_needs(chosen) if task.key not in keys] if tasks else []
        plans = [
            plan_task(task, self.reader.pieces(task, look), mode if task.key in keys else "resume", takes)
            for task in sorted([*chosen, *needed], key=lambda task: task.number)
        ]
        return ExecutionPlan(tuple(plans))

    def check(self, job: JobFile) -> CheckedJob:
        """What running this job would do now."""
        plan = self.plan(job)
        items = [item for task in plan.tasks for item in queue_items(task)]
        batches = list(plan_batches(items, self.operations.batch_size))
        left = self.operations.time_left(items)
        if not items:
            left, time = TimeLeft(0.0, 0.0), "nothing is left to make"
        elif left is None:
            time = "not known before the engine has made something here"
        else:
            time = str(left)
            if not all(item.cost for item in items):
                time += "; what waits for other tasks isn't counted in"
        return CheckedJob(job, plan, tuple(zip(batches, explain_groups(batches), strict=True)), time, left)

    # --- running ---

    def run(
        self,
        job: JobFile,
        mode: Mode = "resume",
        on_event: OnEvent | None = None,
        stop: threading.Event | None = None,
        takes: Collection[str] = (),
        tasks: Collection[str] = (),
    ) -> list[TaskResult]:
        """Run a job, or the tasks of these keys with those that they need, to the end, and say how each task ended; see `plan`.

        Waits while another program runs the same job, and plans only then: what the other made isn't made again.
        """
        stop, notify = stop or threading.Event(), on_event or (lambda _event: None)
        with self._held(job, notify, stop) as held:
            if not held:
                return []
            # What a program that was killed left running counts as not made, from here on.
            self.operations.store.recovery.sweep()
            look = self.reader.look(job.id)
            plan = self.plan(job, mode, takes, tasks, look)  # which also finds what other jobs have made of it
            if damaged := self.reader.put_aside_damaged(look):
                plan = self.plan(job, mode, takes, tasks)
            started = time.time()
            with self._encoding(job, notify) as told, closing(self._open_checker()) as checker:
                results = TaskExecutor(self.operations, self.reader, plan, job.id, told, stop, checker, damaged).run()
            if job.book and (book := self._bind(job)):
                notify(BookBound(job.id, book))
            seconds = round(time.time() - started, 1)
            self.operations.notifier.tell(lambda: job_notice(job, self.jobs.owner, results, seconds))
            return results

    def assemble(self, job: JobFile, key: str, bind: bool = True) -> TaskResult:
        """Put a task together anew from what is there, without making anything; the earlier finals stay.

        With `bind`, the book that the task is a chapter of follows.

        Raises InputError where a piece is missing, and says which; UnavailableError while the job runs.
        """
        task = self.task(job, key)
        if not task.joined:
            raise InputError(f"{task.title}: its result is one file; there is nothing to put together.")
        with self.jobs.held_now(job.id, job.name):
            look = self.reader.look(job.id)
            self.reader.pieces(task, look)
            self.reader.put_aside_damaged(look)
            report = self.reader.report(task)
            if report.missing:
                raise InputError(f"{task.title} is {report.label}: {report.message}; run the job first.")
            put_together(self.reader, report)
            if bind:
                self._bind(job)
            return result_of(self.reader, self.reader.report(task))

    def bind(self, job: JobFile) -> BookFinal | None:
        """Put a job's book together from the chapters that are there, without making anything; None where there is none.

        Raises UnavailableError while the job runs.
        """
        with self.jobs.held_now(job.id, job.name):
            return self._bind(job)

    def _bind(self, job: JobFile) -> BookFinal | None:
        return self.binder.bind(job, self.reader.read_job(job).tasks)

    @contextmanager
    def _encoding(self, job: JobFile, notify: OnEvent) -> Iterator[OnEvent]:
        """Has each chapter of a book encoded as soon as it is there, while the others are made."""
        if job.book is None:
            yield notify
            return
        with self.binder.encoding(job) as encode:

            def see(event: JobEvent) -> None:
                if isinstance(event, TaskEnded) and event.result.succeeded:
                    encode(self.report_task(job, event.result.task_id.partition("/")[2]))
                notify(event)

            yield see

    def want_again(self, job: JobFile, key: str, piece: int) -> str:
        """Note that one more take of a piece (counted from 0) is wanted; returns its digest, for `run` in the mode "all".

        It has a seed of its own, where the engine has seeds, or else is said the same a little differently. Which take is used
        then is picked as always, unless a person chose; where the engine has no other way, the newest is used.
        """
        task = self.task(job, key)
        state = self._piece(task, piece)
        if state.later:
            raise InputError(f"{task.title} {self.reader.report(task).waits}; run the job first.")
        choice = self.jobs.choices(task.id).get(state.digest, Choice())
        self.jobs.set_choice(task.id, state.digest, replace(choice, extra=len(state.takes) + 1 - task.candidates.count))
        takes = self._piece(task, piece).takes
        if len(takes) > len(state.takes):
            return takes[-1].digest
        # It can only say it the same way again.
        self.jobs.set_choice(task.id, state.digest, replace(choice, run_id=""))
        return state.digest

    def choose(self, job: JobFile, key: str, piece: int, run_id: str = "") -> TaskReport:
        """Use this take of a piece (counted from 0), or with an empty id the best one again; `assemble` makes it heard."""
        task, look = self.task(job, key), self.reader.look(job.id)
        state = self._piece(task, piece, look)
        if run_id and run_id not in [run.id for run in look.heard(state)]:
            raise InputError(f"{shorten(run_id)} isn't a take of piece {piece + 1}; choose one of its takes.")
        choice = self.jobs.choices(task.id).get(state.digest, Choice())
        self.jobs.set_choice(task.id, state.digest, replace(choice, run_id=run_id))
        return self.reader.report(task)

    # --- looking ---

    def report(self, job: JobFile) -> JobReport:
        """Where a job and its tasks are."""
        return self.reader.read_job(job, self.is_live(job.id))

    def report_task(self, job: JobFile, key: str) -> TaskReport:
        """Where one task of a job is."""
        return self.reader.report(self.task(job, key))

    def task(self, job: JobFile, key: str) -> TaskConfig:
        """The task of that key; raises InputError where there is none."""
        task = job.task(key)
        if task is None:
            raise InputError(f"The job {job.name} has no task {shorten(key)}; the file may have changed.")
        return task

    def is_live(self, job_id: str) -> bool:
        """Whether this program is running the job now."""
        return job_id in self._live

    def get_detailed_status(self, task_id: str) -> dict[str, Any] | None:
        """Where a task is; None for an unknown id ("job/task").

        `progress` is a fraction in [0, 1], the times are seconds since 1970; `estimated_completion` is None where nothing
        runs, or where its engine has made nothing here yet.
        """
        job_id, _, key = task_id.partition("/")
        stored = self.jobs.find(job_id)
        # A job that was run from a file outside the workspace is known from its run.
        job = stored.job if stored and stored.job else self._known.get(job_id)
        task = job.task(key) if job else None
        if job is None or task is None:
            return None
        report = self.reader.read_task(task, self.reader.look(job.id), self.is_live(job.id))
        return {
            "task_id": task.id,
            "job_name": job.name,
            "status": str(report.status),
            "progress": round(report.progress, 4),
            "message": report.message,
            "start_time": report.started_at,
            "estimated_completion": time.time() + left.seconds if (left := self.left_of(report)) else None,
        }

    def left_of(self, report: TaskReport) -> TimeLeft | None:
        """How long a task goes on; None where it doesn't run, or its engine has made nothing here yet."""
        if report.status is not TaskStatus.RUNNING:
            return None
        return self.operations.time_left(queue_items(plan_task(report.task, report.pieces, "resume")))

    def _piece(self, task: TaskConfig, piece: int, known: Look | None = None) -> PieceState:
        pieces = self.reader.pieces(task, known or self.reader.look(task.job_id))
        if not 0 <= piece < len(pieces):
            raise InputError(f"{task.title} has no piece {piece + 1}; it has {len(pieces)}.")
        return pieces[piece]

    # --- turns ---

    @contextmanager
    def _held(self, job: JobFile, notify: OnEvent, stop: threading.Event) -> Iterator[bool]:
        """The job's lock, once whoever else has it gave it back, with the job marked as live; False where `stop` came first."""
        lock = self.jobs.job_lock(job.id)
        told = False
        while not stop.is_set():
            try:
                lock.acquire(timeout=_TURN if told else GLANCE)
            except Timeout:
                if not told:
                    notify(JobWaiting(job.id))
                told = True
                continue
            self._live.add(job.id)
            self._known[job.id] = job
            try:
                yield True
            finally:
                self._live.discard(job.id)
                lock.release()
            return
        yield False


def run_job(
    file: Path | str, workspace: Workspace | Path | str | None = None, *, mode: Mode = "resume", on_event: OnEvent | None = None
) -> list[TaskResult]:
    """Run a job file to its end on this machine's devices, and say how each of its enabled tasks ended.

    `workspace` is the folder for everything, or an open one; by default the user's own. Raises InputError with what is wrong in
    the file, before anything starts.
    """
    opened = workspace if isinstance(workspace, Workspace) else Workspace.open(workspace)
    jobs = JobStore(opened)
    job = jobs.load(Path(file))
    with Operations(opened, gpu_ids=default_gpu_ids()) as operations:
        return TaskOrchestrator(operations, jobs).run(job, mode, on_event)
