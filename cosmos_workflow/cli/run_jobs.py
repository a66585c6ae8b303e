"""The verbs run and jobs of the command line; each is also a function that a program may call."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmos_workflow.cli.check_jobs import name_idle
from cosmos_workflow.cli.desktop import show_notice
from cosmos_workflow.cli.job_input import load_jobs
from cosmos_workflow.cli.json_progress import JsonProgress
from cosmos_workflow.cli.terminal import print_json
from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.registry import availability_of, find_engine, require_available
from cosmos_workflow.errors import InputError, UnavailableError, WorkflowError
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.task_router import Pool
from cosmos_workflow.files import Disk
from cosmos_workflow.gpu_dispatch.pool import WorkerPool
from cosmos_workflow.jobs.books.final import BookBinder, BookFinal
from cosmos_workflow.jobs.document.tasks import JobFile, is_slug, slug
from cosmos_workflow.jobs.events import OnEvent, TaskEnded, TaskResult
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.state import TaskStatus
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.jobs.takes import Mode

if TYPE_CHECKING:
    from cosmos_workflow.cli.jobs_view import RunView


def run_jobs(
    files: Sequence[Path],
    workspace: Workspace,
    gpu_ids: Sequence[int | None] | None,
    *,
    mode: Mode = "resume",
    as_json: bool = False,
    pool: Callable[..., Pool] = WorkerPool,
    sets: Sequence[str] = (),
    out: Path | None = None,
    notify: bool = False,
) -> bool:
    """Run job files one after another, and show how it goes; whether every enabled task is completed.

    `sets` changes keys of the jobs, `out` is a folder for copies of what they give, and `notify` shows a notice at the end.
    Raises InputError with what is wrong in any of the files, before anything starts.
    """
    jobs = load_jobs(files, workspace, sets)
    name_idle(jobs)
    if out is not None:
        _make_out(out)
    try:
        with (
            _view(as_json) as view,
            Operations(workspace, gpu_ids=gpu_ids, pool=pool, on_dispatch_event=view.watch) as operations,
        ):
            results = run_job_files(jobs, operations, mode, view.see)
    except UnavailableError as error:
        if notify:
            _notify(jobs, str(error))
        raise
    if notify:
        counts = Counter(status_word(result.status) for ended in results for result in ended)
        _notify(jobs, ", ".join(f"{number} {status}" for status, number in counts.items()) or "There was nothing to do.")
    if out is not None:
        results = [[_copied(job, result, out) for result in ended] for job, ended in zip(jobs, results, strict=True)]
    told = [_result_row(job, result) for job, ended in zip(jobs, results, strict=True) for result in ended]
    told += [_book_row(job, book) for job in jobs if job.book and (book := BookBinder(JobStore(workspace)).find(job.id))]
    if as_json:
        print_json(told)
    return all(result.succeeded for ended in results for result in ended)


def run_job_files(
    jobs: Sequence[JobFile], operations: Operations, mode: Mode = "resume", on_event: OnEvent | None = None
) -> list[list[TaskResult]]:
    """Run checked jobs one after another; how each job's enabled tasks ended. One that can't be run stops no other."""
    orchestrator = TaskOrchestrator(operations, JobStore(operations.workspace))
    _require_an_engine(jobs, orchestrator, mode)
    results: list[list[TaskResult]] = []
    for job in jobs:
        try:
            results.append(orchestrator.run(job, mode, on_event))
        except WorkflowError as error:
            failed = TaskResult(job.id, job.name, TaskStatus.FAILED, str(TaskStatus.FAILED), error=str(error))
            if on_event:
                on_event(TaskEnded(failed))
            results.append([failed])
    return results


def _require_an_engine(jobs: Sequence[JobFile], orchestrator: TaskOrchestrator, mode: Mode) -> None:
    """Raise UnavailableError, which says what to do, where no engine of what is wanted can run here."""
    engines: dict[str, None] = {}
    for job in jobs:
        with suppress(WorkflowError):  # said when it is run
            engines |= dict.fromkeys(task.task.engine for task in orchestrator.plan(job, mode).tasks if task.wanted)
    if engines and not any(availability_of(find_engine(name)).available for name in engines):
        require_available(next(iter(engines)))


def _notify(jobs: Sequence[JobFile], text: str) -> None:
    """Show a notice on the desktop, or say on stderr why not."""
    if problem := show_notice(", ".join(job.name for job in jobs), text):
        sys.stderr.write(f"{problem}\n")


def _make_out(out: Path) -> None:
    """Make the folder for copies; raises InputError where it can't be, before hours of work are done."""
    try:
        Disk().make_folder(out.absolute())
    except UnavailableError as error:
        raise InputError(f"--out: {error}", key="--out") from error


def _copied(job: JobFile, result: TaskResult, out: Path) -> TaskResult:
    """The result with copies of its files in a folder, named after job and task; UnavailableError where it can't be written."""
    _, _, task = result.task_id.partition("/")
    disk = Disk()
    copies: dict[str, Path] = {}
    for key, path in result.files.items():
        alike = sum(path.suffix == other.suffix for other in result.files.values()) > 1
        name = f"{slug(job.name)}-{task or 'job'}" + (f"-{key.replace('/', '-')}" if alike else "")
        copies[key] = out / f"{name}{path.suffix}"
        disk.copy(path, copies[key].absolute())
    return replace(result, files=copies)


def list_jobs(workspace: Workspace) -> list[dict[str, Any]]:
    """The jobs of the workspace with their status, a row each."""
    with Operations(workspace) as operations:
        entries = JobManager(TaskOrchestrator(operations, JobStore(workspace))).list()
    return [
        {
            "job": entry.stored.id,
            "name": entry.stored.name,
            "enabled": entry.stored.enabled,
            "status": status_word(entry.report.status) if entry.report else "wrong",
            "progress": round(entry.report.progress, 3) if entry.report else 0.0,
            "tasks": len(entry.report.tasks) if entry.report else 0,
            "file": str(entry.stored.path),
            "message": entry.stored.problem
            or "; ".join(task.message for task in (entry.report.tasks if entry.report else ()) if not task.current),
        }
        for entry in entries
    ]


def list_elsewhere(workspace: Workspace) -> list[str]:
    """The jobs that were run from files outside the workspace: `jobs` can't list them, as nobody knows where these are now."""
    store = JobStore(workspace)
    return sorted({path.name for path in store.folder.iterdir() if path.is_dir() and is_slug(path.name)} - set(store.ids()))


def _view(as_json: bool) -> AbstractContextManager[RunView | JsonProgress]:
    """What shows how it goes: bars on stdout, or on stderr where stdout is JSON; JSON lines where a program reads stderr, too."""
    if as_json and not sys.stderr.isatty():
        return nullcontext(JsonProgress(sys.stderr))
    from rich.console import Console

    from cosmos_workflow.cli.jobs_view import RunView

    return RunView(Console(stderr=as_json))


def status_word(status: TaskStatus) -> str:
    """The status of a task or a job as a program reads it: new, running, partial, completed or failed."""
    return str(status).lower()


def _result_row(job: JobFile, result: TaskResult) -> dict[str, Any]:
    return {
        "job": job.name,
        "task": result.task_id,
        "title": result.title,
        "status": status_word(result.status),
        "made": result.made,
        "pieces": result.pieces,
        "missing": list(result.missing),
        "files": {key: str(path) for key, path in result.files.items()},
        "seconds": result.seconds,
        "error": result.error,
        "note": result.note,
        "heard": asdict(result.heard) if result.heard else None,
    }


def _book_row(job: JobFile, book: BookFinal) -> dict[str, Any]:
    return {
        "job": job.name,
        "book": book.title,
        "files": {file.path.name: str(file.path) for file in book.files},
        "chapters": [chapter.title for file in book.files for chapter in file.chapters],
        "seconds": book.seconds,
        "note": book.note,
    }
