"""A form for every engine, made from what its params model says of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import gradio as gr

from cosmos_workflow.engines.model_files.sets import find_model_files
from cosmos_workflow.engines.params import ParamField
from cosmos_workflow.engines.registry import availability_of, broken_engines, known_engine
from cosmos_workflow.engines.spec import EngineSpec
from cosmos_workflow.errors import InputError
from cosmos_workflow.ui.page import Page

SEED = "seed"
FIRST_CHOICES = ("kokoro", "espeak")
"""The engine that the page opens with: the first of these that can run here."""
Configuration = tuple[dict[str, Any], dict[str, float]]
"""Params and weights."""


class EngineForm:
    """Fields for one engine's params and weights. `group` is shown or hidden as a whole.

    `answered` holds, in the browser, the choices that the other fields belong to: a person may be faster than the answer to
    the last one.
    """

    def __init__(self, spec: EngineSpec, *, visible: bool) -> None:
        self.spec = spec
        self.fields = _by_name(spec.fields({}))
        self.menus = _menus(spec)
        with gr.Column(visible=visible) as self.group:
            self.weights = _weight_sliders(spec)
            self.params = _param_grids(list(self.fields.values()), spec.complete_params({}))
        self.answered = gr.JSON(self._choices(spec.complete_params({})), visible=False)

    @property
    def components(self) -> list[Any]:
        """All fields, weights first, and `answered`."""
        return [*self.weights.values(), *self.params.values(), self.answered]

    def read(self, values: Sequence[Any]) -> Configuration:
        """Params and weights from the values of `components`; raises InputError for an empty or impossible one."""
        *stated, answered = values
        weights = {name: float(value) for name, value in zip(self.weights, stated, strict=False)}
        given = dict(zip(self.params, stated[len(self.weights) :], strict=True))
        for menu, choice in answered.items():
            if given[menu] != choice:
                given = self._settled(menu, given)
        used = {field.name: field for field in self.spec.fields(given) if not field.unused}
        for name in used:
            if given[name] is None:
                raise InputError(f"{self.fields[name].label}: it is empty; fill it in, or press Clear Config.")
        params = {name: _typed(field, given[name]) for name, field in used.items()}
        return self.spec.complete_params(params), self.spec.complete_weights(weights)

    def decide(self, menu: str, *values: Any) -> list[Any]:
        """Updates for the params after a choice in a menu that they depend on, and for `answered`.

        What changes is a field's default, its range, and whether it is used.
        """
        given = dict(zip(self.params, values, strict=True))
        fields, settled = _by_name(self.spec.fields(given)), self._settled(menu, given)
        # What stays isn't sent: the person may be typing there while the answer is on its way.
        shown = {
            name: _update(fields[name], settled[name]) if settled[name] != value else _update(fields[name])
            for name, value in given.items()
        }
        updates = [shown[name] if self._differs(menu, fields[name]) else gr.skip() for name in given]
        return [*updates, self._choices(given)]

    def fill(self, params: Mapping[str, Any], weights: Mapping[str, float]) -> list[Any]:
        """Updates for `components`; what isn't given is at its default."""
        known = {name: value for name, value in params.items() if name in self.fields}
        complete, stated = self.spec.complete_params(known), self.spec.complete_weights(weights)
        fields = _by_name(self.spec.fields(complete))
        settled = {name: _update(fields[name], value) if self._depends(name) else value for name, value in complete.items()}
        values = [*(stated[name] for name in self.weights), *(settled[name] for name in self.params)]
        return [*values, self._choices(complete)]

    def _settled(self, menu: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The params after a choice: what is still at the default of another choice goes to this one's, and another value is
        kept as far as the range of this choice has it."""
        settled = dict(given)
        for name, field in _by_name(self.spec.fields(given)).items():
            if self._differs(menu, field):
                others = {fields[name].default for fields in self.menus[menu]}
                settled[name] = field.default if given[name] in others else _within(field, given[name])
        return settled

    def _differs(self, menu: str, field: ParamField) -> bool:
        return field.name != menu and any(fields[field.name] != field for fields in self.menus[menu])

    def _choices(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {menu: params[menu] for menu in self.menus}

    def _depends(self, name: str) -> bool:
        return any(fields[name] != self.fields[name] for choices in self.menus.values() for fields in choices)


class EngineForms:
    """The forms of all engines, of which one is shown."""

    def __init__(self, specs: Sequence[EngineSpec], shown: str) -> None:
        self.forms = {spec.name: EngineForm(spec, visible=spec.name == shown) for spec in specs}

    @property
    def components(self) -> list[Any]:
        """The fields of all forms."""
        return [component for form in self.forms.values() for component in form.components]

    @property
    def groups(self) -> list[Any]:
        """What is shown or hidden."""
        return [form.group for form in self.forms.values()]

    def tag_menus(self) -> dict[tuple[str, str], Any]:
        """The menus that decide which tags an engine knows, by engine and name."""
        return {
            (name, menu): form.params[menu]
            for name, form in self.forms.items()
            for menu in form.menus
            if len({form.spec.tags({menu: choice}) for choice in form.fields[menu].choices or ()}) > 1
        }

    def wire(self, page: Page) -> None:
        """Wire the menus that other fields depend on."""
        for form in self.forms.values():
            fields = list(form.params.values())
            for menu in form.menus:
                page.on(form.params[menu].input, partial(form.decide, menu), fields, [*fields, form.answered])

    def read(self, engine: str, values: Sequence[Any]) -> Configuration:
        """Params and weights of one engine from the values of `components`."""
        rest = iter(values)
        for name, form in self.forms.items():
            own = list(islice(rest, len(form.components)))
            if name == engine:
                return form.read(own)
        raise InputError(f"The engine {engine!r} isn't installed; choose another one.")

    def fill(self, engine: str, params: Mapping[str, Any], weights: Mapping[str, float]) -> list[Any]:
        """Updates for `components`: one engine's fields, the others are left alone."""
        updates: list[Any] = []
        for name, form in self.forms.items():
            updates += form.fill(params, weights) if name == engine else [gr.skip()] * len(form.components)
        return updates

    def show(self, engine: str) -> list[Any]:
        """Updates for `groups`."""
        return [gr.Column(visible=name == engine) for name in self.forms]


def _menus(spec: EngineSpec) -> dict[str, list[dict[str, ParamField]]]:
    """Menus that other fields depend on, such as a model's variant, with the fields of each choice."""
    found: dict[str, list[dict[str, ParamField]]] = {}
    for field in spec.fields({}):
        if field.choices and not field.open_choices:
            fields = [_by_name(spec.fields({field.name: choice})) for choice in field.choices]
            if any(others != fields[0] for others in fields):
                found[field.name] = fields
    return found


def first_engine(specs: Sequence[EngineSpec]) -> str:
    """The engine that a page opens with."""
    here = {spec.name for spec in specs if availability_of(spec).available}
    return next((name for name in FIRST_CHOICES if name in here), specs[0].name)


def engine_choices(specs: Sequence[EngineSpec]) -> list[tuple[str, str]]:
    """Engines for a menu, those that can't be used at its end; those that can't run here say so."""
    here = {spec.name: availability_of(spec).available for spec in specs}
    choices = [(spec.title if here[spec.name] else f"{spec.title} (not available)", spec.name) for spec in specs]
    return [*choices, *((f"{name} (not available)", name) for name in broken_engines())]


def engine_note(name: str) -> tuple[str, str, list[str]]:
    """What to know of an engine before choosing it; where it can't run here, why, and the steps to have it."""
    spec = known_engine(name)
    availability = availability_of(spec)
    if availability.available:
        return f"{spec.summary} {availability.runs_on}".strip(), "", []
    steps = re.split(r"(?:;|,) then ", availability.remedy)
    if any(find_model_files(model) is None for model in spec.model_files):
        press = "Press Fetch weights, below: it says first how much that is, and where it goes."
        return spec.summary, availability.reason, [press, f"Or do it by hand. {steps[0]}", *steps[1:]]
    return spec.summary, availability.reason, [*steps, "Start the page again."] if availability.remedy else []


def _weight_sliders(spec: EngineSpec) -> dict[str, Any]:
    if not spec.weights:
        return {}
    _heading("Control weights; the set of those above 0 is the same for a whole batch")
    with gr.Row(elem_classes="cw-grid"):
        return {
            name: gr.Slider(0, 1, value=default, step=0.05, label=f"Weight: {name}", min_width=150)
            for name, default in spec.weights.items()
        }


def _param_grids(fields: Sequence[ParamField], values: Mapping[str, Any]) -> dict[str, Any]:
    shared = [field for field in fields if field.invariant and not field.unused]
    own = [field for field in fields if field not in shared]
    components: dict[str, Any] = {}
    for heading, members in (("The same for a whole batch", shared), ("Each item its own", own)):
        if not members:
            continue
        if shared:
            _heading(heading)
        with gr.Row(elem_classes="cw-grid"):
            components |= {field.name: _component(field, values[field.name]) for field in members}
    return {field.name: components[field.name] for field in fields}


def _heading(text: str) -> None:
    gr.HTML(f'<p class="cw-heading">{text}</p>', apply_default_css=False)


def _component(field: ParamField, value: Any) -> Any:
    shared: dict[str, Any] = {"label": field.label, "min_width": 190, **_use(field)}
    if field.kind == "bool":
        return gr.Checkbox(value, **shared)
    if field.choices:
        choices = list(zip(field.choice_labels or field.choices, field.choices, strict=True))
        return gr.Dropdown(choices, value=value, allow_custom_value=field.open_choices, **shared)
    if field.kind == "text":
        return gr.Textbox(value, lines=field.lines, max_lines=4 * field.lines, **shared)
    shared |= {"minimum": field.minimum, "maximum": field.maximum, "step": field.step or (1 if field.kind == "int" else 0.05)}
    if field.name == SEED:  # a plain field with a dice: nobody slides to one of two thousand million
        shared["elem_classes"] = "cw-seed"
    if field.name != SEED and field.minimum is not None and field.maximum is not None:
        number: Any = gr.Slider(value=value, **shared)
    else:
        number = gr.Number(value, precision=0 if field.kind == "int" else None, **shared)
    # It gives what was written: what is out of range is told by `read`, which knows the field's name.
    number.preprocess = lambda payload: payload
    return number


def _use(field: ParamField) -> dict[str, Any]:
    info = " ".join(part for part in (field.help, field.unused) if part) or None
    return {"info": info, "interactive": not field.unused}


def _update(field: ParamField, *value: Any) -> dict[str, Any]:
    """A component that shows another field of the same name, and another value where one is given."""
    span = {"minimum": field.minimum, "maximum": field.maximum} if field.kind in ("int", "float") else {}
    return gr.update(**({"value": value[0]} if value else {}), **span, **_use(field))


def _within(field: ParamField, value: Any) -> Any:
    if field.unused or isinstance(value, bool) or not isinstance(value, int | float):
        return value
    low = value if field.minimum is None else max(value, field.minimum)
    return low if field.maximum is None else min(low, field.maximum)


def _typed(field: ParamField, value: Any) -> Any:
    # A slider in the browser gives whole numbers and decimals alike.
    if field.kind == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    return float(value) if field.kind == "float" and isinstance(value, int) else value


def _by_name(fields: Sequence[ParamField]) -> dict[str, ParamField]:
    return {field.name: field for field in fields}
