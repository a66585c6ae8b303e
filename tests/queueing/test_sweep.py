"""A sweep: several values of a param, an item for each combination."""

from __future__ import annotations

import pytest

from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing.sweep import parse_sweep

FIELDS = find_engine("espeak").fields({})


def test_every_combination_comes_once_and_the_last_param_changes_fastest() -> None:
    assert parse_sweep("", FIELDS) == [{}]
    assert parse_sweep("rate: 100..102", FIELDS) == [{"rate": 100}, {"rate": 101}, {"rate": 102}]
    found = parse_sweep("Voice: en-us, de\nssml: no, yes", FIELDS)
    assert found == [{"voice": voice, "ssml": ssml} for voice in ("en-us", "de") for ssml in (False, True)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rat: 1", "Sweep, line 1: 'rat' is no param here \\(did you mean 'rate'"),
        ("rate", "line 1: 'rate' is no param here"),
        ("\nrate: x", "line 2: 'x' isn't a whole number"),
        ("rate:", "line 1: rate has no value"),
        ("rate: 1..99999", "1..99999 has 99,999 values; give at most 1,000"),
        ("rate: 80..450\npitch: 0..99", "these are 37,100 combinations"),
        ("rate: 90\nrate: 91", "line 2: rate is there twice"),
    ],
)
def test_a_wrong_sweep_is_told_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parse_sweep(text, FIELDS)
