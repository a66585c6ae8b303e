"""Every engine's form says what its params model says, and reads back what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from cosmos_workflow.engines.registry import all_engines, find_engine
from cosmos_workflow.engines.spec import EngineSpec
from cosmos_workflow.errors import InputError
from cosmos_workflow.ui.engine_forms import EngineForm, EngineForms, engine_note


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
    *filled, answered = form.fill({}, {})
    values = [value["value"] if isinstance(value, dict) else value for value in filled]
    assert [*values, answered] == shown(form)


@pytest.mark.parametrize("spec", all_engines(), ids=lambda spec: spec.name)
def test_a_form_has_a_label_and_the_range_of_every_field(spec: EngineSpec) -> None:
    form = EngineForm(spec, visible=True)
    for field in spec.fields({}):
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
    assert filled[-3:] == [7, 1, {}]
    assert all(isinstance(value, dict) for value in filled[:-3])
    with pytest.raises(InputError, match="isn't installed"):
        forms.read("gone", values)


@pytest.fixture
def chatterbox() -> EngineForm:
    return EngineForm(find_engine("chatterbox"), visible=True)


def choose(form: EngineForm, menu: str, choice: str, **changed: Any) -> dict[str, Any]:
    """What the fields become when this is chosen, after a person changed others."""
    names = list(form.params)
    values = dict(zip(names, shown(form)[len(form.weights) : -1], strict=True))
    *updates, answered = form.decide(menu, *{**values, **changed, menu: choice}.values())
    assert answered[menu] == choice
    return dict(zip(names, updates, strict=True))


def test_a_variant_brings_its_own_defaults_and_keeps_what_was_changed(chatterbox: EngineForm) -> None:
    assert list(chatterbox.menus) == ["variant"], "no other menu decides anything"
    turbo = choose(chatterbox, "variant", "turbo", temperature=0.65)
    assert (turbo["top_p"]["value"], turbo["cfm_steps"]["value"]) == (0.95, 2)
    assert "value" not in choose(chatterbox, "variant", "turbo", cfm_steps=7)["cfm_steps"]
    for name in ("temperature", "max_tokens", "seed"):
        assert "value" not in turbo[name], "a person may be typing there just now"


def test_a_variant_brings_its_own_ranges(chatterbox: EngineForm) -> None:
    turbo = choose(chatterbox, "variant", "turbo", temperature=4.0)["temperature"]
    assert (turbo["minimum"], turbo["maximum"]) == (0.05, 2.0)
    assert turbo["value"] == 2.0, "the nearest that it takes"


def test_what_a_variant_has_no_use_for_is_disabled_and_says_so(chatterbox: EngineForm) -> None:
    assert not chatterbox.params["language_id"].interactive
    turbo = choose(chatterbox, "variant", "turbo", exaggeration=1.5)
    assert turbo["exaggeration"]["interactive"] is False
    assert "The variant turbo takes no notice of it." in turbo["exaggeration"]["info"]
    assert "value" not in turbo["exaggeration"], "it is there again when the variant is changed back"
    assert turbo["top_k"]["interactive"] is True
    assert "takes no notice" not in turbo["top_k"]["info"]
    values = [*shown(chatterbox)]
    names = list(chatterbox.params)
    values[names.index("variant")] = "turbo"
    values[names.index("exaggeration")] = 1.5
    assert chatterbox.read(values)[0]["exaggeration"] == 0.5, "and takes no part in the item"


def test_a_choice_counts_before_its_answer_is_there(chatterbox: EngineForm) -> None:
    values = shown(chatterbox)
    names = list(chatterbox.params)
    for name, value in {"variant": "turbo", "temperature": 0.65, "max_tokens": 40}.items():
        values[names.index(name)] = value
    read = chatterbox.read(values)[0]
    assert (read["top_p"], read["cfm_steps"]) == (0.95, 2), "as the form will show them"
    assert (read["temperature"], read["max_tokens"]) == (0.65, 40)
    answered = [*values[:-1], {"variant": "turbo"}]
    answered[names.index("top_p")] = 1.0
    assert chatterbox.read(answered)[0]["top_p"] == 1.0, "what was chosen afterwards stays"


def test_a_configuration_that_is_filled_in_has_the_fields_of_its_variant(chatterbox: EngineForm) -> None:
    *values, answered = chatterbox.fill({"variant": "turbo", "top_k": 50}, {})
    filled = dict(zip(chatterbox.params, values, strict=True))
    assert filled["variant"] == answered["variant"] == "turbo"
    assert (filled["top_k"]["value"], filled["top_k"]["interactive"]) == (50, True)
    assert (filled["temperature"]["maximum"], filled["cfg_weight"]["interactive"]) == (2.0, False)


def test_an_engine_that_cannot_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine_note("espeak")[1:] == ("", [])
    monkeypatch.setenv("COSMOS_PROBE_UNAVAILABLE", "1")
    _, reason, steps = engine_note("probe")
    assert reason == "The probe isn't there."
    assert steps == ["Unset the variable.", "Start the page again."]
