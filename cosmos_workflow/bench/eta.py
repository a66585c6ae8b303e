"""How far off the time left would have been: replays the finished batches of a workspace."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from cosmos_workflow.bench.frame import Column
from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.registry import engine_names
from cosmos_workflow.execution.estimates import replay_errors
from cosmos_workflow.execution.operations import batch_samples
from cosmos_workflow.store.store import Store

LEARNED = 5


@dataclass(frozen=True, slots=True)
class EtaFigure:
    """An engine's batches, and the median relative error of the time told before each from the sixth on."""

    TITLE: ClassVar[str] = "Time told against time taken"
    engine: Annotated[str, Column("engine")]
    batches: Annotated[int, Column("batches")]
    median_error: Annotated[float | None, Column("median error", "{:.0%}", f"too few: {LEARNED + 1} are needed")]


def bench_eta(workspace: Path | None = None) -> list[EtaFigure]:
    """One figure for each engine that has finished something in this workspace."""
    figures = []
    with Store(Workspace.open(workspace)) as store:
        for engine in engine_names():
            samples = batch_samples(reversed(store.runs.cost_samples(engine, limit=10_000)))
            errors = replay_errors(samples, LEARNED)
            if samples:
                figures.append(EtaFigure(engine, len(samples), statistics.median(errors) if errors else None))
    return figures
