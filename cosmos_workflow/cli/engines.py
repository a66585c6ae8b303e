"""The verb `engines`: lists the engines."""

from __future__ import annotations

from typing import Annotated

import typer

from cosmos_workflow.cli.options import JsonOption
from cosmos_workflow.cli.terminal import show


def engines(
    as_json: JsonOption = False,
    everything: Annotated[bool, typer.Option("--all", help="With the engines that are examples.")] = False,
) -> None:
    """List the engines, whether they can run here, and if not, what to do."""
    from cosmos_workflow.engines.registry import all_engines, availability_of, broken_engines

    rows = []
    for spec in all_engines(examples=everything):
        state = availability_of(spec)
        rows.append(
            {
                "name": spec.name,
                "medium": spec.medium,
                "available": state.available,
                "batch": spec.max_batch_size,
                "what": f"{spec.summary} {state.runs_on}".strip() if state.available else str(state),
            }
        )
    for name, problem in broken_engines(examples=everything).items():
        rows.append({"name": name, "medium": "", "available": False, "batch": None, "what": problem})
    show(rows, as_json, "Engines", "No engine is installed.")
