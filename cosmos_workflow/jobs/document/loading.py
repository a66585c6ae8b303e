"""Job files read and checked: from YAML over the cascade to tasks with every value resolved, and each problem with its place."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cosmos_workflow.engines.registry import engine_names, find_engine, told
from cosmos_workflow.engines.spec import EngineSpec
from cosmos_workflow.errors import InputError, did_you_mean, list_choices, shorten
from cosmos_workflow.files import readable
from cosmos_workflow.jobs.document.cascade import At, Cascade, EarlierTasks
from cosmos_workflow.jobs.document.schema import (
    Audio,
    Candidates,
    Check,
    Chunking,
    JobSection,
    Subtitles,
    TaskSection,
    keys_at,
    words_at,
)
from cosmos_workflow.jobs.document.tasks import BookInfo, JobFile, TaskConfig, slug
from cosmos_workflow.jobs.document.texts import cut_task, read_text
from cosmos_workflow.jobs.document.voices import SPEAKER_ID, read_voices
from cosmos_workflow.jobs.speech.chunks import DEFAULT_SPEAKER
from cosmos_workflow.yaml_places import JobFileError, Location, Problem, YamlTree, read_yaml

log = logging.getLogger(__name__)

_TO_ENGINE = ("params", "weights", "inputs", "speakers")


def parse_job(
    text: str,
    origin: Path | None = None,
    *,
    job_id: str = "",
    root: Path | None = None,
    shown: Callable[[Path], str] = readable,
    pronunciations: str = "",
) -> JobFile:
    """The checked job in a text. `origin` names the file it is, or will be: paths in it are relative to that file's folder.

    With `root`, the files that the job names have to lie below it; without, they are its writer's own business. `shown` is how
    messages write a path. `pronunciations` are the owner's own, to which those of the job add. Raises JobFileError with every
    problem.
    """
    tree = read_yaml(text, shown(origin) if origin else "")
    tree.shown = shown
    if not isinstance(tree.value, dict):
        raise JobFileError([tree.problem((), "a job file is lines of `key: value`; begin with `engine:` and `tasks:`.")])
    job = _validate(tree)
    name = (job.job if job else None) or (readable(origin.stem) if origin else "job")
    own_id = job_id or slug(name)
    tasks: list[TaskConfig] = []
    book: BookInfo | None = None
    if job is not None:
        folder = origin.parent if origin else root or Path.cwd()
        base = Cascade(tree, (), (), folder.absolute(), root, pronunciations=pronunciations)
        tasks = _resolve_tasks(base, job, own_id, name)
        book = _read_book(base, job)
    if tree.problems:
        raise JobFileError(list(dict.fromkeys(tree.problems)))
    return JobFile(own_id, name, bool(job and job.enabled), tuple(tasks), text, origin, tree.files, book)


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
        return tree.problem(location, f"unknown key{hint}; use {list_choices(keys, 20)}.", of_key=True)
    words = words_at(location)
    message = f"{shorten(detail['input'])} isn't right; use {words}."
    if detail["input"] is None:
        message = f"nothing stands here; use {words}, or leave the key out."
    # `candidates: 0` is checked as `candidates: {count: 0}`.
    return tree.problem(location if location in tree.values else location[:-1], message)


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


def _resolve_tasks(base: Cascade, job: JobSection, job_id: str, name: str) -> list[TaskConfig]:
    """Every task that can be made out; what is wrong goes to the tree's problems. `base` is a cascade without levels."""
    tree = base.tree
    top = At(job, ())
    sections = [At(task, ("tasks", index)) for index, task in enumerate(job.tasks)]
    for at in (top, *sections):
        _check_level(replace(base, levels=[at], engine_levels=[at], root=None))
    if not job.engine and any(getattr(job, key) for key in _TO_ENGINE):
        message = f"a job with {list_choices(_TO_ENGINE)} names its engine; add the key engine."
        tree.problems.append(tree.problem((), message))
    tasks: list[TaskConfig] = []
    places: dict[str, int] = {}
    for number, at in enumerate(sections or [top], 1):
        places.setdefault(_key(at, number), number)
    known: dict[str, TaskConfig] = {}
    for number, at in enumerate(sections or [top], 1):
        same = at.level.engine in (None, job.engine)
        levels = [top, at] if sections else [top]
        engine_levels = levels if same else [at]
        cascade = replace(base, levels=levels, engine_levels=engine_levels, earlier=EarlierTasks(places, number, known))
        try:
            task = _resolve(cascade, job_id, name, number)
        except InputError:
            raise
        except Exception as error:
            # An engine of another package may raise anything; that task is wrong then, and nothing else.
            log.info("task %s of %s can't be read", number, name, exc_info=True)
            tree.problems.append(tree.problem(at.location, f"its engine can't say what to do with it ({told(error)})."))
            continue
        if task:
            tasks.append(task)
            known.setdefault(task.key, task)
    _check_names(tree, tasks)
    return tasks


def _resolve(cascade: Cascade, job_id: str, job_name: str, number: int) -> TaskConfig | None:
    """One task; None where too much is wrong, which the problems say."""
    own = cascade.own
    engine = next((at.level.engine for at in reversed(cascade.levels) if at.level.engine), "")
    if not engine:
        cascade.note_missing("engine", f"the engine is missing; add the key engine with one of {list_choices(engine_names())}.")
        return None
    try:
        spec = find_engine(engine)
    except InputError:
        return None  # said where it stands
    text, source = read_text(cascade, spec.needs_text)
    voices = read_voices(cascade, spec)
    candidates = cascade.merged("candidates", Candidates)
    varied = any(voice.configuration.seed is not None or voice.configuration.variations() for voice in voices.values())
    if candidates.count > 1 and voices and not varied:
        location = cascade.find("candidates", "count")
        cascade.note(location, f"{engine} has no seed, so all candidates would be the same; use 1.")
    if text is None or not voices:
        return None
    return TaskConfig(
        job_id=job_id,
        job_name=job_name,
        key=_key(own, number),
        number=number,
        name=_name(own),
        enabled=own.level.enabled,
        engine=engine,
        voices=voices,
        chunks=tuple(cut_task(cascade, text, source, voices)),
        candidates=candidates,
        audio=cascade.merged("audio", Audio),
        subtitles=cascade.merged("subtitles", Subtitles),
        joined=spec.medium == "audio",
        check=_read_check(cascade, spec),
        language=cascade.merged("chunking", Chunking).language or "",
    )


def _read_book(base: Cascade, job: JobSection) -> BookInfo | None:
    if job.book is None:
        return None
    if job.book.format == "epub" and job.book.files == "chapters":
        base.note(("book", "files"), "an EPUB holds all chapters; use one, or another format.")
    return BookInfo(job.book, base.path(job.book.cover, ("book", "cover")) if job.book.cover else None)


def _read_check(cascade: Cascade, spec: EngineSpec) -> Check | None:
    """How the task's speech is heard back; None where it isn't, as with engines that don't make sound."""
    if spec.medium != "audio" or not any(at.level.check for at in cascade.levels):
        return None
    check = cascade.merged("check", Check)
    return check if check.enabled else None


def _name(at: At) -> str:
    return at.level.name or "" if isinstance(at.level, TaskSection) else ""


def _key(at: At, number: int) -> str:
    """The key of the `number`-th task of a file, from 1."""
    return slug(_name(at)) if _name(at) else str(number)


def _check_level(alone: Cascade) -> None:
    level, location = alone.own.level, alone.own.location
    if level.engine is not None:
        try:
            find_engine(level.engine)
        except InputError as error:
            alone.note((*location, "engine"), error.cause)
    for speaker in level.speakers:
        if not SPEAKER_ID.fullmatch(speaker) or speaker == DEFAULT_SPEAKER:
            message = f"{shorten(speaker)} can't be a speaker's id; use letters, digits, - and _, but not {DEFAULT_SPEAKER}."
            alone.note((*location, "speakers", speaker), message, of_key=True)


def _check_names(tree: YamlTree, tasks: list[TaskConfig]) -> None:
    seen: dict[str, TaskConfig] = {}
    for task in tasks:
        other = seen.setdefault(task.key, task)
        if other is not task:
            message = f"task {other.number} has this name already; two names differ in at least a letter or digit."
            location = ("tasks", (task if task.name else other).number - 1, "name")
            tree.problems.append(tree.problem(location, message))
