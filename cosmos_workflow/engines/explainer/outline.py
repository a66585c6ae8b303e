"""An outline: its schema (a title, and scenes with their narration, each a title card, bullets, a formula or a chart), and its
text read into that, with the line of each mistake; nothing in it can construct an object."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from cosmos_workflow.errors import InputError, list_choices, shorten
from cosmos_workflow.yaml_places import JobFileError, Location, read_yaml, spell

MAX_OUTLINE = 100_000
"""Characters of an outline."""
MAX_SCENES = 20
MAX_BULLETS = 6
MAX_BULLET_TEXT = 480
"""Characters of all bullets of a scene together: what can be read at 480 lines."""
MAX_POINTS = 12
LABEL_ROOM = 78
"""Characters of a chart's labels side by side."""
MOST_PROBLEMS = 8

SceneKind = Literal["title", "bullets", "formula", "chart"]

_CODE = re.compile(r"(?<!\\)[#$]")
# Typst's whole library, which can read files, is reachable in a formula under this name.
_LIBRARY = re.compile(r"(?<![A-Za-z0-9])std(?![A-Za-z0-9])")
_OUTLINE_TEXT = re.compile(r"^\s*\{|^(title|scenes)[ \t]*:", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class Section(BaseModel):
    """Base of the sections: unknown keys are refused, instances don't change. A number may stand for a text."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, coerce_numbers_to_str=True, str_strip_whitespace=True
    )

    @field_validator("*", mode="after")
    @classmethod
    def _plain_text(cls, value: Any) -> Any:
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and (found := _CONTROL.search(text)):
                raise ValueError(f"it holds the character U+{ord(found[0]):04X}; delete it")
        return value


class Chart(Section):
    """Values with a label each, as bars or as a line."""

    kind: Literal["bar", "line"] = Field("bar", description="bar or line")
    labels: tuple[str, ...] = Field(description=f"a list of 2 to {MAX_POINTS} short texts", min_length=2, max_length=MAX_POINTS)
    values: tuple[float, ...] = Field(description="a list of numbers, one for each label", min_length=2, max_length=MAX_POINTS)
    unit: str = Field("", description="text of at most 12 characters, such as % or km", max_length=12)

    @model_validator(mode="after")
    def _a_value_each(self) -> Chart:
        if len(self.labels) != len(self.values):
            raise ValueError(f"there are {len(self.labels)} labels and {len(self.values)} values; give each label its value")
        if any(len(label) > 24 for label in self.labels):
            raise ValueError(f"the label {shorten(max(self.labels, key=len))} is too long; use at most 24 characters")
        # What fits below its value in letters that can be read at 480 lines, in at most three lines.
        width = LABEL_ROOM // len(self.labels)
        for label in self.labels:
            if max(map(len, label.split()), default=0) > width or len(label) > 3 * width:
                raise ValueError(
                    f"the label {shorten(label)} is too wide beside {len(self.labels) - 1} others; "
                    f"use words of at most {width} characters, or fewer values"
                )
        if any(abs(value) > 1e15 for value in self.values):
            raise ValueError("a value is too large; use a larger unit")
        return self


class Scene(Section):
    """One picture with its narration. At most one of `bullets`, `formula` and `chart`; with none it is a title card."""

    title: str = Field(description="text of 1 to 80 characters", min_length=1, max_length=80)
    narration: str = Field(description='what is said, at most 2,000 characters; "" for a scene without words', max_length=2000)
    caption: str = Field("", description="a line of at most 140 characters below a title, a formula or a chart", max_length=140)
    bullets: tuple[str, ...] = Field((), description=f"a list of at most {MAX_BULLETS} short texts", max_length=MAX_BULLETS)
    formula: str = Field(
        "", description="a formula in Typst's notation, at most 300 characters, such as a^2 + b^2 = c^2", max_length=300
    )
    chart: Chart | None = Field(None, description="a section with kind, labels, values and unit")

    @field_validator("bullets")
    @classmethod
    def _readable(cls, bullets: tuple[str, ...]) -> tuple[str, ...]:
        if not all(bullets):
            raise ValueError("a bullet is empty; write its text or take it out")
        if (total := sum(map(len, bullets))) > MAX_BULLET_TEXT:
            raise ValueError(f"the bullets have {total} characters; use at most {MAX_BULLET_TEXT}, or two scenes")
        return bullets

    @field_validator("formula")
    @classmethod
    def _no_code(cls, formula: str) -> str:
        if _CODE.search(formula) or _LIBRARY.search(formula):
            raise ValueError("a formula holds no code; write # and $ as \\# and \\$, without dollar signs around it")
        return formula

    @model_validator(mode="after")
    def _one_kind(self) -> Scene:
        kinds = [name for name in ("bullets", "formula", "chart") if getattr(self, name)]
        if len(kinds) > 1:
            raise ValueError(f"a scene shows one thing, and this one has {' and '.join(kinds)}; make two scenes")
        if self.bullets and self.caption:
            raise ValueError("a scene with bullets has no caption; make it a bullet")
        return self

    @property
    def kind(self) -> SceneKind:
        """What the scene shows."""
        return "bullets" if self.bullets else "formula" if self.formula else "chart" if self.chart else "title"


class Outline(Section):
    """A whole video."""

    title: str = Field(description="text of 1 to 120 characters", min_length=1, max_length=120)
    scenes: tuple[Scene, ...] = Field(
        description=f"a list of 1 to {MAX_SCENES} scenes, each with title and narration", min_length=1, max_length=MAX_SCENES
    )


def is_outline(text: str) -> bool:
    """Whether a prompt's text is an outline rather than a topic: it begins like JSON, or a line begins with a key of it."""
    return bool(_OUTLINE_TEXT.search(text))


def read_outline_file(path: Path) -> str:
    """The text of an outline file; raises InputError where it is too large or isn't UTF-8 text."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(MAX_OUTLINE + 1)
    except OSError as error:
        raise InputError(f"explainer: {path.name} can't be read ({error.strerror}); choose the file again.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"explainer: {path.name} isn't UTF-8 text; save the outline as UTF-8.") from error
    if len(text) > MAX_OUTLINE:
        raise InputError(f"explainer: {path.name} has more than {MAX_OUTLINE:,} characters; shorten the outline.")
    return text


def parse_outline(text: str, where: str) -> Outline:
    """The outline in a YAML or JSON text; raises InputError that says for each mistake where it is and what would be right.

    `where` stands in front of the sentence. Repeated keys, tags and anchors are refused: an outline needs none.
    """
    try:
        values, lines = (_read_json(text), {}) if text.lstrip().startswith("{") else _read_yaml(text)
    except ValueError as error:
        raise InputError(f"{where}: {error}.") from error
    return validate_outline(values, where, lines)


def validate_outline(values: Any, where: str, lines: Mapping[Location, int] | None = None) -> Outline:
    """As `parse_outline`, from plain values; `lines` tells where each of them stands."""
    if not isinstance(values, dict):
        raise InputError(f"{where}: an outline is made of `title:` and `scenes:`, not of {shorten(values)}.")
    try:
        return Outline.model_validate(values)
    except ValidationError as error:
        problems = [_explain(detail, lines or {}) for detail in _own(error.errors())]
        more = len(problems) - MOST_PROBLEMS
        shown = "; ".join(problems[:MOST_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
        raise InputError(f"{where}: {shown}.") from error


def write_outline(outline: Outline) -> str:
    """The outline as YAML that `parse_outline` reads; a person may edit it."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(outline.model_dump(mode="json", exclude_defaults=True), stream)
    return stream.getvalue()


def _read_yaml(text: str) -> tuple[Any, dict[Location, int]]:
    """The values of a YAML text, and the line of each; raises ValueError with a sentence."""
    from ruamel.yaml import YAML
    from ruamel.yaml.tokens import AliasToken, AnchorToken

    try:
        tree = read_yaml(text, may_be_empty=True)
    except JobFileError as error:
        wrong = error.problems[0]
        message = wrong.message.removeprefix("this isn't YAML: ").rstrip(".")
        raise ValueError(f"line {wrong.place.line}: this isn't YAML: {message}") from error
    for token in YAML(typ="safe", pure=True).scan(text):
        if isinstance(token, AliasToken | AnchorToken):
            line = token.start_mark.line + 1
            raise ValueError(f"line {line}: anchors and aliases (& and *) aren't used in outlines; write the text again")
    if tree.problems:
        raise ValueError("; ".join(f"line {wrong.place.line}: {wrong.message.rstrip('.')}" for wrong in tree.problems))
    if tree.value is None:
        raise ValueError("it is empty; write `title:` and `scenes:`")
    return tree.value, {location: place.line for location, place in tree.values.items()}


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
        raise ValueError("this is nested too deeply; an outline is a title and a list of scenes") from error


def _own(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without the lists that count as too short only because their members are wrong."""
    places = [detail["loc"] for detail in details]

    def follows(detail: ErrorDetails) -> bool:
        place = detail["loc"]
        return detail["type"] == "too_short" and any(other != place and other[: len(place)] == place for other in places)

    return [detail for detail in details if not follows(detail)]


def _explain(detail: ErrorDetails, lines: Mapping[Location, int]) -> str:
    location = detail["loc"]
    line = next((lines[location[:end]] for end in range(len(location), 0, -1) if location[:end] in lines), 0)
    where = (f"line {line}: " if line else "") + (spell(location) or "outline")
    if detail["type"] == "extra_forbidden":
        model = _section_at(location[:-1])
        return f"{where}: unknown key; use {list_choices(tuple(model.model_fields)) if model else 'none'}"
    if detail["type"] == "missing":
        return f"{where} is missing; write {_words(location)}"
    if detail["type"] == "value_error":
        return f"{where}: {detail['ctx']['error']}" if "ctx" in detail else f"{where}: {detail['msg']}"
    if detail["type"] == "string_too_long":
        return f"{where}: it has {len(detail['input']):,} characters; write {_words(location)}"
    return f"{where}: {shorten(detail.get('input'))} isn't right; write {_words(location)}"


def _words(location: Location) -> str:
    """What would be right at a location; inside a list of plain values, what the list's members are."""
    names = [part for part in location if isinstance(part, str)]
    model = _section_at(location[: len(location) - 1 - list(reversed(location)).index(names[-1])]) if names else None
    if model is None or names[-1] not in model.model_fields:
        return "a section with title and scenes"
    if isinstance(location[-1], int):
        return {"values": "a number", "scenes": "a section with title and narration"}.get(names[-1], "a text")
    return model.model_fields[names[-1]].description or ""


def _section_at(location: Location) -> type[Section] | None:
    model: type[Section] | None = Outline
    for part in location:
        if isinstance(part, int):
            continue
        if model is None or part not in model.model_fields:
            return None
        annotation = model.model_fields[part].annotation
        options = [annotation, *get_args(annotation)]
        model = next((option for option in options if isinstance(option, type) and issubclass(option, Section)), None)
    return model
