"""The levels at which a job file says something (default, job, task), and the earlier tasks that an input may name.

In a job file `task:intro` stands where a file's name could: what the task `intro` makes becomes that input, put together where
it was cut in pieces. `task:previews/control_edge` names another of its outputs than the one that a person plays. Only tasks that
stand above can be named, so no two tasks ever wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.engines.spec import InputSpec
from cosmos_workflow.errors import InputError, did_you_mean, list_choices, shorten
from cosmos_workflow.files import file_stamp, inside, path_as_here
from cosmos_workflow.jobs.document.schema import Level
from cosmos_workflow.jobs.document.tasks import Source, TaskConfig, slug
from cosmos_workflow.yaml_places import Location, Place, Problem, YamlTree

S = TypeVar("S", bound=BaseModel)

MARK = "task:"


class UnresolvedError(Exception):
    """The task that is named has mistakes of its own, so nothing more can be said here."""


@dataclass(frozen=True, slots=True)
class EarlierTasks:
    """The tasks of a file as one of them sees them: the places of all by key, from 1, its own, and those that are made out."""

    places: Mapping[str, int]
    number: int
    tasks: Mapping[str, TaskConfig]

    def find(self, value: str, takes: InputSpec, engine: str) -> Source:
        """The source that a value beginning with `MARK` names, for the input `takes` of `engine`.

        Raises InputError with the sentence, UnresolvedError where the named task has mistakes itself.
        """
        name = value.removeprefix(MARK).strip()
        key, output = self._split(name)
        if key not in self.places:
            above = [known for known, place in self.places.items() if place < self.number]
            choices = f"use {list_choices(above)}" if above else "it is the first one, so name a file"
            raise InputError(f"there is no task {shorten(name)} above this one{did_you_mean(slug(name), above)}; {choices}.")
        if self.places[key] == self.number:
            raise InputError("a task can't take what it makes itself; name a task above it, or a file.")
        if self.places[key] > self.number:
            raise InputError(f"the task {shorten(name)} stands below this one; put it above the tasks that take what it makes.")
        if key not in self.tasks:
            raise UnresolvedError
        task = self.tasks[key]
        _check_kind(task, output, takes, engine)
        return Source(key, output, task)

    def _split(self, name: str) -> tuple[str, str]:
        """The key and the output that a name means; a task's name may itself hold a slash."""
        whole = slug(name)
        if whole in self.places or "/" not in name:
            return whole, ""
        task, _, output = name.rpartition("/")
        return slug(task), output


@dataclass(frozen=True, slots=True)
class At:
    """A level of the cascade and where it stands in the file."""

    level: Level
    location: Location


@dataclass(frozen=True, slots=True)
class TextSource:
    """Where a task's text stands: in the job file at `location`, or in `file`."""

    location: Location
    file: str = ""


@dataclass(frozen=True, slots=True)
class Cascade:
    """The levels of one task, from the farthest to the nearest.

    `engine_levels` are those that speak to this task's engine: what a job says to its own engine means nothing to the engine
    of a task that names another one. `folder` is the job file's; with `root`, every file has to lie below it. `earlier` are the
    tasks that an input may name, `pronunciations` the owner's own list.
    """

    tree: YamlTree
    levels: Sequence[At]
    engine_levels: Sequence[At]
    folder: Path
    root: Path | None = None
    earlier: EarlierTasks | None = None
    pronunciations: str = ""

    @property
    def own(self) -> At:
        """The task itself."""
        return self.levels[-1]

    def merged(self, section: str, model: type[S]) -> S:
        """A section with each key's nearest value."""
        values: dict[str, Any] = {}
        for at in self.levels:
            if (given := getattr(at.level, section)) is not None:
                values = _deep(values, given.model_dump(exclude_unset=True))
        return model.model_validate(values)

    def find(self, *keys: str) -> Location:
        """The nearest level at which a key, or the section it belongs to, is written."""
        for end in range(len(keys), 0, -1):
            for at in reversed(self.levels):
                if (location := (*at.location, *keys[:end])) in self.tree.values:
                    return location
        return self.own.location

    def path(self, value: str, location: Location) -> Path | None:
        """A file that the job names, absolute; None, and a problem, where it isn't there or may not be used."""
        try:
            here = path_as_here(value)
            path = inside(self.root, here, "the job's folder") if self.root else self.folder / Path(here).expanduser()
        except (InputError, RuntimeError) as error:
            self.note(location, str(error))
            return None
        if not path.is_file():
            self.note(location, f"there is no file {shorten(value)} in {self.tree.shown(path.parent)}; check the name.")
            return None
        self.tree.files.setdefault(path, file_stamp(path))
        return path

    def note(self, location: Location, message: str, *, of_key: bool = False) -> None:
        """Remember a problem."""
        self.tree.problems.append(self.tree.problem(location, message, of_key=of_key))

    def note_missing(self, key: str, message: str) -> None:
        """Remember that a key is nowhere, unless it is there and wrong."""
        if not any((*at.location, key) in self.tree.left_out for at in self.levels):
            self.note(self.own.location, message)

    def note_text(self, source: TextSource, line: int, message: str) -> None:
        """Remember a problem in a task's text, in its line `line`, from 1."""
        if source.file:
            self.tree.problems.append(Problem(Place(line, 1), "", message, source.file))
            return
        start = self.tree.place(source.location)
        place = Place(start.line + line - 1, start.column if line == 1 else 1)
        self.tree.problems.append(Problem(place, self.tree.problem(source.location, "").key, message, self.tree.file))


def _deep(base: dict[str, Any], nearer: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in nearer.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _deep(merged[key], value) if both else value
    return merged


def _check_kind(task: TaskConfig, output: str, takes: InputSpec, engine: str) -> None:
    medium = find_engine(task.engine).medium
    if task.joined and output not in ("", find_engine(task.engine).output):
        raise InputError(
            f"the task {task.title} is put together as one sound, so it has no output {shorten(output)}; name the task alone."
        )
    if not output and medium != takes.kind:
        raise InputError(
            f"the task {task.title} makes {medium}, and {engine} takes {takes.kind} here; name another task or a file."
        )
