"""The verb `repair`: puts right what does not agree."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cosmos_workflow.cli.options import JsonOption, WorkspaceOption, open_workspace
from cosmos_workflow.cli.terminal import show


def repair(
    workspace: WorkspaceOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find records and files that don't agree, and put them right or aside. Deletes nothing."""
    from cosmos_workflow.engines.spec import all_engines
    from cosmos_workflow.store.records import Finding
    from cosmos_workflow.store.store import repair_workspace

    found = repair_workspace(open_workspace(workspace), apply=not dry_run)
    for spec in all_engines():
        found += [Finding(*told, "put aside", not dry_run) for told in spec.repair(not dry_run)]
    show([asdict(finding) for finding in found], as_json, "Repair", "Everything agrees; nothing had to be repaired.")
