"""The verb `check`: says what job files would do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cosmos_workflow.cli.options import JsonOption, SetOption, WorkspaceOption, open_workspace


def check(
    files: Annotated[list[Path], typer.Argument(help="Job files; - is standard input.")],
    workspace: WorkspaceOption = None,
    sets: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Validate job files and print their tasks, the batches, why these are apart, and the time. Starts nothing."""
    from cosmos_workflow.cli.check_jobs import check_jobs

    check_jobs(files, open_workspace(workspace, reads=True), as_json=as_json, sets=sets or ())
