"""The verb `repair`: puts right what does not agree."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cosmos_workflow.cli.options import ExitCode, JsonOption, WorkspaceOption, open_workspace
from cosmos_workflow.cli.terminal import name_broken_engines, show


def repair(
    workspace: WorkspaceOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find records and files that don't agree, and put them right or aside. Deletes nothing."""
    from cosmos_workflow.engines.registry import all_engines, told
    from cosmos_workflow.store.records import Finding
    from cosmos_workflow.store.store import repair_workspace

    failed = False
    found = repair_workspace(open_workspace(workspace), apply=not dry_run)
    for spec in all_engines():
        try:
            found += [Finding(*said, "put aside", not dry_run) for said in spec.repair(not dry_run)]
        except Exception as error:
            typer.echo(f"{spec.name}: its own repair broke ({told(error)}).", err=True)
            failed = True
    name_broken_engines()
    show([asdict(finding) for finding in found], as_json, "Repair", "Everything agrees; nothing had to be repaired.")
    if failed:
        raise typer.Exit(ExitCode.FAILED)
