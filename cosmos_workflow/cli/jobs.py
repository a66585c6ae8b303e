"""The verb `jobs`: lists the jobs of the workspace."""

from __future__ import annotations

import typer

from cosmos_workflow.cli.options import JsonOption, WorkspaceOption, open_workspace
from cosmos_workflow.cli.terminal import show
from cosmos_workflow.errors import list_choices


def jobs(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the jobs of the workspace with their status."""
    from cosmos_workflow.cli.run_jobs import list_elsewhere, list_jobs

    opened = open_workspace(workspace, reads=True)
    show(list_jobs(opened), as_json, "Jobs", f"There is no job in {opened.jobs} yet; put a YAML file there.")
    if elsewhere := list_elsewhere(opened):
        told = f"Run from files elsewhere, so not listed: {list_choices(elsewhere)}. `check FILE` says where such a job is."
        typer.echo(told, err=True)
