"""What a verb prints: a table for a person, JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table


def name_broken_engines() -> None:
    """Say on stderr which engines aren't looked at, since they can't be used."""
    from cosmos_workflow.engines.registry import broken_engines

    for problem in broken_engines().values():
        typer.echo(f"The engine {problem}", err=True)


def show(rows: list[dict[str, Any]], as_json: bool, title: str, nothing: str) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=2, default=str, ensure_ascii=False))
    elif not rows:
        typer.echo(nothing)
    else:
        print_table(_table(rows, title))


def show_figures(figures: Sequence[Any], table: Table, as_json: bool) -> None:
    if as_json:
        rows = [asdict(figure) if is_dataclass(figure) and not isinstance(figure, type) else figure for figure in figures]
        typer.echo(json.dumps(rows, indent=2, default=str))
    else:
        print_table(table)


def _table(rows: list[dict[str, Any]], title: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    return table


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "\n".join(str(member) for member in value)
    return "" if value is None else str(value)


def print_table(table: Table) -> None:
    from rich.console import Console

    Console().print(table)
