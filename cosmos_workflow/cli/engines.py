"""The verb `engines`: lists the engines, or what one of them can be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosmos_workflow.cli.options import JsonOption
from cosmos_workflow.cli.terminal import print_json, show

if TYPE_CHECKING:
    from cosmos_workflow.engines.params import ParamField


def _names() -> list[str]:
    from cosmos_workflow.engines.registry import all_engines

    return [spec.name for spec in all_engines(examples=True)]


def engines(
    name: Annotated[
        str | None,
        typer.Argument(help="An engine, to see its parameters, ranges and voices.", autocompletion=_names),
    ] = None,
    as_json: JsonOption = False,
    everything: Annotated[bool, typer.Option("--all", help="With the engines that are examples.")] = False,
) -> None:
    """List the engines, whether they can run here, and if not, what to do; with a name, what that one can be told."""
    if name is not None:
        _show_one(name, as_json)
        return
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
    for broken, problem in broken_engines(examples=everything).items():
        rows.append({"name": broken, "medium": "", "available": False, "batch": None, "what": problem})
    show(rows, as_json, "Engines", "No engine is installed.")


def _show_one(name: str, as_json: bool) -> None:
    from cosmos_workflow.engines.registry import availability_of, find_engine

    spec = find_engine(name)
    state = availability_of(spec)
    rows = [_param_row(field) for field in spec.fields({})]
    if as_json:
        print_json(
            {
                "name": spec.name,
                "title": spec.title,
                "medium": spec.medium,
                "available": state.available,
                "remedy": "" if state.available else str(state),
                "batch": spec.max_batch_size,
                "max_characters": spec.max_text,
                "inputs": [{"name": one.name, "kind": one.kind, "required": one.required} for one in spec.inputs],
                "weights": dict(spec.weights),
                "params": rows,
            }
        )
        return
    typer.echo(f"{spec.title}: {spec.summary}" + ("" if state.available else f"\n{state}"))
    show([{**row, "choices": _few(row["choices"])} for row in rows], False, "Params", "It takes no params.", {"default": str})
    for one in spec.inputs:
        typer.echo(f"input {one.name}: {one.kind}{'' if one.required else ', optional'}; {one.label}")
    if spec.weights:
        typer.echo("weights: " + ", ".join(f"{name} {weight:g}" for name, weight in spec.weights.items()))
    for row in rows:
        if len(row["choices"]) > 8:
            typer.echo(f"{row['name']}: {' '.join(row['choices'])}")


def _param_row(field: ParamField) -> dict[str, Any]:
    return {
        "name": field.name,
        "kind": field.kind,
        "default": field.default,
        "minimum": field.minimum,
        "maximum": field.maximum,
        "choices": list(field.choices),
        "same_in_batch": field.invariant,
        "what": field.unused or field.help or field.label,
    }


def _few(choices: list[str]) -> str:
    return ", ".join(choices) if len(choices) <= 8 else f"{len(choices)} of them"
