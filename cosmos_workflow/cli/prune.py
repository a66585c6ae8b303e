"""The verb `prune`: says what could go from the disk, and deletes it once that was agreed to."""

from __future__ import annotations

import glob
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cosmos_workflow.cli.options import ExitCode, JsonOption, WorkspaceOption, open_workspace
from cosmos_workflow.cli.terminal import show
from cosmos_workflow.cli.weights import known_weights
from cosmos_workflow.errors import InputError, list_choices

if TYPE_CHECKING:
    from cosmos_workflow.config import Workspace
    from cosmos_workflow.engines.model_files.sets import ModelFiles
    from cosmos_workflow.execution.operations import Operations


@dataclass(frozen=True, slots=True)
class Waste:
    """Something that could go: what it is, how many files or runs, their bytes, and how it goes."""

    what: str
    number: int
    size: int
    remove: Callable[[], object]


def prune(
    workspace: WorkspaceOption = None,
    weights: Annotated[
        list[str] | None, typer.Option(help="Also this set of model files, by its name in `weights show`.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what could go: earlier finals and unused takes of jobs, and what `repair` put aside; delete it once you agree."""
    from cosmos_workflow.execution.operations import Operations

    sets = known_weights() if weights else {}
    for name in weights or ():
        if name not in sets:
            cause = f"there are no weights called {name!r}; use {list_choices(list(sets))}."
            raise InputError(f"--weights: {cause}", key="--weights")
    opened = open_workspace(workspace)
    with Operations(opened) as operations:
        found = [*_jobs(operations), *_aside(opened), *(one for name in weights or () for one in _model_files(sets[name]))]
        rows = [{"what": one.what, "number": one.number, "size": one.size} for one in found]
        show(rows, as_json, "Could go", "There is nothing to delete.", {"size": _megabytes})
        if not found:
            return
        if not yes and (as_json or not sys.stdin.isatty()):
            typer.echo("Nothing was deleted; --yes does it.", err=True)
            return
        total = _megabytes(sum(one.size for one in found))
        if not yes and not typer.confirm(f"Delete all of it, {total}?"):
            raise typer.Exit(ExitCode.SUCCEEDED)
        for one in found:
            one.remove()
    typer.echo(f"{total} are free again.", err=True)


def _jobs(operations: Operations) -> Iterator[Waste]:
    """Earlier finals of each task, and the takes that none of the jobs uses; a job that runs is left alone, as is one that is
    wrong, since nobody can say what it uses."""
    from cosmos_workflow.jobs.manager import JobManager
    from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
    from cosmos_workflow.jobs.store import JobStore
    from cosmos_workflow.queueing.items import ItemStatus

    store, runs = JobStore(operations.workspace), operations.store.runs
    entries = JobManager(TaskOrchestrator(operations, store)).list()
    reports = [entry.report for entry in entries if entry.report and not store.is_held(entry.stored.id)]
    used = {run.id for entry in entries if entry.report for task in entry.report.tasks for run in task.chosen if run}
    all_known = all(entry.report for entry in entries)
    for report in reports:
        for task in report.tasks:
            old = [file for final in task.finals[:-1] for file in _files_of(final.path)]
            if old:
                yield Waste(
                    f"earlier finals of {task.task.id}",
                    len(task.finals) - 1,
                    _size(old),
                    lambda old=old: [file.unlink(missing_ok=True) for file in old],
                )
            # A piece of a job that can't be read now may be one that another has made.
            made = runs.list(source=f"job:{task.task.id}#*", status=ItemStatus.SUCCEEDED, limit=None) if all_known else []
            unused = [run.id for run in made if run.id not in used]
            if unused:
                size = _size(file for run in unused for file in runs.folder(run).rglob("*"))
                yield Waste(f"unused takes of {task.task.id}", len(unused), size, lambda ids=unused: runs.delete(ids))


def _aside(opened: Workspace) -> Iterator[Waste]:
    if opened.aside.is_dir():
        files = [file for file in opened.aside.rglob("*") if file.is_file()]
        yield Waste("what repair put aside", len(files), _size(files), lambda: shutil.rmtree(opened.aside))


def _model_files(model: ModelFiles) -> Iterator[Waste]:
    from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE, model_files_state, own_folder

    (folder, size), own = model_files_state(model), own_folder()
    if folder is None:
        return
    if own is not None and folder.is_relative_to(own):
        raise InputError(f"--weights: {model.name} is in {folder}, your own folder ({FOLDER_VARIABLE}); delete it there.")
    revision = folder.name

    def remove() -> None:
        from huggingface_hub import scan_cache_dir

        scan_cache_dir().delete_revisions(revision).execute()

    yield Waste(f"the model files {model.name}", 1, size, remove)


def _files_of(final: Path) -> list[Path]:
    """A final with what lies beside it: its description and its subtitles."""
    return [path for path in final.parent.glob(f"{glob.escape(final.stem)}.*") if path.is_file()]


def _size(files: Iterator[Path] | list[Path]) -> int:
    return sum(file.stat().st_size for file in files if file.is_file())


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
