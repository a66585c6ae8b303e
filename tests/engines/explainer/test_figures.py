"""Numbers in charts."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.engines.explainer.figures import spell_value, ticks

values = st.floats(-1e15, 1e15)


@given(values, values)
def test_an_axis_holds_its_values_in_a_few_round_steps(one: float, other: float) -> None:
    low, high = sorted((one, other))
    shown = ticks(low, high)
    steps = [after - before for before, after in itertools.pairwise(shown)]
    slack = 1e-6 * max(abs(low), abs(high), 1e-300)
    assert 2 <= len(shown) <= 7
    assert shown[0] <= low + slack
    assert shown[-1] >= high - slack
    assert max(steps) == pytest.approx(min(steps), rel=1e-3)
    assert round(steps[0] / 10 ** math.floor(math.log10(steps[0] * 1.0001)), 2) in (1, 2, 5)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (42.0, "%", "42%"),
        (-12.5, "°", "\N{MINUS SIGN}12.5°"),
        (1234567.0, "km", "1,234,567\N{NO-BREAK SPACE}km"),
        (0.0, "", "0"),
        (0.125, "", "0.125"),
        (2.5e-7, "m", "2.5e\N{MINUS SIGN}07\N{NO-BREAK SPACE}m"),
        (1e15, "", "1e+15"),
    ],
)
def test_values_are_written_as_people_write_them(value: float, unit: str, text: str) -> None:
    assert spell_value(value, unit) == text
