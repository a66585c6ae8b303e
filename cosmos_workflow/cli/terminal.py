"""What a verb prints: a table for a person, a line a row for a pipe, JSON for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Words = Mapping[str, Callable[[Any], str]]
"""How a table writes the values of a column, where JSON has them as they are."""


def show(rows: Sequence[dict[str, Any]], as_json: bool, title: str, nothing: str, words: Words = MappingProxyType({})) -> None:
    """Rows as a table or as JSON; `nothing` is said instead of a table without rows."""
    if as_json:
        print_json(rows)
    elif not rows:
        typer.echo(nothing)
    else:
        print_table(_table(rows, title, words))


def name_broken_engines() -> None:
    """Say on stderr which engines aren't looked at, since they can't be used."""
    from cosmos_workflow.engines.registry import broken_engines

    for problem in broken_engines().values():
        typer.echo(f"The engine {problem}", err=True)


def print_json(value: Any) -> None:
    """A value as JSON that every encoding can carry."""
    whole = (sys.stdout.encoding or "").lower().startswith("utf")
    typer.echo(json.dumps(value, indent=2, ensure_ascii=not whole, default=str))


def print_table(table: Table, console: Console | None = None) -> None:
    """A table for a person; where a program reads, its title and a line a row with tabs between the cells."""
    from rich.console import Console

    console = console or Console()
    if console.is_terminal:
        console.print(table)
        return
    lines: list[tuple[str, ...]] = [(str(table.title),)] if table.title else []
    lines.append(tuple(str(column.header) for column in table.columns))
    lines += zip(*(map(str, column.cells) for column in table.columns), strict=True)
    for line in lines:
        console.file.write("\t".join(" ".join(cell.split()) for cell in line) + "\n")


def _table(rows: Sequence[dict[str, Any]], title: str, words: Words) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title if sys.stdout.isatty() else None, title_justify="left")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(words.get(name, _cell)(value)) for name, value in row.items()))
    return table


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "\n".join(str(member) for member in value)
    return "" if value is None else str(value)
