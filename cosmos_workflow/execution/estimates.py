"""How long work will take, learned from finished runs. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

DEVIATION_TO_SIGMA = math.sqrt(math.pi / 2)
"""Mean absolute deviation to standard deviation, for normally distributed values."""


GAIN_SAMPLES = 3
"""Batches of each kind before a gain is shown."""


@dataclass(frozen=True, slots=True)
class CostSample:
    """A finished batch: `seconds` of work, loading apart, for `cost` units in `items` items."""

    cost: float
    seconds: float
    items: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Seconds a unit of cost takes: median, relative spread (one sigma), and from how many batches it was learned."""

    seconds_per_unit: float
    spread: float
    samples: int


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """Seconds left, and how far off that may be (one sigma). In words both are at least a second."""

    seconds: float
    error: float

    def __str__(self) -> str:
        return f"about {format_seconds(max(1.0, self.seconds))}, ±{format_seconds(max(1.0, self.error))}"


def learn_rate(samples: Iterable[CostSample]) -> Rate | None:
    """The rate of an engine from its finished batches; None before the first."""
    usable = [sample for sample in samples if sample.cost > 0 and sample.seconds > 0]
    if not usable:
        return None
    rates = [sample.seconds / sample.cost for sample in usable]
    median = statistics.median(rates)
    deviation = statistics.fmean(abs(rate - median) for rate in rates) / median
    # The median lies among the values it is measured against: n/(n-1) makes up for that.
    spread = DEVIATION_TO_SIGMA * deviation * len(rates) / max(1, len(rates) - 1)
    return Rate(median, spread, len(usable))


def time_left(parts: Sequence[tuple[float, int, Rate | None]], devices: int = 1) -> TimeLeft | None:
    """Time left for `parts` of (cost, batches, rate) that so many devices share; None where a part's rate isn't known yet.

    The parts' errors add as independent ones. A rate's own error shrinks with the batches it was learned from; a median's
    variance is pi/2 times that of a mean.
    """
    seconds, variance = 0.0, 0.0
    for cost, batches, rate in parts:
        if rate is None:
            return None
        expected = cost * rate.seconds_per_unit
        # One batch alone says nothing of the spread: take half of it as its error.
        spread = rate.spread if rate.samples > 1 else max(rate.spread, 0.5)
        seconds += expected
        variance += (expected * spread) ** 2 * (1 / max(1, batches) + math.pi / 2 / rate.samples)
    return TimeLeft(seconds / devices, math.sqrt(variance) / devices)


@dataclass(frozen=True, slots=True)
class BatchingGain:
    """Measured on one engine: items a minute in batches, and one at a time, at the same cost an item."""

    batched: float
    alone: float

    @property
    def factor(self) -> float:
        """How many times as fast batches are; below 1 where they are slower."""
        return self.batched / self.alone


def batching_gain(samples: Iterable[CostSample]) -> BatchingGain | None:
    """The gain from finished batches; None before there are `GAIN_SAMPLES` of each kind. Loading isn't counted."""
    usable = [sample for sample in samples if sample.cost > 0 and sample.seconds > 0]
    alone = [sample.seconds / sample.cost for sample in usable if sample.items == 1]
    batched = [sample.seconds / sample.cost for sample in usable if sample.items > 1]
    if min(len(alone), len(batched)) < GAIN_SAMPLES:
        return None
    cost = statistics.median(sample.cost / sample.items for sample in usable)
    per_minute = [60 / (statistics.median(rates) * cost) for rates in (batched, alone)]
    return BatchingGain(*per_minute)


def replay_errors(samples: Sequence[CostSample], learned: int = 5) -> list[float]:
    """Relative errors of the time that would have been told before each batch, oldest first, once `learned` had finished."""
    errors = []
    for index in range(learned, len(samples)):
        rate = learn_rate(samples[:index])
        if rate is not None and samples[index].seconds > 0 and samples[index].cost > 0:
            told = rate.seconds_per_unit * samples[index].cost
            errors.append(abs(told - samples[index].seconds) / samples[index].seconds)
    return errors


def format_seconds(seconds: float) -> str:
    """A duration in the words of a clock: "8 s", "6 min", "2 h 5 min"."""
    if seconds < 59.5:
        return f"{max(0, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
