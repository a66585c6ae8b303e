"""How far off the time left would have been: replays the finished batches of a workspace."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from rich.table import Table

from cosmos_workflow.engines.registry import engine_names
from cosmos_workflow.execution.estimates import replay_errors
from cosmos_workflow.execution.operations import batch_samples
from cosmos_workflow.store.store import Store

LEARNED = 5


@dataclass(frozen=True, slots=True)
class EtaFigure:
    """An engine's batches, and the median relative error of the time told before each from the sixth on."""

    engine: str
    batches: int
    median_error: float | None


def bench_eta(store: Store) -> list[EtaFigure]:
    """One figure for each engine that has finished something in this workspace."""
    figures = []
    for engine in engine_names():
        samples = batch_samples(reversed(store.runs.cost_samples(engine, limit=10_000)))
        errors = replay_errors(samples, LEARNED)
        if samples:
            figures.append(EtaFigure(engine, len(samples), statistics.median(errors) if errors else None))
    return figures


def table(figures: list[EtaFigure]) -> Table:
    """The figures as a table for a terminal."""
    shown = Table(title="Time told against time taken")
    for column in ("engine", "batches", "median error"):
        shown.add_column(column, justify="left" if column == "engine" else "right")
    for figure in figures:
        words = f"too few: {LEARNED + 1} are needed" if figure.median_error is None else f"{figure.median_error:.0%}"
        shown.add_row(figure.engine, str(figure.batches), words)
    return shown
