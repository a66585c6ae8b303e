"""Every engine's form says what its params model says, and reads back what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from cosmos_workflow.catalog import EngineSpec, all_engines, find_engine
from cosmos_workflow.errors import InputError
from cosmos_workflow.params import param_fields
from cosmos_workflow.ui.forms import EngineForm, EngineForms, engine_note


@pytest.fixture(autouse=True)
def blocks() -> Iterator[None]:
    """Components need a page to stand on."""
    with gr.Blocks(analytics_enabled=False):
        yield


def shown(form: EngineForm) -> list[Any]:
    return [component.value for component in form.components]


@pytest.mark.parametrize("spec", all_engines(), ids=lambda spec: spec.name)
def test_a_form_shows_the_defaults_and_reads_them_back(spec: EngineSpec) -> None:
    form = EngineForm(spec, visible=True)
    assert form.read(shown(form)) == (spec.complete_params({}), spec.complete_weights({}))
    assert form.fill({}, {}) == shown(form)


@pytest.mark.parametrize("spec", all_engines(), ids=lambda spec: spec.name)
def test_a_form_has_a_label_and_the_range_of_every_field(spec: EngineSpec) -> None:
    form = EngineForm(spec, visible=True)
    for field in param_fields(spec.params):
        component = form.params[field.name]
        assert component.label == field.label
        assert component.interactive is not bool(field.unused)
        if field.minimum is not None:
            assert component.minimum == field.minimum
        if field.maximum is not None and field.minimum is not None:
            assert component.maximum == field.maximum
        if field.choices:
            assert [value for _label, value in component.choices] == list(field.choices)


def test_values_from_the_browser_get_the_type_of_their_field() -> None:
    form = EngineForm(find_engine("control-preview"), visible=True)
    values = shown(form)
    names = [*form.weights, *form.params]
    values[names.index("num_steps")] = 20.0
    values[names.index("guidance_scale")] = 7
    values[names.index("vis")] = 1
    params, weights = form.read(values)
    assert (params["num_steps"], params["guidance_scale"], weights["vis"]) == (20, 7.0, 1.0)
    assert isinstance(params["num_steps"], int)


def test_an_empty_or_impossible_field_is_one_sentence() -> None:
    form = EngineForm(find_engine("espeak"), visible=True)
    values = shown(form)
    place = list(form.params).index("rate")
    values[place] = None
    with pytest.raises(InputError, match="Rate: it is empty; fill it in"):
        form.read(values)
    values[place] = 9999
    with pytest.raises(InputError, match="rate: 9999 isn't right; use a whole number from 80 to 450"):
        form.read(values)


def test_forms_read_the_engine_that_is_chosen_and_fill_only_that() -> None:
    forms = EngineForms([find_engine("espeak"), find_engine("probe")], "espeak")
    values = [component.value for component in forms.components]
    assert forms.read("probe", values) == (find_engine("probe").complete_params({}), {})
    filled = forms.fill("probe", {"group": 7}, {})
    assert filled[-2:] == [7, 1]
    assert all(isinstance(value, dict) for value in filled[:-2])
    with pytest.raises(InputError, match="isn't installed"):
        forms.read("gone", values)


def test_a_variant_brings_its_own_defaults_and_keeps_what_was_changed() -> None:
    spec = find_engine("chatterbox")
    form = EngineForm(spec, visible=True)
    names = list(form.params)
    menus = form.deciding()
    first = spec.complete_params({})
    others = [spec.complete_params({"variant": choice}) for choice in form.fields["variant"].choices]
    wanted = next(params for params in others if {**params, "variant": first["variant"]} != first)
    other = wanted["variant"]
    different = next(name for name in names if name != "variant" and wanted[name] != first[name])
    values = [*shown(form)]
    values[names.index("variant")] = other
    updates = dict(zip(names, form.decide("variant", menus["variant"], values), strict=True))
    assert updates[different] == wanted[different]
    values[names.index(different)] = 0.123
    updates = dict(zip(names, form.decide("variant", menus["variant"], values), strict=True))
    assert isinstance(updates[different], dict)


def test_an_engine_that_cannot_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine_note("espeak")[1] is True
    monkeypatch.setenv("COSMOS_PROBE_UNAVAILABLE", "1")
    text, available = engine_note("probe")
    assert not available
    assert "The probe isn't there. Unset the variable." in text
