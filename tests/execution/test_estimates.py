"""Time left, learned from finished batches."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.execution.estimates import (
    CostSample,
    TimeLeft,
    batching_gain,
    format_seconds,
    learn_rate,
    replay_errors,
    time_left,
)


def test_nothing_is_claimed_before_anything_was_learned() -> None:
    assert learn_rate([]) is None
    assert time_left([(100, 1, None)]) is None


def test_one_slow_batch_does_not_spoil_the_rate() -> None:
    steady = [CostSample(100, 10, 4) for _ in range(6)]
    rate = learn_rate([*steady, CostSample(100, 900, 4)])
    assert rate is not None
    assert rate.seconds_per_unit == pytest.approx(0.1)


def test_after_five_noisy_batches_the_error_covers_the_truth() -> None:
    source = random.Random(7)
    inside = 0
    for _ in range(100):
        rate = learn_rate([CostSample(50, 5 * source.uniform(0.8, 1.2), 4) for _ in range(5)])
        left = time_left([(500, 10, rate)])
        assert left is not None
        inside += abs(left.seconds - 50) <= 2 * left.error
    assert inside >= 80


@given(st.floats(1, 1e5), st.floats(1, 1e5))
def test_more_work_never_takes_less_time(first: float, second: float) -> None:
    rate = learn_rate([CostSample(10, 1, 1), CostSample(10, 1.2, 1)])
    small, large = (time_left([(cost, 1, rate)]) for cost in sorted((first, second)))
    assert small is not None
    assert large is not None
    assert small.seconds <= large.seconds


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (8.4, "8 s"), (59.6, "1 min"), (400, "7 min"), (3600, "1 h"), (7500, "2 h 5 min")]
)
def test_durations_read_like_a_clock(seconds: float, words: str) -> None:
    assert format_seconds(seconds) == words


def test_the_error_is_shown_and_never_none() -> None:
    assert str(TimeLeft(360, 61)) == "about 6 min, ±1 min"
    assert str(TimeLeft(20, 0.2)) == "about 20 s, ±1 s"
    assert str(TimeLeft(0.1, 0.0)) == "about 1 s, ±1 s"


def test_a_gain_is_shown_only_once_both_ways_were_measured() -> None:
    alone = [CostSample(100, 10, 1)] * 3
    batched = [CostSample(400, 16, 4)] * 3
    assert batching_gain(alone) is None
    assert batching_gain([*alone, *batched[:2]]) is None
    gain = batching_gain([*alone, *batched])
    assert gain is not None
    assert (gain.alone, gain.batched, gain.factor) == (pytest.approx(6), pytest.approx(15), pytest.approx(2.5))


def test_a_replay_tells_each_time_from_what_came_before() -> None:
    assert replay_errors([CostSample(10, 1, 1)] * 5) == []
    assert replay_errors([*[CostSample(10, 1, 1)] * 5, CostSample(10, 2, 1)]) == [pytest.approx(0.5)]
