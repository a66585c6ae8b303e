"""Job files read and checked for the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmos_workflow.cli.terminal import print_json
from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.jobs.document.tasks import JobFile
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.yaml_places import JobFileError, Problem

if TYPE_CHECKING:
    from cosmos_workflow.jobs.plan import CheckedJob, TaskPlan


def load_jobs(files: Sequence[Path], workspace: Workspace) -> list[JobFile]:
    """The checked jobs in these files; raises JobFileError with the problems of all of them."""
    store = JobStore(workspace)
    jobs: list[JobFile] = []
    problems: list[Problem] = []
    for path in dict.fromkeys(path.absolute() for path in files):
        try:
            jobs.append(store.load(_as_given(path)))
        except JobFileError as error:
            problems.extend(error.problems)
    if problems:
        raise JobFileError(problems)
    return jobs


def check_jobs(files: Sequence[Path], workspace: Workspace, *, as_json: bool = False) -> None:
    """Print tasks, batches and time of job files; raises InputError with what is wrong. Starts nothing."""
    jobs = load_jobs(files, workspace)
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


def _as_given(path: Path) -> Path:
    """A path as people write it, for messages: relative where it lies below the present folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


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
        "state": plan.state,
        "pieces": len(plan.pieces),
        "to make": len(plan.wanted),
        "characters": sum(len(piece.chunk.text) for piece in plan.pieces),
        "work": plan.work,
        "unit": find_engine(plan.task.engine).cost_unit,
        "after": [need.key for need in plan.task.needs],
    }
