"""A job that is made again as a whole, while that goes on: what counts then is what is made now, not what was there before."""

from __future__ import annotations

from dataclasses import replace

from cosmos_workflow.execution.runner import RunnerSnapshot
from cosmos_workflow.jobs.state import JobReport, TaskReport
from cosmos_workflow.jobs.status import TaskStatus
from cosmos_workflow.jobs.takes import TakeRef
from cosmos_workflow.queueing.items import ItemStatus


def counted_again(report: JobReport, snapshot: RunnerSnapshot) -> JobReport:
    """The report of a job whose runner makes everything again: progress and words of its tasks are those of this run."""
    queue = snapshot.queue
    shares = {item.id: 1.0 for item in queue.finished if item.status is ItemStatus.SUCCEEDED}
    shares |= {item.id: snapshot.progress[item.id].fraction for item in queue.running if item.id in snapshot.progress}
    by_task: dict[str, list[str]] = {}
    for item in (*queue.finished, *queue.items):
        by_task.setdefault(TakeRef.parse(item.source).task_id, []).append(item.id)
    waiting = {TakeRef.parse(item.source).task_id for item in queue.items}
    done = {item.id for item in queue.finished if item.status is ItemStatus.SUCCEEDED}

    def counted(task: TaskReport) -> TaskReport:
        items = by_task.get(task.task.id, [])
        if task.task.id not in waiting:
            return task
        progress = sum(shares.get(item, 0.0) for item in items) / len(items)
        again = sum(item in done for item in items)
        message = f"{again:,} of {len(items):,} made again"
        return replace(task, status=TaskStatus.RUNNING, progress=min(0.99, progress), message=message)

    every = [item for items in by_task.values() for item in items]
    share = sum(shares.get(item, 0.0) for item in every) / len(every) if every else 0.0
    return replace(report, progress=min(0.99, share), tasks=tuple(counted(task) for task in report.tasks))
