"""What an engine can be told: pydantic models whose fields also say how a form shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from cosmos_workflow.errors import InputError, list_choices, shorten

MAX_SEED = 2**31 - 1

Choices = Sequence[str] | Callable[[], Sequence[str]]
ParamKind = Literal["int", "float", "bool", "choice", "text"]

_PYTHON_KINDS: dict[Any, ParamKind] = {int: "int", float: "float", bool: "bool", str: "text"}
_KIND_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "choice": "text", "text": "text"}


class Params(BaseModel):
    """Base of every engine's parameters: unknown keys are refused, values are checked, instances don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class ParamField:
    """One parameter as a form shows it.

    `invariant`: must be equal for all items of a batch. `choices` is empty for a free value; with `open_choices` they are
    what a form offers, and the model's own validator decides on other values; `choice_labels` are what a person reads for each
    of them. `lines` is how high the field of a text is. `unused` is empty, or says why the engine
    can't use this parameter; such a field is shown, disabled, and takes no part in the batch key.
    """

    name: str
    kind: ParamKind
    default: Any
    label: str
    help: str
    invariant: bool = False
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    unused: str = ""
    open_choices: bool = False
    choice_labels: tuple[str, ...] = ()
    lines: int = 1


def param(
    default: Any,
    *,
    label: str,
    help: str = "",
    invariant: bool = False,
    ge: float | None = None,
    le: float | None = None,
    step: float | None = None,
    choices: Choices = (),
    unused: str = "",
    max_length: int | None = None,
    open_choices: bool = False,
    label_of: Callable[[str], str] | None = None,
    lines: int = 1,
) -> Any:
    """A field of a `Params` model, with its range and what a form needs to show it.

    `choices` may be a function, called when a form or a check needs it, so that a list that costs something to make
    isn't made at import. Choices are checked by `validate_params`, not by pydantic.
    """
    form = {"invariant": invariant, "step": step, "unused": unused, "open_choices": open_choices, "lines": lines}
    extra: Any = {"form": form, "choices": choices, "label_of": label_of}
    return Field(default, ge=ge, le=le, max_length=max_length, title=label, description=help, json_schema_extra=extra)


@cache
def param_fields(model: type[Params]) -> tuple[ParamField, ...]:
    """The fields of a params model, in the order in which they are declared."""
    return tuple(_describe(name, model) for name in model.model_fields)


def validate_params(model: type[Params], values: Mapping[str, Any], where: str = "") -> Params:
    """A checked instance of `model`; raises InputError naming each wrong key, its value, and what would be right.

    `where` stands in front of the sentence ("task 3"), when given.
    """
    try:
        checked = model.model_validate(dict(values))
    except ValidationError as error:
        raise _input_error([_explain(detail, model) for detail in error.errors()], where) from error
    wrong = [
        (field.name, f"{shorten(getattr(checked, field.name))} isn't one of its choices; use {list_choices(field.choices)}")
        for field in param_fields(model)
        if field.choices and not field.open_choices and getattr(checked, field.name) not in field.choices
    ]
    if wrong:
        raise _input_error(wrong, where)
    return checked


def expected(field: ParamField) -> str:
    """What a field takes, in words: "a whole number from 80 to 450"."""
    if field.choices:
        return list_choices(field.choices)
    words = _KIND_WORDS[field.kind]
    low, high = (None if bound is None else f"{bound:g}" for bound in (field.minimum, field.maximum))
    if low is not None:
        return f"{words} of at least {low}" if high is None else f"{words} from {low} to {high}"
    return words if high is None else f"{words} of at most {high}"


def _input_error(problems: Sequence[tuple[str, str]], where: str) -> InputError:
    """Keys and what is wrong with each as one error; its fields are those of the first."""
    text = "; ".join(f"{key}: {cause}" for key, cause in problems)
    key, cause = problems[0]
    return InputError(f"{where}: {text}." if where else f"{text}.", key=key, place=where, cause=f"{cause}.")


def _explain(detail: ErrorDetails, model: type[Params]) -> tuple[str, str]:
    """The key of one pydantic error, and what is wrong and would be right."""
    key = str(detail["loc"][0]) if detail["loc"] else "params"
    if detail["type"] == "extra_forbidden":
        return key, f"unknown parameter; use {list_choices(tuple(model.model_fields))}"
    if detail["type"] == "value_error":
        # The model's own validator has a sentence for people.
        return key, str(detail["ctx"]["error"] if "ctx" in detail else detail["msg"])
    value = shorten(detail.get("input"))
    if key in model.model_fields:
        return key, f"{value} isn't right; use {expected(_describe(key, model))}"
    return key, f"{value} isn't right: {detail['msg']}"


def _describe(name: str, model: type[Params]) -> ParamField:
    info = model.model_fields[name]
    extra: dict[str, Any] = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    offered: Choices = extra.get("choices", ())
    choices = tuple(offered()) if callable(offered) else tuple(offered)
    if not choices and getattr(info.annotation, "__origin__", None) is Literal:
        choices = tuple(str(choice) for choice in get_args(info.annotation))
    bounds = {type(part).__name__.lower(): part for part in info.metadata}
    kind: ParamKind = "choice" if choices else _PYTHON_KINDS[info.annotation]
    return ParamField(
        name=name,
        kind=kind,
        default=info.default,
        label=info.title or name,
        help=info.description or "",
        minimum=getattr(bounds.get("ge"), "ge", None),
        maximum=getattr(bounds.get("le"), "le", None),
        choices=choices,
        choice_labels=tuple(map(extra["label_of"], choices)) if extra.get("label_of") else (),
        **extra.get("form", {}),
    )
