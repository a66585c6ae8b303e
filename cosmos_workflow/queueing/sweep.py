"""A sweep: params that are given several values, of which every combination becomes an item. Pure."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cosmos_workflow.engines.params import ParamField
from cosmos_workflow.errors import InputError, did_you_mean, list_choices, shorten

MOST = 1_000
"""Combinations of one sweep."""
_RANGE = re.compile(r"(-?\d+)\s*\.\.\s*(-?\d+)")


def parse_sweep(text: str, fields: Sequence[ParamField]) -> list[dict[str, Any]]:
    """The combinations of a text such as "seed: 1..8" and "voice: a, b", a param a line; one empty one for no text.

    The last param changes fastest. Raises InputError with the line for an unknown param, a value of another kind, or more than
    `MOST` combinations; whether a value is in its range is checked with everything else.
    """
    known = {field.name: field for field in fields if not field.unused}
    known |= {field.label.casefold(): field for field in known.values()}
    swept: dict[str, list[Any]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, colon, values = line.partition(":")
        field = known.get(name.strip()) or known.get(name.strip().casefold())
        if field is None or not colon:
            names = [field.name for field in fields if not field.unused]
            raise InputError(
                f"Sweep, line {number}: {shorten(name.strip())} is no param here{did_you_mean(name.strip(), names)}; "
                f"write one of {list_choices(names, 20)}, a colon, and values, as in seed: 1..8."
            )
        if field.name in swept:
            raise InputError(f"Sweep, line {number}: {field.name} is there twice; put its values into one line.")
        swept[field.name] = _values(field, values, f"Sweep, line {number}")
    total = math.prod(len(values) for values in swept.values())
    if total > MOST:
        raise InputError(f"Sweep: these are {total:,} combinations; give at most {MOST:,}.")
    return [dict(zip(swept, combination, strict=True)) for combination in itertools.product(*swept.values())]


def _values(field: ParamField, text: str, where: str) -> list[Any]:
    found: list[Any] = []
    for part in (part.strip() for part in text.split(",")):
        span = _RANGE.fullmatch(part) if field.kind in ("int", "float") else None
        if span:
            low, high = sorted(map(int, span.groups()))
            if high - low >= MOST:
                raise InputError(f"{where}: {part} has {high - low + 1:,} values; give at most {MOST:,}.")
            found += range(low, high + 1)
        elif part:
            found.append(_value(field, part, where))
    if not found:
        raise InputError(f"{where}: {field.name} has no value; write some, as in {field.name}: a, b.")
    return list(dict.fromkeys(found))


def _value(field: ParamField, part: str, where: str) -> Any:
    if field.kind in ("int", "float"):
        try:
            return int(part) if field.kind == "int" else float(part)
        except ValueError as error:
            kind = "a whole number" if field.kind == "int" else "a number"
            raise InputError(f"{where}: {shorten(part)} isn't {kind}.") from error
    if field.kind == "bool":
        spoken: Mapping[str, bool] = {"yes": True, "true": True, "no": False, "false": False}
        if part.casefold() not in spoken:
            raise InputError(f"{where}: {shorten(part)} isn't right; write yes or no.")
        return spoken[part.casefold()]
    labels = dict(zip(field.choice_labels, field.choices, strict=False))
    return labels.get(part, part)
