"""A job file once everything in it is known: tasks with every value resolved."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmos_workflow.files import name_everywhere
from cosmos_workflow.jobs.document.schema import Audio, BookSection, Candidates, Check, Subtitles
from cosmos_workflow.jobs.speech.chunks import Chunk

if TYPE_CHECKING:
    from cosmos_workflow.queueing.items import Configuration

MAX_ID = 100


@dataclass(frozen=True, slots=True)
class Source:
    """An input that an earlier task makes: that task, and which of its outputs ("" is the one that a person plays)."""

    key: str
    output: str
    # Whoever compares or prints a task would go through all tasks before it, by every way there is.
    task: TaskConfig = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Voice:
    """What a speaker is made with, with input files as absolute paths, and inputs that earlier tasks make."""

    configuration: Configuration
    inputs: Mapping[str, str]
    sources: Mapping[str, Source] = field(default_factory=dict)

    @property
    def params(self) -> Mapping[str, Any]:
        """Its params as plain values."""
        return self.configuration.params


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """A task with every value resolved: default, job, task, speaker, the nearer one wins.

    `key` names it within its job and never changes while its name (or, without one, its place) doesn't; `id` is
    "job/key". `voices` maps a speaker's id to its voice, "" is the task's own. `joined` says whether its pieces become one
    sound; otherwise there is one piece, and its output is the result. `check` is None where its speech isn't heard back;
    `language` is that of its text where the job says it.
    """

    job_id: str
    job_name: str
    key: str
    number: int
    name: str
    enabled: bool
    engine: str
    voices: Mapping[str, Voice]
    chunks: tuple[Chunk, ...]
    candidates: Candidates = field(default_factory=Candidates)
    audio: Audio = field(default_factory=Audio)
    subtitles: Subtitles = field(default_factory=Subtitles)
    joined: bool = True
    check: Check | None = None
    language: str = ""

    @property
    def id(self) -> str:
        """The task's id among all tasks."""
        return f"{self.job_id}/{self.key}"

    @property
    def needs(self) -> tuple[TaskConfig, ...]:
        """The earlier tasks that make an input of this one, in the order of the file."""
        found = {source.key: source.task for voice in self.voices.values() for source in voice.sources.values()}
        return tuple(sorted(found.values(), key=lambda task: task.number))

    @property
    def title(self) -> str:
        """What a person reads: its name, or the beginning of its text."""
        if self.name:
            return self.name
        text = self.chunks[0].text if self.chunks else ""
        return f"{self.number}. {text[:60]}" if text else f"Task {self.number}"


@dataclass(frozen=True, slots=True)
class BookInfo:
    """A book as its job has it: what a player shows of it, and its cover's file."""

    section: BookSection
    cover: Path | None = None


@dataclass(frozen=True, slots=True)
class JobFile:
    """A checked job file. `source` is its text, `path` where it lies (None for one that isn't saved), `files` what it names, each
    with the stamp that it had before it was read (see `file_stamp`).

    `book` is None for a job that is no book.
    """

    id: str
    name: str
    enabled: bool
    tasks: tuple[TaskConfig, ...]
    source: str
    path: Path | None = None
    files: Mapping[Path, tuple[int, ...]] = field(default_factory=dict)
    book: BookInfo | None = None

    def task(self, key: str) -> TaskConfig | None:
        """The task of that key."""
        return next((task for task in self.tasks if task.key == key), None)


def all_needs(tasks: Iterable[TaskConfig], without: Container[str] = ()) -> list[TaskConfig]:
    """The tasks that these need, and those that they need in turn, in the order of the file.

    Those whose id is in `without`, and what only they need, are left out.
    """
    found: dict[str, TaskConfig] = {}
    left = [need for task in tasks for need in task.needs]
    while left:
        task = left.pop()
        if task.id not in found and task.id not in without:
            found[task.id] = task
            left.extend(task.needs)
    return sorted(found.values(), key=lambda task: task.number)


def slug(name: str, most: int = 48) -> str:
    """A name as part of a path: small letters of any script, digits and dashes; a digest for one without any of them.

    No system takes it for something else. At most `most` letters and twice as many bytes, since a file's name may have 255.
    """
    plain = unicodedata.normalize("NFC", name).lower()
    kept = "".join(letter if unicodedata.category(letter)[0] in "LMN" else "-" for letter in plain)
    text = re.sub("-+", "-", kept).strip("-")[:most]
    text = text.encode()[: 2 * most].decode(errors="ignore").strip("-")
    return name_everywhere(text) or f"x-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:8]}"


def is_slug(text: str) -> bool:
    """Whether a text may be the id of a job or the key of a task: as `slug` makes them, so never a way out of a folder."""
    return 0 < len(text) <= MAX_ID and slug(text, MAX_ID) == text
