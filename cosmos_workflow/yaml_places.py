"""YAML read into plain values, with the place of every key and value; nothing in a file can construct an object."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.scanner import Scanner

from cosmos_workflow.errors import InputError, shorten

MAX_YAML_BYTES = 1_000_000
MAX_VALUES = 50_000
"""Values a file may have once its aliases are written out: an alias bomb stops here."""
MAX_DEPTH = 20

_NO_COMMENT = re.compile(r"#(?:[^\s#]| ?\d)")

Location = tuple[str | int, ...]
"""The keys and list places that lead to a value: ("tasks", 2, "params", "rate")."""

_CORE = "tag:yaml.org,2002:"
MAX_BITS = 4096
"""Of a whole number; Python refuses to write longer ones in decimal."""
_SCALARS = {_CORE + name for name in ("str", "int", "float", "bool", "null", "timestamp")}


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file: line and column, both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a job file: where, which key, and what would be right."""

    place: Place
    key: str
    message: str
    file: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.place.line}:{self.place.column}" if self.file else f"line {self.place.line}"
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class JobFileError(InputError):
    """A job file is wrong; `problems` are all that were found, in the order of the file, and `str()` is a line for each."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: (problem.file, problem.place.line, problem.place.column))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(slots=True)
class YamlTree:
    """A file's values as dict, list, str, int, float, bool and None, and where each key and value stands.

    `shown` is how messages write a path.
    """

    value: Any
    file: str = ""
    shown: Callable[[Path], str] = str
    keys: dict[Location, Place] = field(default_factory=dict)
    values: dict[Location, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    left_out: set[Location] = field(default_factory=set)
    """Locations of wrong values that were taken out of `value`: nobody is told that these are missing."""
    files: dict[Path, tuple[int, ...]] = field(default_factory=dict)
    """Files that it names and that are there, each with its stamp before anybody read it."""

    def place(self, location: Location, *, of_key: bool = False) -> Place:
        """Where a value (or its key) stands; the nearest that is written in the file, where it isn't itself."""
        for end in range(len(location), -1, -1):
            found = (self.keys if of_key else self.values).get(location[:end]) or self.values.get(location[:end])
            if found:
                return found
        return Place(1, 1)

    def problem(self, location: Location, message: str, *, of_key: bool = False) -> Problem:
        """A problem at a location."""
        return Problem(self.place(location, of_key=of_key), spell(location), message, self.file)


def spell(location: Location) -> str:
    """A location as people write it: tasks[2].params.rate, counting from 1 as people do."""
    text = ""
    for part in location:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_text_file(path: Path, most: int, what: str, shown: Callable[[Path], str] = str) -> str:
    """A file's text: UTF-8, with or without its mark, at most `most` bytes; raises InputError, which names it by `shown`."""
    name = shown(path)
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{name}: the {what} can't be read ({error.strerror}); check the name and the rights.") from error
    if len(data) > most:
        raise InputError(f"{name}: the {what} has more than {most:,} bytes; split it.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{name}:{line}: the {what} isn't UTF-8 text; save it as UTF-8.") from error
    if "\0" in text:
        raise InputError(f"{name}: the {what} holds binary data; give a text file.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


class TooDeepError(MarkedYAMLError):
    """YAML in brackets within brackets, deeper than any file of ours is; reading on would take seconds for each page of them."""


class _Scanner(Scanner):
    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:  # noqa: N803 - the library's name
        if len(self.flow_context) > MAX_DEPTH:
            raise TooDeepError(
                problem=f"this is nested too deeply; use at most {MAX_DEPTH} levels.", problem_mark=self.reader.get_mark()
            )
        super().fetch_flow_collection_start(TokenClass, to_push)


def compose_yaml(text: str) -> Node | None:
    """The nodes of one YAML document; None for an empty one. Raises what ruamel.yaml does, and TooDeepError."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _Scanner
    return yaml.compose(text)


def read_yaml(text: str, file: str = "", *, may_be_empty: bool = False) -> YamlTree:
    """The tree of one YAML document; None is the value of an empty one, where it may be.

    Raises JobFileError where it isn't YAML at all; lesser troubles are in `problems`.
    """
    if len(text.encode("utf-8", "replace")) > MAX_YAML_BYTES:
        raise JobFileError([Problem(Place(1, 1), "", f"the file has more than {MAX_YAML_BYTES:,} bytes; use text_file.", file)])
    try:
        node = compose_yaml(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        raise JobFileError([Problem(place, "", _explain(error), file)]) from error
    except (YAMLError, ValueError) as error:
        place, message = _unreadable(text)
        raise JobFileError([Problem(place, "", message, file)]) from error
    except RecursionError as error:
        message = f"this is nested too deeply; use at most {MAX_DEPTH} levels."
        raise JobFileError([Problem(Place(1, 1), "", message, file)]) from error
    if node is None and not may_be_empty:
        raise JobFileError([Problem(Place(1, 1), "", "the file is empty; write `engine:` and `tasks:`.", file)])
    tree = YamlTree(None, file)
    if node is not None:
        tree.value = _Reader(tree, text.split("\n")).read(node, (), None)
    return tree


class _Reader:
    """Turns nodes into plain values, noting places, duplicate keys and tags."""

    def __init__(self, tree: YamlTree, lines: list[str]) -> None:
        self._tree, self._lines = tree, lines
        self._count = 0
        self._scalars = YAML(typ="safe", pure=True).constructor

    def read(self, node: Node, location: Location, key: Place | None) -> Any:
        self._count += 1
        own = Place(node.start_mark.line + 1, node.start_mark.column + 1)
        # An aliased value stands elsewhere, with the anchor; what a person must look at is the key that names it.
        place = own if key is None or own.line >= key.line else key
        self._tree.values[location] = place
        if self._count > MAX_VALUES or len(location) > MAX_DEPTH:
            message = f"there is too much here; a job file holds at most {MAX_VALUES:,} values, {MAX_DEPTH} levels deep."
            raise JobFileError([self._tree.problem(location, message)])
        if isinstance(node, ScalarNode):
            return self._scalar(node, location)
        if node.tag not in (_CORE + "map", _CORE + "seq"):
            self._refuse_tag(node, location)
        if isinstance(node, SequenceNode):
            return [self.read(member, (*location, index), None) for index, member in enumerate(node.value)]
        assert isinstance(node, MappingNode)  # noqa: S101 - for the type checker: YAML has three kinds of nodes
        return {name: self.read(value, (*location, name), place) for name, value, place in self._pairs(node, location)}

    def _pairs(self, node: MappingNode, location: Location) -> Iterator[tuple[str, Node, Place]]:
        seen: dict[str, Place] = {}
        for key, value in node.value:
            place = Place(key.start_mark.line + 1, key.start_mark.column + 1)
            name = key.value
            if not isinstance(key, ScalarNode) or key.tag.endswith(":merge"):
                self._note(location, "a key must be a plain word; merge keys and complex keys aren't used in job files.", place)
            elif name in seen:
                self._note(location, f"the key {shorten(name)} is here twice, first in line {seen[name].line}; keep one.", place)
            else:
                seen[name] = place
                self._tree.keys[(*location, name)] = place
                yield name, value, place

    def _note(self, location: Location, message: str, place: Place | None = None) -> None:
        self._tree.problems.append(Problem(place or self._tree.place(location), spell(location), message, self._tree.file))

    def _scalar(self, node: ScalarNode, location: Location) -> Any:
        if node.tag not in _SCALARS:
            self._refuse_tag(node, location)
            return None
        if node.style in ("|", ">"):
            # The text of a block begins on the line after its mark.
            self._tree.values[location] = Place(self._tree.values[location].line + 1, 1)
        self._check_cut(node, location)
        if node.tag in (_CORE + "str", _CORE + "timestamp"):
            return node.value
        try:
            value = self._scalars.construct_object(node)
            if isinstance(value, int) and value.bit_length() > MAX_BITS:
                raise ValueError("a number that can't be written in decimal")
            return value
        except (ValueError, YAMLError):
            self._note(location, f"{shorten(node.value)} isn't a value; put quotes around text.")
            return None

    def _check_cut(self, node: ScalarNode, location: Location) -> None:
        """A text that isn't in quotes ends where a comment begins: what stands behind it would be lost without a word.

        "# why" is how people write a comment; "#5" and "# 5" are meant to be read.
        """
        mark = node.end_mark
        behind = self._lines[mark.line][mark.column :].lstrip() if mark.line < len(self._lines) else ""
        if location[-1:] == ("text",) and node.style is None and _NO_COMMENT.match(behind):
            column = self._lines[mark.line].index("#", mark.column) + 1
            message = f"the text ends before {shorten(behind, 30)}, which YAML takes for a comment; put the text in quotes."
            self._note(location, message, Place(mark.line + 1, column))

    def _refuse_tag(self, node: Node, location: Location) -> None:
        self._note(location, f"the tag {shorten(str(node.tag).replace(_CORE, '!!'))} isn't allowed; write a plain value.")


_HINTS = (
    ("\\t", "a tab can't be used to indent; use spaces."),
    (
        "mapping values are not allowed",
        "a colon is where none may be; put quotes around text that contains ': ', and check the indentation.",
    ),
    ("escape", "a backslash in double quotes begins a special character; write a path with /, or put it in single quotes."),
    ("another document", "a second document begins here; a file holds one job."),
)
"""What a parser's words mean, and what would be right."""


def _explain(error: MarkedYAMLError) -> str:
    problem = str(error.problem or "this isn't YAML")
    if isinstance(error, TooDeepError):
        return problem
    if hint := next((hint for words, hint in _HINTS if words in problem), ""):
        return hint
    if "undefined alias" in problem:
        return f"{problem}; define the anchor before it is used."
    context = f" {error.context}" if error.context else ""
    return f"this isn't YAML: {problem}{context}; check quotes, brackets and indentation."


def _unreadable(text: str) -> tuple[Place, str]:
    for number, line in enumerate(text.split("\n"), 1):
        for column, letter in enumerate(line, 1):
            if not letter.isprintable() and letter not in "\t\ufeff" and not letter.isspace():
                return Place(number, column), f"the character U+{ord(letter):04X} can't be used in YAML; delete it."
    return Place(1, 1), "this isn't YAML; check quotes, brackets and indentation."
