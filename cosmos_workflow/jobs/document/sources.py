"""Inputs that an earlier task of the same job makes.

In a job file `task:intro` stands where a file's name could: what the task `intro` makes becomes that input, put together where
it was cut in pieces. `task:previews/control_edge` names another of its outputs than the one that a person plays. Only tasks that
stand above can be named, so no two tasks ever wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cosmos_workflow.engines.spec import InputSpec, find_engine
from cosmos_workflow.errors import InputError, did_you_mean, list_choices, shorten
from cosmos_workflow.jobs.document.schema import TaskSection
from cosmos_workflow.jobs.document.tasks import Source, TaskConfig, slug

MARK = "task:"


class UnresolvedError(Exception):
    """The task that is named has mistakes of its own, so nothing more can be said here."""


def key_of(section: object, number: int) -> str:
    """The key of the task in this section, the `number`-th of its file from 1."""
    name = section.name if isinstance(section, TaskSection) else None
    return slug(name) if name else str(number)


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
