"""The verb `jobs`: lists the jobs of the workspace."""

from __future__ import annotations

from cosmos_workflow.cli.options import JsonOption, WorkspaceOption, open_workspace
from cosmos_workflow.cli.terminal import show


def jobs(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the jobs of the workspace with their status."""
    from cosmos_workflow.cli.run_jobs import list_jobs

    rows = list_jobs(open_workspace(workspace))
    show(rows, as_json, "Jobs", "There is no job yet; put a YAML file into the workspace's jobs folder.")
