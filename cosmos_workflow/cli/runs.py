"""The verb `runs`: lists what was made."""

from __future__ import annotations

from typing import Annotated

import typer

from cosmos_workflow.cli.options import JsonOption, WorkspaceOption, open_workspace
from cosmos_workflow.cli.terminal import show
from cosmos_workflow.errors import InputError


def runs(
    workspace: WorkspaceOption = None,
    engine: Annotated[str | None, typer.Option(help="Only runs of this engine.")] = None,
    status: Annotated[str | None, typer.Option(help="Only runs with this status.")] = None,
    text: Annotated[str, typer.Option(help="Only runs whose prompt holds these words.")] = "",
    limit: Annotated[int, typer.Option(help="At most this many, newest first.", min=1)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what was made, newest first."""
    from cosmos_workflow.engines.registry import find_engine
    from cosmos_workflow.queueing.items import ItemStatus
    from cosmos_workflow.store.search import RunFilter
    from cosmos_workflow.store.store import Store

    if status is not None and status not in list(ItemStatus):
        raise InputError(f"--status: {status!r} isn't a status; use {', '.join(ItemStatus)}.")
    wanted: RunFilter = {"engine": engine, "status": ItemStatus(status) if status else None, "text": text}
    with Store(open_workspace(workspace, reads=True)) as store:
        total = store.runs.count(None, **wanted)
        if engine and not total:
            find_engine(engine)  # refuses a name that nothing has
        rows = [
            {
                "id": record.id,
                "engine": record.engine,
                "status": str(record.status),
                "prompt": record.prompt_text,
                "seconds": round(record.seconds, 2) if record.seconds is not None else None,
                "batch": record.batch_size,
                "files": [str(store.runs.output_path(record, key)) for key in record.outputs],
                "error": record.error,
            }
            for record in store.runs.list(None, **wanted, limit=limit)
        ]
    show(rows, as_json, "Runs", "No run matches." if engine or status or text else "Nothing was made yet.")
    if total > limit:
        typer.echo(f"These are the newest {limit:,} of {total:,} runs; --limit {total} shows all.", err=True)
