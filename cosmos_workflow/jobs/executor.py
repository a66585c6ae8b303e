"""Works off the plan of one job: its takes go through the same queue and runner as everything else, then are put together."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from cosmos_workflow.checking.worker import Checker
from cosmos_workflow.errors import WorkflowError
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.runner import QueueRunner, RunnerState
from cosmos_workflow.jobs.document.tasks import slug
from cosmos_workflow.jobs.ears import Ears, heard_back
from cosmos_workflow.jobs.events import JobProgressed, JobStarted, OnEvent, TakeMade, TaskEnded, TaskResult
from cosmos_workflow.jobs.plan import ExecutionPlan, TaskPlan, plan_task, queue_items
from cosmos_workflow.jobs.speech.assembly import assemble, refresh_subtitles
from cosmos_workflow.jobs.state import JobReader, TaskReport, TaskStatus
from cosmos_workflow.jobs.takes import TakeRef
from cosmos_workflow.queueing.items import ItemStatus, QueueItem
from cosmos_workflow.queueing.queue import Queue


class TaskExecutor:
    """Runs the tasks of one job. Takes of several tasks share batches; a task is put together as soon as its takes are done.

    A task that needs others is planned again once these are done: only then is it known whether what it would make is there.
    `damaged` says by take what was made before and found damaged; the result of its task notes that. `stop` ends it early: the
    running batch is finished, nothing new begins.
    """

    def __init__(
        self,
        operations: Operations,
        reader: JobReader,
        plan: ExecutionPlan,
        job_id: str,
        notify: OnEvent,
        stop: threading.Event,
        checker: Checker,
        damaged: Mapping[str, str],
    ) -> None:
        self._reader = reader
        self._notify = notify
        self._plan, self._job_id, self._stop = plan, job_id, stop
        self._checker = checker
        self._damaged = dict(damaged)
        self._queue = Queue(owner=reader.jobs.owner, size_of=operations.batch_size)
        self._runner = QueueRunner(self._queue, operations, stop)
        self._ears = Ears(reader, checker, self._runner.changes.notify)
        self._plans = {task.task.id: task for task in plan.tasks}
        self._held = {task_id for task_id, task in self._plans.items() if task.task.needs}
        self._items: dict[str, QueueItem] = {}
        self._ended: set[str] = set()
        self._made: dict[str, int] = {}
        self._results: dict[str, TaskResult] = {}

    def run(self) -> list[TaskResult]:
        """Make what the plan wants, put together what is whole, and say how each task ended, in the order of the file.

        The caller holds the job's lock. An exception cancels what runs. Raises UnavailableError before anything begins where a
        task is to be heard back and that can't be done here.
        """
        for task in self._plan.tasks:
            if task.task.check:
                self._checker.require(task.task.check.model)
        self._add([plan for task_id, plan in self._plans.items() if task_id not in self._held])
        self._notify(JobStarted(self._job_id, self._plan))
        try:
            reason = self._work()
        except BaseException:
            self._runner.stop()
            raise
        for task_id, plan in self._plans.items():
            if task_id not in self._results:
                self._end(plan, reason)
        return [self._results[task_id] for task_id in self._plans]

    def _work(self) -> str:
        """Wait until the runner rests; returns why it stopped before everything was done, or nothing."""
        for plan in self._plans.values():
            self._listen_to_made(plan)
        self._go_on()
        if not self._items and not self._ears.busy:
            return ""
        self._runner.start()
        with self._runner.changes.watch() as wait:
            while True:
                wait(None)
                snapshot = self._runner.snapshot()
                released = self._take_in(snapshot.queue.finished)
                released = self._hear() or released
                # How long the tasks that are held take isn't in the queue's time.
                self._notify(JobProgressed(self._job_id, replace(snapshot, left=None) if self._held else snapshot))
                if not snapshot.active and not released and not (self._ears.busy and self._runs_on()):
                    self._runner.join()
                    if not self._take_in(self._queue.snapshot().finished) and not self._hear():
                        return snapshot.reason if snapshot.state is RunnerState.HELD else ""

    def _runs_on(self) -> bool:
        """Whether the runner goes on with what it is given."""
        return not self._stop.is_set() and self._runner.snapshot().state in (RunnerState.IDLE, RunnerState.RUNNING)

    def _take_in(self, finished: Sequence[QueueItem]) -> bool:
        """Note what is finished; whether tasks that waited for it were queued."""
        new = [item for item in finished if item.id not in self._ended]
        for item in new:
            self._ended.add(item.id)
            task_id = TakeRef.parse(item.source).task_id
            if item.status is ItemStatus.SUCCEEDED:
                self._made[task_id] = self._made.get(task_id, 0) + 1
            error = "" if item.status is ItemStatus.SUCCEEDED else item.error or str(item.status)
            if not error:
                self._listen_to(item)
            self._notify(TakeMade(task_id, item.prompt_text, error, len(self._ended), len(self._items)))
        return bool(new) and self._go_on()

    def _listen_to_made(self, plan: TaskPlan) -> None:
        """Have the takes of a plan heard that were made before and not heard."""
        takes = [take for piece in plan.pieces for take in piece.takes if not take.verdict]
        self._ears.listen(plan.task, [take.made for take in takes if take.made])

    def _listen_to(self, item: QueueItem) -> None:
        """Have a take that was made heard, for each task that uses it."""
        take = TakeRef.parse(item.source).take
        for plan in self._plans.values():
            if plan.task.check and any(wanted.digest == take for wanted in plan.wanted):
                runs = self._reader.store.runs.of_items([item.id], self._reader.jobs.owner)
                self._ears.listen(plan.task, [run for run in runs if run.status is ItemStatus.SUCCEEDED][-1:])

    def _hear(self) -> bool:
        """Take in what was heard since the last look: a piece that isn't good enough is made again where it may be."""
        tasks = self._ears.take()
        again = False
        for task_id in tasks:
            plan = self._plans[task_id]
            if self._runs_on() and not plan.only and task_id not in self._results:
                again = self._add([self._planned_again(plan)]) or again
        if again:
            self._runner.start()
        return (bool(tasks) and self._go_on()) or again

    def _planned_again(self, before: TaskPlan) -> TaskPlan:
        """The plan with the takes that are wanted since others weren't good enough."""
        pieces = self._reader.pieces(before.task, self._reader.look(self._job_id))
        known = {take.digest for take in before.wanted}
        takes = {take.digest: take for piece in pieces for take in piece.takes}
        new = tuple(take for digest, take in takes.items() if not take.last and digest not in known)
        plan = replace(before, pieces=pieces, wanted=(*before.wanted, *new))
        self._plans[before.task.id] = plan
        return replace(plan, wanted=new)

    def _go_on(self) -> bool:
        """End the tasks whose takes are done, and release those that waited for them; whether these have something to make."""
        released = False
        for task_id in self._plans:  # in the order of the file: what a task needs stands before it
            if task_id in self._results:
                continue
            needs = {need.id for need in self._plans[task_id].task.needs} if task_id in self._held else set[str]()
            if needs and needs & self._plans.keys() <= self._results.keys() and self._runs_on():
                released = self._release(task_id) or released
            plan = self._plans[task_id]
            waits = task_id in self._held or any(self._items[take.digest].id not in self._ended for take in plan.wanted)
            if not waits and not self._ears.listens_for(task_id):
                self._end(plan)
        return released

    def _release(self, task_id: str) -> bool:
        """Plan a task anew, with what its needs have made, and queue it; where one of them made nothing, nor does this one."""
        before = self._plans[task_id]
        look = self._reader.look(self._job_id)
        pieces = self._reader.pieces(before.task, look)
        if damaged := self._reader.put_aside_damaged(look, look.sought):  # what other jobs have made, and only now was found
            self._damaged |= damaged
            pieces = self._reader.pieces(before.task, self._reader.look(self._job_id))
        # It was never tried, since what it needs had failed: now it is what a run of the failed ones is for.
        mode = "resume" if before.mode == "failed" and before.waits else before.mode
        plan = plan_task(before.task, pieces, mode, before.only)
        plan = replace(plan, wanted=()) if plan.waits else plan
        self._plans[task_id] = plan
        self._held.discard(task_id)
        self._listen_to_made(plan)
        if not self._add([plan]):
            return False
        self._runner.start()
        return True

    def _end(self, plan: TaskPlan, reason: str = "") -> None:
        """Put a task together where it is whole and its final isn't up to date, and say where it is."""
        task, made = plan.task, self._made.get(plan.task.id, 0)
        reason = reason or self._ears.problems.get(task.id, "")
        report = self._reader.report(task)
        if task.joined and not report.missing:
            try:
                if report.current and report.final:
                    pieces = self._reader.to_join(report)
                    refresh_subtitles(report.final, pieces, task.subtitles, self._reader.jobs.disk)
                else:
                    put_together(self._reader, report, _mixed(plan, made))
            except WorkflowError as error:
                reason = str(error)
            report = self._reader.report(task)
        self._results[task.id] = result = result_of(self._reader, report, made, reason, self._damaged)
        self._notify(TaskEnded(result))

    def _add(self, plans: Iterable[TaskPlan]) -> bool:
        """Queue the takes of these plans, one item a take though several tasks may want it; whether there was a new one."""
        new: dict[str, QueueItem] = {}
        for plan in plans:
            for item in queue_items(plan):
                take = TakeRef.parse(item.source).take
                if take not in self._items:
                    new.setdefault(take, item)
        self._items |= new
        self._queue.extend(list(new.values()))
        return bool(new)


def _mixed(plan: TaskPlan, made: int) -> str:
    """What a listener should know of a final that has takes of this run and of earlier ones, where all were to be made again."""
    if plan.mode != "all" or plan.only or made >= len(plan.wanted):
        return ""
    return f"Mixed: {made} of {len(plan.wanted)} takes were made again, the others are from before."


def put_together(reader: JobReader, report: TaskReport, note: str = "") -> None:
    """A new final from the pieces that are used now, with a note for its listeners. Raises WorkflowError."""
    task = report.task
    name = f"{slug(task.job_name)}-{task.key}"
    folder = reader.jobs.task_folder(task.id)
    assemble(reader.to_join(report), task.audio, folder, name, reader.jobs.disk, task.subtitles, note)


def result_of(
    reader: JobReader, report: TaskReport, made: int = 0, failed: str = "", damaged: Mapping[str, str] = MappingProxyType({})
) -> TaskResult:
    """A report as the end of a run; `damaged` as TaskExecutor has it."""
    task, final = report.task, report.final
    files: dict[str, Path] = {}
    notes: list[str] = []
    if task.joined and final and report.current:
        files = final.files
    elif not task.joined and (run := report.chosen[0]) is not None:
        files = {key: reader.store.runs.output_path(run, key) for key in run.outputs}
        notes = [str(note) for note in run.metadata.get("notes", ())]
    if final and files:
        notes.append(final.note)
    heard = heard_back(reader, report)
    notes += [heard.sentence] if heard else []
    takes = {take.digest for piece in report.pieces for take in piece.takes}
    if problems := [problem for take, problem in damaged.items() if take in takes]:
        more = f" And {len(problems) - 1} more." if problems[1:] else ""
        notes.append(f"Made again, since a file was damaged: {problems[0]}{more}")
    return TaskResult(
        task_id=task.id,
        title=task.title,
        status=report.status,
        label=report.label,
        made=made,
        pieces=len(report.pieces),
        missing=tuple(f"piece {piece.index + 1}: {piece.error or 'not made yet'}" for piece in report.missing if not piece.later),
        files=files,
        seconds=final.seconds if final and files else None,
        error="" if report.status is TaskStatus.COMPLETED else failed or report.message,
        note=" ".join(note for note in notes if note),
        heard=heard,
    )
