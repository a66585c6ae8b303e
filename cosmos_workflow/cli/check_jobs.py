"""Jobs checked for the command line: what they would make, in which batches, how long it takes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmos_workflow.cli.job_input import load_jobs
from cosmos_workflow.cli.terminal import print_json
from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.jobs.document.tasks import JobFile
from cosmos_workflow.jobs.store import JobStore

if TYPE_CHECKING:
    from cosmos_workflow.jobs.plan import CheckedJob, TaskPlan


def check_jobs(files: Sequence[Path], workspace: Workspace, *, as_json: bool = False, sets: Sequence[str] = ()) -> None:
    """Print tasks, batches and time of job files; raises InputError with what is wrong. Starts nothing."""
    jobs = load_jobs(files, workspace, sets)
    name_idle(jobs)
    # Only here: whoever is told of mistakes doesn't wait until a database can be used.
    from cosmos_workflow.execution.operations import Operations
    from cosmos_workflow.gpu_dispatch.devices import default_gpu_ids
    from cosmos_workflow.jobs.orchestrator import TaskOrchestrator

    with Operations(workspace, gpu_ids=default_gpu_ids()) as operations:
        orchestrator = TaskOrchestrator(operations, JobStore(workspace))
        checked = [orchestrator.check(job) for job in jobs]
    if as_json:
        print_json([_checked_row(entry) for entry in checked])
        return
    from cosmos_workflow.cli.jobs_view import print_checked

    print_checked(checked)


def name_idle(jobs: Sequence[JobFile]) -> None:
    """Say on stderr which jobs do nothing, and why."""
    for job in jobs:
        if not any(task.enabled for task in job.tasks):
            sys.stderr.write(f"{job.name}: every task is switched off (enabled: false), so nothing is made.\n")


def _checked_row(checked: CheckedJob) -> dict[str, Any]:
    return {
        "job": checked.job.name,
        "file": str(checked.job.path),
        "tasks": [_task_row(plan) for plan in checked.plan.tasks],
        "batches": [{"items": len(batch), "engine": batch.engine, "apart": reason} for batch, reason in checked.batches],
        "seconds": round(checked.left.seconds, 1) if checked.left else None,
        "seconds_error": round(checked.left.error, 1) if checked.left else None,
    }


def _task_row(plan: TaskPlan) -> dict[str, Any]:
    return {
        "task": plan.task.id,
        "title": plan.task.title,
        "engine": plan.task.engine,
        "status": "completed" if plan.state == "done" else plan.state,
        "pieces": len(plan.pieces),
        "to_make": len(plan.wanted),
        "characters": sum(len(piece.chunk.text) for piece in plan.pieces),
        "work": plan.work,
        "unit": find_engine(plan.task.engine).cost_unit,
        "after": [need.key for need in plan.task.needs],
    }
