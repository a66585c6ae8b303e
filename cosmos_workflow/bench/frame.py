"""What the benches share: figures that say how they are shown, ways that are measured in turn, and seconds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

if TYPE_CHECKING:
    from rich.table import Table

Way = TypeVar("Way")


@dataclass(frozen=True, slots=True)
class Column:
    """How a field of a figure is shown: `Annotated[float, Column("seconds", "{:.1f}")]`.

    `form` is of the value, may name the `figure`, and is a function of that where more is to be said. `nothing` stands for None.
    """

    header: str
    form: str | Callable[[Any], str] = "{}"
    nothing: str = ""

    def cell(self, value: Any, figure: Any) -> str:
        """What is written of a figure with this value."""
        if value is None:
            return self.nothing
        return self.form.format(value, figure=figure) if isinstance(self.form, str) else self.form(figure)


def table(figures: Sequence[Any]) -> Table:
    """Figures of one class for a terminal: its fields' columns below its `TITLE`, which may name the first `figure`."""
    from rich.table import Table

    kind = type(figures[0])
    hints = get_type_hints(kind, include_extras=True)
    columns = [(field.name, column) for field in fields(kind) for column in getattr(hints[field.name], "__metadata__", ())]
    shown = Table(title=kind.TITLE.format(figure=figures[0]))
    for name, column in columns:
        shown.add_column(column.header, justify="left" if hints[name].__origin__ is str else "right")
    for figure in figures:
        shown.add_row(*(column.cell(getattr(figure, name), figure) for name, column in columns))
    return shown


def in_turn(ways: Mapping[Way, Callable[[], Sequence[float]]], rounds: int) -> dict[Way, list[float]]:
    """Measure each way in each round, so that a busy machine is as busy for all; the median of each of its numbers."""
    taken: dict[Way, list[Sequence[float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, measure in ways.items():
            taken[way].append(measure())
    return {way: medians(rows) for way, rows in taken.items()}


def medians(rows: Iterable[Sequence[float]]) -> list[float]:
    """Of each column."""
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def quantiles(values: Sequence[float]) -> tuple[float, float]:
    """The median and the 95th percentile."""
    return statistics.median(values), statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]


def seconds_of(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """What a call takes."""
    begun = clock()
    call()
    return clock() - begun
