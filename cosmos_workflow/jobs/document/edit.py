"""Changes to a job file's text that leave its comments, its order and its quotes as their writer put them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import ScalarString

from cosmos_workflow.yaml_places import Location, read_yaml


def set_values(text: str, changes: Mapping[Location, Any]) -> str:
    """The text with these values in place; a value of None takes its key away. Raises JobFileError for what isn't YAML.

    A section on the way to a key is made where it is missing. A text in which nothing changes comes back as it was.
    """
    tree = read_yaml(text)
    if all(_present(tree.value, location) == value for location, value in changes.items()):
        return text
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = 1_000_000
    if _lists_are_indented(text):
        yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(text)
    for location, value in changes.items():
        _set(document, location, value)
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _set(document: Any, location: Location, value: Any) -> None:
    holder = document
    for part in location[:-1]:
        if isinstance(holder, CommentedMap) and part not in holder:
            holder[part] = CommentedMap()
        holder = holder[part]
    if value is None:
        holder.pop(location[-1], None)
    elif isinstance(holder, CommentedMap) and location[-1] not in holder and isinstance(holder.get("tasks"), list):
        # Before the tasks, where people look for it; behind them it would read like part of the last one.
        holder.insert(list(holder).index("tasks"), location[-1], value)
    else:
        before = _present(holder, location[-1:])
        # A text of several lines stays one.
        holder[location[-1]] = type(before)(value) if isinstance(before, ScalarString) and isinstance(value, str) else value


def _present(value: Any, location: Location) -> Any:
    for part in location:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _lists_are_indented(text: str) -> bool:
    first = next((line for line in text.split("\n") if line.lstrip().startswith("- ")), "  - ")
    return first.startswith(" ")
