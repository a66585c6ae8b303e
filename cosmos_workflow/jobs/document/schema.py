"""What a job file may say: one model a section, each field with the words that a wrong value is answered with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo

from cosmos_workflow.checking.models import DEFAULT, MODELS
from cosmos_workflow.jobs.speech.chunks import MAX, MIN, TARGET, Limits
from cosmos_workflow.jobs.speech.paragraphs import Paragraphs
from cosmos_workflow.jobs.speech.subtitles import LINE

MAX_CANDIDATES = 20
MAX_RETRIES = 10
MAX_PAUSE = 60.0


class Section(BaseModel):
    """Base of every section: unknown keys and wrong types are refused, instances don't change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _field(words: str, default: Any = None, **bounds: Any) -> Any:
    return Field(default, description=words, **bounds)


class Chunking(Section):
    """How long text is cut, in characters; `language` (a code such as de) where the voice doesn't say it."""

    target: int | None = _field("a whole number from 20 to 10000", ge=20, le=10_000)
    max: int | None = _field("a whole number from 20 to 10000", ge=20, le=10_000)
    min: int | None = _field("a whole number from 0 to 10000", ge=0, le=10_000)
    language: str | None = _field("a language code such as en or de", pattern=r"^[a-z]{2,3}$")

    def limits(self, engine_max: int) -> Limits:
        """The sizes to cut to: what isn't given follows from what is, and nothing is above the engine's limit."""
        most = min(self.max or max(MAX, self.target or 0), engine_max)
        target = min(self.target or TARGET, most)
        return Limits(target, most, min(MIN if self.min is None else self.min, target))


class Pause(Section):
    """Silence between pieces, in seconds: after a sentence, after a paragraph, where the speaker changes."""

    sentence: float = _field("seconds from 0 to 60", 0.3, ge=0, le=MAX_PAUSE)
    paragraph: float = _field("seconds from 0 to 60", 0.8, ge=0, le=MAX_PAUSE)
    speaker: float = _field("seconds from 0 to 60", 0.5, ge=0, le=MAX_PAUSE)


class Normalize(Section):
    """Loudness of the final: `target` is the peak in dBFS, the RMS level in dBFS, or the loudness in LUFS (ITU-R BS.1770)."""

    method: Literal["peak", "rms", "lufs"] = _field("peak, rms or lufs", "lufs")
    target: float | None = _field("decibels from -60 to 0", ge=-60, le=0)

    @property
    def level(self) -> float:
        """The target, or what is usual: -1 dBFS peak, -20 dBFS RMS, -19 LUFS (mono speech as loud as -16 in stereo)."""
        return {"peak": -1.0, "rms": -20.0, "lufs": -19.0}[self.method] if self.target is None else self.target


class Audio(Section):
    """How pieces become one sound. Without `normalize` the level is left as it is."""

    pause: Pause = _field("a section with sentence, paragraph and speaker", Pause())
    normalize: Normalize | None = _field("a section with method and target")
    format: Literal["wav", "flac", "mp3"] = _field("wav, flac or mp3", "wav")


class Subtitles(Section):
    """What is written beside a final: SubRip, WebVTT or both, a cue for a sentence or a word, and columns of a line at most."""

    format: Literal["srt", "vtt", "both"] = _field("srt, vtt or both", "srt")
    by: Literal["sentence", "word"] = _field("sentence or word", "sentence")
    line: int = _field("a whole number from 10 to 200", LINE, ge=10, le=200)


class Candidates(Section):
    """How many takes are made of each piece, and which one is used: the one with the fewest faults, or the first."""

    count: int = _field(f"a whole number from 1 to {MAX_CANDIDATES}", 1, ge=1, le=MAX_CANDIDATES)
    pick: Literal["auto", "first"] = _field("auto or first", "auto")


def _count_alone(value: Any) -> Any:
    return {"count": value} if not isinstance(value, dict) else value


class Check(Section):
    """Whether speech is heard back: by which model, up to which word error rate, how often a piece over it is made again, and
    whether what comes after its last word is cut."""

    enabled: bool = _field("true or false", True)
    model: Literal["tiny", "base", "small", "medium", "large-v3-turbo"] = _field(f"one of {', '.join(MODELS)}", DEFAULT)
    max_wer: float = _field("a number from 0 to 1", 0.1, ge=0, le=1)
    retries: int = _field(f"a whole number from 0 to {MAX_RETRIES}", 2, ge=0, le=MAX_RETRIES)
    trim: bool = _field("true or false", False)


def _check_alone(value: Any) -> Any:
    return {"enabled": value} if isinstance(value, bool) else value


class Level(Section):
    """What a job and a task may both say; the task's word is the nearer one."""

    enabled: bool = _field("true or false", True)
    engine: str | None = _field("the name of an engine")
    params: dict[str, Any] = _field("a section of the engine's parameters", {})
    weights: dict[str, Any] = _field("a section such as {vis: 0.5, edge: 0.25}", {})
    inputs: dict[str, str] = _field(
        "a section of files such as {video: clip.mp4}, or of tasks above this one such as {scene_1: task:intro}", {}
    )
    text: str | None = _field("text (in quotes, where YAML would read something else)")
    text_file: str | None = _field("the name of a text file", min_length=1)
    normalize_text: bool | None = _field("true or false")
    pronunciations: dict[str, str] = _field("a section of words and how they are said, such as {GIF: jif}", {})
    paragraphs: Paragraphs | None = _field("blank_line, every_line or auto")
    chunking: Chunking = _field("a section with target, max and min", Chunking())
    speakers: dict[str, dict[str, Any]] = _field("a section of speakers, each with the engine's parameters", {})
    dialogue: str | None = _field("the id of a speaker, who says what is quoted (or '' for nobody)")
    candidates: Annotated[Candidates, BeforeValidator(_count_alone)] = _field(
        f"a whole number from 1 to {MAX_CANDIDATES}, or a section with count and pick", Candidates()
    )
    check: Annotated[Check | None, BeforeValidator(_check_alone)] = _field(
        "true, or a section with model, max_wer, retries and trim"
    )
    audio: Audio = _field("a section with pause, normalize and format", Audio())
    subtitles: Subtitles = _field("a section with format, by and line", Subtitles())


class TaskSection(Level):
    """One piece of a job's work."""

    name: str | None = _field("text of 1 to 120 letters", min_length=1, max_length=120)


class BookSilence(Section):
    """Silence in a book, in seconds: before its first chapter, behind its last one, and between two.

    Where each chapter is a file, it has the first two around it.
    """

    head: float = _field("seconds from 0 to 60", 0.5, ge=0, le=MAX_PAUSE)
    tail: float = _field("seconds from 0 to 60", 1.0, ge=0, le=MAX_PAUSE)
    between: float = _field("seconds from 0 to 60", 1.5, ge=0, le=MAX_PAUSE)


class BookSection(Section):
    """A book whose chapters are the job's tasks: what a player shows of it, and the files it is written as. `cover` is a picture.

    `epub` is an EPUB 3 that is read aloud: text and sound, sentence by sentence. `sample_rate` is in hertz, without it the
    voice's own; stores want 44100.
    """

    title: str | None = _field("text of 1 to 500 letters", min_length=1, max_length=500)
    authors: list[str] = _field("a list of names, such as [Ada Example]", [], max_length=50)
    narrator: str | None = _field("text of 1 to 200 letters", min_length=1, max_length=200)
    language: str | None = _field("a language code such as en or pt-br", pattern=r"^[a-z]{2,3}(-[a-z]{2})?$")
    year: int | None = _field("a year", ge=1, le=9999)
    cover: str | None = _field("the name of a picture", min_length=1)
    format: Literal["m4b", "mp3", "opus", "flac", "wav", "epub"] = _field("m4b, mp3, opus, flac, wav or epub", "m4b")
    files: Literal["one", "chapters"] = _field("one (for the whole book) or chapters (a file each)", "one")
    sample_rate: Literal[22050, 24000, 44100, 48000] | None = _field("22050, 24000, 44100 or 48000")
    silence: BookSilence = _field("a section with head, tail and between", BookSilence())


class JobSection(Level):
    """A whole file. Without `tasks` the file is one task. With `book`, its tasks are chapters."""

    job: str | None = _field("the job's name, 1 to 120 letters", min_length=1, max_length=120)
    book: BookSection | None = _field(
        "a section with title, authors, narrator, language, year, cover, format, files, sample_rate and silence"
    )
    tasks: list[TaskSection] = _field("a list of tasks, each beginning with a dash", [], min_length=1, max_length=10_000)


def keys_at(location: tuple[str | int, ...]) -> list[str]:
    """The keys that the section at a location may have; empty for one of free keys."""
    model = _at(location)[1]
    return list(model.model_fields) if model else []


def words_at(location: tuple[str | int, ...]) -> str:
    """What a value at a location has to be, in words; inside a section of free keys, what that section has to be."""
    found = next((found for end in range(len(location), 0, -1) if (found := _at(location[:end])[0])), None)
    return found.description or "" if found else ""


def _at(location: tuple[str | int, ...]) -> tuple[FieldInfo | None, type[BaseModel] | None]:
    """The field of the schema at a location, and the section that it holds; None where there is none."""
    found: FieldInfo | None = None
    model: type[BaseModel] | None = JobSection
    for part in location:
        if not isinstance(part, int):
            found = model.model_fields.get(part) if model else None
            model = next(_models(found.annotation), None) if found else None
    return found, model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
