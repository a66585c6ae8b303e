"""The verb `run`: makes the tasks of job files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cosmos_workflow.cli.options import (
    AddressOption,
    ExecutorOption,
    ExitCode,
    GpusOption,
    JsonOption,
    SetOption,
    WorkersOption,
    WorkspaceOption,
    open_workspace,
    pool_options,
)


def run(
    files: Annotated[list[Path], typer.Argument(help="Job files; - is standard input.")],
    workspace: WorkspaceOption = None,
    gpus: GpusOption = None,
    workers: WorkersOption = None,
    executor: ExecutorOption = "local",
    address: AddressOption = None,
    mode: Annotated[
        Literal["resume", "failed", "all"],
        typer.Option(help="resume: what has no result yet; failed: what failed; all: everything again."),
    ] = "resume",
    sets: SetOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Put copies of what is made into this folder, named after job and task.")
    ] = None,
    notify: Annotated[bool, typer.Option("--notify", help="Show a notice on the desktop when it has ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the tasks of job files. Exit code 0: all succeeded; 1: something failed; 2: the input is wrong."""
    with pool_options(executor, address, gpus, workers) as where:
        from cosmos_workflow.cli.run_jobs import run_jobs

        opened = open_workspace(workspace)
        succeeded = run_jobs(files, opened, mode=mode, as_json=as_json, sets=sets or (), out=out, notify=notify, **where)
    raise typer.Exit(ExitCode.SUCCEEDED if succeeded else ExitCode.FAILED)
