"""What a job file would do, without doing it: tasks, batches with why each is apart, and the time."""

from __future__ import annotations

from dataclasses import dataclass

from cosmos_workflow.engines.spec import find_engine
from cosmos_workflow.jobs.document.tasks import JobFile
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.plan import ExecutionPlan, Mode, TaskPlan, piece_cost, queue_items
from cosmos_workflow.queueing.batches import explain_groups, plan_batches
from cosmos_workflow.queueing.items import Batch


@dataclass(frozen=True, slots=True)
class CheckedJob:
    """What a job file would do: its plan, the batches of what is to be made with why each is apart, and the time in words."""

    job: JobFile
    plan: ExecutionPlan
    batches: tuple[tuple[Batch, str], ...]
    time: str


def check_job(job: JobFile, orchestrator: TaskOrchestrator, mode: Mode = "resume") -> CheckedJob:
    """What running this job would do now."""
    plan = orchestrator.plan(job, mode)
    items = [item for task in plan.tasks for item in queue_items(task)]
    batches = list(plan_batches(items, orchestrator.operations.batch_size))
    left = orchestrator.operations.time_left(items)
    if not items:
        time = "nothing is left to make"
    elif left is None:
        time = "not known before the engine has made something here"
    else:
        time = str(left)
        if not all(item.cost for item in items):
            time += "; what waits for other tasks isn't counted in"
    return CheckedJob(job, plan, tuple(zip(batches, explain_groups(batches), strict=True)), time)


def work_of(plan: TaskPlan) -> float | None:
    """How much work a take of each piece of a task is, in its engine's unit; None where earlier tasks decide that."""
    costs = [piece_cost(plan.task, piece) for piece in plan.pieces]
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 3) if len(known) == len(costs) else None


def work_text(plan: TaskPlan) -> str:
    """The same in words: "1,234 characters", "180 frames"."""
    work, unit = work_of(plan), find_engine(plan.task.engine).cost_unit
    return f"not known yet ({unit})" if work is None else f"{work:,.0f} {unit}"
