"""Stages of a piece of work, turned into one fraction that never falls."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stage:
    """A named part of the work. `at` is the fraction on entry, in [0, 1]; `label` is what a person reads."""

    name: str
    at: float
    label: str


@dataclass(slots=True)
class ProgressTracker:
    """One fraction for a piece of work that goes through `stages`.

    The fraction never falls and never passes 1. Without stages it stays 0 and only the message changes. An unknown stage
    raises KeyError when `strict`, and otherwise is logged and ignored: trouble here never fails the work itself.
    """

    job_id: str
    stages: Sequence[Stage]
    strict: bool = False
    fraction: float = 0.0
    stage: str = ""
    message: str = ""
    last_updated: float = 0.0
    _bounds: dict[str, tuple[float, float]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        entries = [stage.at for stage in self.stages]
        if entries != sorted(entries) or any(not 0 <= at <= 1 for at in entries):
            raise ValueError(f"stages of {self.job_id} must rise from 0 to 1, not {entries}")
        ends = [*entries[1:], 1.0]
        self._bounds = {stage.name: (stage.at, end) for stage, end in zip(self.stages, ends, strict=False)}
        self.last_updated = time.time()

    def update_stage(self, stage: str, sub_progress: float = 0.0, message: str = "") -> float:
        """Enter `stage` or go on in it; `sub_progress` in [0, 1] interpolates to the next stage's entry. Returns the fraction."""
        if stage not in self._bounds:
            if self.strict:
                raise KeyError(f"{self.job_id} has no stage {stage!r}; it has {', '.join(self._bounds) or 'none'}")
            if self.stages:
                log.warning("%s reported the unknown stage %r", self.job_id, stage)
        start, end = self._bounds.get(stage, (self.fraction, self.fraction))
        inside = 0.0 if math.isnan(sub_progress) else min(max(sub_progress, 0.0), 1.0)
        self.fraction = min(1.0, max(self.fraction, start + (end - start) * inside))
        self.stage = stage
        self.message = message or next((known.label for known in self.stages if known.name == stage), stage)
        self.last_updated = time.time()
        return self.fraction
