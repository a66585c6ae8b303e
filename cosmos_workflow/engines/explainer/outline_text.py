"""An outline's text read into plain values, with the line of each; nothing in it can construct an object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cosmos_workflow.errors import InputError, shorten

MAX_OUTLINE = 100_000
"""Characters of an outline."""
MAX_DEPTH = 8

_TOO_DEEP = "this is nested too deeply; an outline is a title and a list of scenes"

Location = tuple[str | int, ...]
"""The keys and list places that lead to a value: ("scenes", 2, "bullets", 0)."""

_CORE = "tag:yaml.org,2002:"
_SCALARS = {_CORE + name for name in ("str", "int", "float", "bool", "null", "timestamp")}


def read_outline_file(path: Path) -> str:
    """The text of an outline file; raises InputError where it is too large or isn't UTF-8 text."""
    try:
        with path.open("rb") as file:
            data = file.read(4 * MAX_OUTLINE + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"explainer: {path.name} can't be read ({error.strerror}); choose the file again.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"explainer: {path.name} isn't UTF-8 text; save the outline as UTF-8.") from error
    if len(text) > MAX_OUTLINE:
        raise InputError(f"explainer: {path.name} has more than {MAX_OUTLINE:,} characters; shorten the outline.")
    return text


def read_values(text: str) -> tuple[Any, dict[Location, int]]:
    """The values of a YAML or JSON text, and the line (from 1) of each where it is known; raises ValueError with a sentence.

    Anchors, tags and repeated keys are refused: an outline needs none, and an alias bomb is made of them.
    """
    if text.lstrip().startswith("{"):
        return _read_json(text), {}
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    from cosmos_workflow.yaml_places import TooDeepError, compose_yaml

    try:
        node = compose_yaml(text)
        if node is None:
            raise ValueError("it is empty; write `title:` and `scenes:`")
        lines: dict[Location, int] = {}
        return _Reader(lines).read(node, ()), lines
    except (TooDeepError, RecursionError) as error:
        raise ValueError(_TOO_DEEP) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise ValueError(f"{line}this isn't YAML ({error.problem}); check indentation, quotes and colons") from error
    except YAMLError as error:
        raise ValueError("this isn't YAML; check indentation, quotes and colons") from error


def _read_json(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the key {shorten(name)} is here twice; keep one")
            seen.add(name)
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: this isn't JSON ({error.msg}); check quotes, commas and brackets") from error
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error


class _Reader:
    """Turns YAML nodes into plain values, noting lines."""

    def __init__(self, lines: dict[Location, int]) -> None:
        from ruamel.yaml import YAML

        self._lines = lines
        self._seen: set[int] = set()
        self._scalars = YAML(typ="safe", pure=True).constructor

    def read(self, node: Any, location: Location) -> Any:
        line = node.start_mark.line + 1
        self._lines[location] = line
        if id(node) in self._seen or node.anchor:
            raise ValueError(f"line {line}: anchors and aliases (& and *) aren't used in outlines; write the text again")
        self._seen.add(id(node))
        if len(location) > MAX_DEPTH:
            raise ValueError(f"line {line}: this is nested too deeply; an outline is a title and a list of scenes")
        if isinstance(node.value, str):
            return self._scalar(node, line)
        if node.tag not in (_CORE + "map", _CORE + "seq"):
            raise ValueError(f"line {line}: the tag {shorten(str(node.tag))} isn't used in outlines; write a plain value")
        if node.tag == _CORE + "seq":
            return [self.read(member, (*location, index)) for index, member in enumerate(node.value)]
        return {name: self.read(value, (*location, name)) for name, value in self._pairs(node)}

    def _pairs(self, node: Any) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key.value, str):
                raise ValueError(f"line {line}: a key must be a plain word")
            if key.value in seen:
                raise ValueError(f"line {line}: the key {shorten(key.value)} is here twice; keep one")
            seen.add(key.value)
            yield key.value, value

    def _scalar(self, node: Any, line: int) -> Any:
        if node.tag not in _SCALARS:
            raise ValueError(f"line {line}: the tag {shorten(str(node.tag))} isn't used in outlines; write a plain value")
        if node.tag in (_CORE + "str", _CORE + "timestamp"):
            return node.value
        try:
            return self._scalars.construct_object(node)
        except ValueError as error:
            raise ValueError(f"line {line}: {shorten(node.value)} isn't a value; put quotes around text") from error
