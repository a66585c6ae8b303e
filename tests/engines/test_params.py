"""Params: what a form shows, and what is said when a value isn't right."""

from __future__ import annotations

from typing import Any

import pytest

from cosmos_workflow.engines.params import Params, expected, param, param_fields, validate_params
from cosmos_workflow.errors import InputError

calls: list[str] = []


def voices() -> list[str]:
    calls.append("voices")
    return ["en", "de"]


class Sample(Params):
    rate: int = param(175, label="Rate", help="Words a minute.", ge=80, le=450, step=5)
    warmth: float = param(0.5, label="Warmth", ge=0, le=1, invariant=True)
    voice: str = param("en", label="Voice", choices=voices)
    loud: bool = param(False, label="Loud")
    note: str = param("", label="Note", max_length=5)
    sigma: float = param(70.0, label="Sigma", ge=0, invariant=True, unused="The preview has no noise.")


def test_a_form_knows_kind_range_step_help_and_choices() -> None:
    fields = {field.name: field for field in param_fields(Sample)}
    assert [field.kind for field in fields.values()] == ["int", "float", "choice", "bool", "text", "float"]
    rate = fields["rate"]
    assert (rate.minimum, rate.maximum, rate.step, rate.help, rate.default) == (80, 450, 5, "Words a minute.", 175)
    assert fields["voice"].choices == ("en", "de")
    assert fields["sigma"].unused == "The preview has no noise."


def test_a_list_that_costs_something_is_made_once_and_not_at_import() -> None:
    param_fields(Sample)
    validate_params(Sample, {})
    assert len(calls) <= 1


def test_what_an_engine_cannot_use_is_not_part_of_its_key() -> None:
    assert [field.name for field in param_fields(Sample) if field.invariant and not field.unused] == ["warmth"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"rate": 900}, "task 3: rate: 900 isn't right; use a whole number from 80 to 450."),
        ({"rate": "fast"}, "task 3: rate: 'fast' isn't right; use a whole number from 80 to 450."),
        ({"voice": "xx"}, "task 3: voice: 'xx' isn't one of its choices; use en, de."),
        ({"warmth": float("nan")}, "task 3: warmth: nan isn't right; use a number from 0 to 1."),
        ({"sigma": -1}, "task 3: sigma: -1 isn't right; use a number of at least 0."),
        ({"speed": 1}, "task 3: speed: unknown parameter; use rate, warmth, voice, loud, note, sigma."),
    ],
)
def test_each_mistake_gets_one_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        validate_params(Sample, values, "task 3")
    assert str(caught.value) == sentence


def test_several_mistakes_are_told_at_once() -> None:
    with pytest.raises(InputError, match=r"rate: 1 .*; warmth: 2 "):
        validate_params(Sample, {"rate": 1, "warmth": 2})


def test_text_from_a_form_is_read_as_a_number() -> None:
    checked = validate_params(Sample, {"rate": "200", "warmth": "0.25"})
    assert checked.model_dump()["rate"] == 200


def test_what_is_expected_is_said_in_words() -> None:
    assert [expected(field) for field in param_fields(Sample)] == [
        "a whole number from 80 to 450",
        "a number from 0 to 1",
        "en, de",
        "true or false",
        "text",
        "a number of at least 0",
    ]
