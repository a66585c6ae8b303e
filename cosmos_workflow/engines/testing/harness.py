"""Harness for the tests of engines: run one in this process, and see what it reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cosmos_workflow.engines.base import Cancelled, Device, Dropped, Engine, ItemOutcome, Request
from cosmos_workflow.engines.spec import EngineSpec
from cosmos_workflow.progress import ProgressTracker


@dataclass
class RecordingContext:
    """A `Context` that keeps every report, checks the stages against the spec's table, and cancels what it is told to.

    `on_report(context, item_id)` is called at each report and may add to `cancelled`.
    """

    spec: EngineSpec
    device: Device = field(default_factory=Device)
    cancelled: set[str] = field(default_factory=set)
    reports: list[tuple[str, str, float, str]] = field(default_factory=list)
    trackers: dict[str, ProgressTracker] = field(default_factory=dict)
    on_report: Callable[[RecordingContext, str], None] | None = None

    def report(self, item_id: str, stage: str, sub_progress: float = 0.0, message: str = "") -> None:
        tracker = self.trackers.setdefault(item_id, ProgressTracker(item_id, self.spec.stages, strict=True))
        tracker.update_stage(stage, sub_progress, message)
        self.reports.append((item_id, stage, sub_progress, message))
        if self.on_report:
            self.on_report(self, item_id)
        if item_id in self.cancelled:
            raise Cancelled(item_id)

    def is_cancelled(self, item_id: str) -> bool:
        return item_id in self.cancelled

    def stages_of(self, item_id: str) -> list[str]:
        """The stages an item went through, each once, in order."""
        return list(dict.fromkeys(stage for item, stage, _, _ in self.reports if item == item_id))


def make_request(
    spec: EngineSpec,
    folder: Path,
    text: str = "",
    params: Mapping[str, Any] | None = None,
    weights: Mapping[str, float] | None = None,
    inputs: Mapping[str, Path] | None = None,
    item_id: str = "qi_test",
) -> Request:
    """A checked request with a folder of its own below `folder`."""
    own = folder / item_id
    own.mkdir(parents=True)
    return Request.of(spec.recipe(text, params or {}, spec.complete_weights(weights), inputs or {}), item_id, own)


def run_engine(engine: Engine, requests: list[Request], context: RecordingContext) -> dict[str, ItemOutcome]:
    """All outcomes of a batch by item, as a worker gets them; fails where an item has none or two."""
    outcomes: dict[str, ItemOutcome] = {}
    wanted = list(requests)
    while wanted:
        try:
            for outcome in engine.generate(wanted, context):
                assert outcome.id not in outcomes, f"{outcome.id} has two outcomes"
                outcomes[outcome.id] = outcome
            break
        except Cancelled:
            dropped = {request.id for request in wanted if request.id not in outcomes and context.is_cancelled(request.id)}
            assert dropped, "Cancelled was raised, and nothing was cancelled"
            outcomes |= {item_id: Dropped(item_id) for item_id in dropped}
            wanted = [request for request in wanted if request.id not in outcomes]
    missing = {request.id for request in requests} - set(outcomes)
    assert not missing, f"no outcome for {sorted(missing)}"
    return outcomes
