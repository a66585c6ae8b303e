"""Job files: from YAML to checked tasks, with every problem's place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cosmos_workflow.errors import did_you_mean, shorten
from cosmos_workflow.jobs.document.resolve import resolve_tasks
from cosmos_workflow.jobs.document.schema import JobSection, keys_at, section_words, words_at
from cosmos_workflow.jobs.document.tasks import JobFile, TaskConfig, slug
from cosmos_workflow.yaml_places import (
    MAX_YAML_BYTES,
    JobFileError,
    Location,
    Place,
    Problem,
    YamlTree,
    read_text_file,
    read_yaml,
)

__all__ = ["JobFileError", "Place", "Problem", "load_job", "parse_job"]


def load_job(path: Path, *, job_id: str = "", root: Path | None = None, shown: Callable[[Path], str] = str) -> JobFile:
    """The checked job in a file; raises InputError where it can't be read, JobFileError with everything that is wrong in it.

    With `root`, the files that the job names have to lie below it; without, they are its writer's own business. `shown` is how
    messages write a path.
    """
    text = read_text_file(path, MAX_YAML_BYTES, "job file", shown)
    return parse_job(text, path, job_id=job_id, root=root, shown=shown)


def parse_job(
    text: str,
    origin: Path | None = None,
    *,
    job_id: str = "",
    root: Path | None = None,
    shown: Callable[[Path], str] = str,
) -> JobFile:
    """The checked job in a text. `origin` names the file it is, or will be: paths in it are relative to that file's folder.

    Raises JobFileError with every problem.
    """
    tree = read_yaml(text, shown(origin) if origin else "")
    tree.shown = shown
    if not isinstance(tree.value, dict):
        raise JobFileError([tree.problem((), "a job file is lines of `key: value`; begin with `engine:` and `tasks:`.")])
    job = _validate(tree)
    name = (job.job if job else None) or (origin.stem if origin else "job")
    own_id = job_id or slug(name)
    tasks: list[TaskConfig] = []
    if job is not None:
        folder = origin.parent if origin else root or Path.cwd()
        tasks = resolve_tasks(tree, job, own_id, name, folder.absolute(), root)
    if tree.problems:
        raise JobFileError(list(dict.fromkeys(tree.problems)))
    return JobFile(own_id, name, bool(job and job.enabled), tuple(tasks), text, origin, tuple(dict.fromkeys(tree.files)))


def _validate(tree: YamlTree) -> JobSection | None:
    """The sections of the tree; what is wrong goes to its problems and is left out, so that the rest is checked too."""
    for _ in range(3):
        try:
            return JobSection.model_validate(tree.value)
        except ValidationError as error:
            for detail in error.errors():
                tree.problems.append(_problem(tree, detail))
            for detail in error.errors():
                tree.left_out.add(_prune(tree.value, detail["loc"]))
    return None


def _problem(tree: YamlTree, detail: ErrorDetails) -> Problem:
    location: Location = detail["loc"]
    if detail["type"] == "extra_forbidden":
        keys = keys_at(location[:-1])
        word = str(location[-1])
        hint = " (a job's name is its key job)" if word == "name" else did_you_mean(word, keys)
        return tree.problem(location, f"unknown key{hint}; use {section_words(keys)}.", of_key=True)
    if location not in tree.values:
        # `candidates: 0` is checked as `candidates: {count: 0}`.
        return tree.problem(location[:-1], _wrong(detail["input"], words_at(location)))
    return tree.problem(location, _wrong(detail["input"], words_at(location)))


def _wrong(value: Any, words: str) -> str:
    if value is None:
        return f"nothing stands here; use {words}, or leave the key out."
    return f"{shorten(value)} isn't right; use {words}."


def _prune(value: Any, location: Location) -> Location:
    parents: list[tuple[Any, str | int]] = []
    for part in location:
        known = part in value if isinstance(value, dict) else isinstance(value, list)
        if not known:
            break
        parents.append((value, part))
        value = value[part]
    if not parents:
        return ()
    holder, part = parents[-1]
    if isinstance(holder, dict):
        del holder[part]
    else:
        holder[part] = {}
    return location[: len(parents)]
