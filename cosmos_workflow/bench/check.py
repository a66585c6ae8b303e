"""How good the verdicts about speech are, and what they cost: clean pieces, planted faults, word times, and a Kokoro job with
and without.

The sentences are those that nothing was tuned on; see `check_corpus`.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import soundfile

from cosmos_workflow.bench.check_corpus import KOKORO_VOICES, Part, Sample, clean_samples, planted_samples, sentences_of
from cosmos_workflow.bench.frame import Column
from cosmos_workflow.bench.kokoro import cpu_seconds
from cosmos_workflow.bench.planted import PLANTED, Line, named_rightly, speak, spoilt_sound
from cosmos_workflow.checking.judge import judge
from cosmos_workflow.checking.recogniser import Whisper
from cosmos_workflow.checking.sound import read_mono
from cosmos_workflow.checking.verdict import SERIOUS, Verdict
from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.kokoro.model_files import require_kokoro
from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.errors import InputError, list_choices, shorten
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.store import JobStore

THINGS = ("faults", "times", "cost")
"""What is measured."""
MAX_WER = 0.1
"""What a job asks for where it says nothing."""
_PAUSE = 0.08
"""Seconds between the words of which a sentence is joined."""
_TIMED = 5
"""Sentences that are joined from words, by each of two voices."""


@dataclass(frozen=True, slots=True)
class CheckFigure:
    """One row: so many pieces of a kind, how many of them the verdict was right about, and what it said of the others; or a
    measurement in words."""

    TITLE: ClassVar[str] = "Speech heard back by Whisper base"
    kind: Annotated[str, Column("")]
    pieces: Annotated[int, Column("pieces", lambda figure: f"{figure.pieces}" if figure.pieces else "")]
    right: Annotated[int, Column("right", lambda figure: f"{figure.right}" if figure.pieces else "")]
    note: Annotated[str, Column("")]


@dataclass(frozen=True, slots=True)
class Judged:
    """A sample and its verdict; `right` says whether a clean one passes, and a fault is found and named."""

    sample: Sample
    verdict: Verdict

    @property
    def names(self) -> list[str]:
        """Its serious faults."""
        return [fault.name for fault in self.verdict.faults if fault.severity >= SERIOUS]

    @property
    def found(self) -> bool:
        """Whether a person is asked to listen."""
        return not self.verdict.passes(MAX_WER)

    @property
    def right(self) -> bool:
        """Whether the verdict is what it should be."""
        planted = self.sample.planted
        return not self.found if planted is None else self.found and named_rightly(planted, self.names)

    @property
    def told(self) -> str:
        """What a person reads of a wrong one."""
        rate = self.verdict.hearing.word_error_rate if self.verdict.hearing else 0
        return f"{self.sample.line.params['voice']}: {self.sample.text} ({', '.join(self.names) or f'{rate:.0%}'})"


def bench_check(tuning: bool = False, characters: int = 3000, only: Collection[str] | None = None) -> list[CheckFigure]:
    """All of it, or `only` some of `THINGS`, with Whisper base; raises UnavailableError without its model files or Kokoro's, and
    InputError for a thing that isn't there."""
    part: Part = "tuning" if tuning else "held out"
    for thing in only or ():
        if thing not in THINGS:
            raise InputError(f"There is nothing {shorten(thing)} to measure; use {list_choices(THINGS)}.")
    require_kokoro()
    recogniser = Whisper("base")
    wanted = only or THINGS
    figures: list[CheckFigure] = []
    with tempfile.TemporaryDirectory() as scratch:
        if "faults" in wanted:
            samples = [*clean_samples(part), *planted_samples(part)]
            judged = judge_samples(samples, Path(scratch) / "corpus", recogniser)
            figures += [_row(kind or "clean", [one for one in judged if one.sample.planted == kind]) for kind in (None, *PLANTED)]
        if "times" in wanted:
            errors = word_time_errors(part, Path(scratch) / "words", recogniser)
            note = f"{statistics.median(errors) * 1000:.0f} ms off in the median"
            figures.append(CheckFigure("beginnings and ends of words", len(errors), sum(error <= 0.15 for error in errors), note))
        if "cost" in wanted:
            figures += _costs(Path(scratch) / "jobs", " ".join(sentences_of(part, 20, 400)), characters)
    return figures


def judge_samples(samples: Sequence[Sample], folder: Path, recogniser: Whisper) -> list[Judged]:
    """Speak each distinct line, put in what is planted, and listen."""
    lines = {str(sample.line): sample.line for sample in samples}
    made = dict(zip(lines, speak(list(lines.values()), folder), strict=True))
    judged: list[Judged] = []
    for number, sample in enumerate(samples):
        path = made[str(sample.line)]
        if sample.planted:
            sound, rate = read_mono(path)
            path = folder / f"planted-{number}.wav"
            soundfile.write(path, spoilt_sound(sample.planted, sound, rate, sample.number), rate, subtype="PCM_16")
        spec = find_engine(sample.line.engine)
        spoken = spec.spoken(sample.text, spec.checked_params(sample.line.params))
        said = list(dict.fromkeys([sample.text, spoken]))
        judged.append(Judged(sample, judge(path, sample.text, said, sample.language, recogniser)))
    return judged


def word_time_errors(part: Part, folder: Path, recogniser: Whisper) -> list[float]:
    """Seconds by which the beginnings and ends of words are told wrongly, in sentences that are joined from single words."""
    texts = [text.strip('"') for text in sentences_of(part, 30, 60) if text.replace(" ", "").strip('".').isalpha()][: 2 * _TIMED]
    voices = [
        Line("", "espeak", {"voice": "en-us", "rate": 130}),
        Line("", "kokoro", {"voice": KOKORO_VOICES[1], "language": "en-us"}),
    ]
    lines = {(number, word): voices[number % 2]._replace(text=word) for number, text in enumerate(texts) for word in text.split()}
    made = dict(zip(lines, speak(list(lines.values()), folder), strict=True))
    errors: list[float] = []
    for number, text in enumerate(texts):
        parts: list[np.ndarray] = []
        spans: list[tuple[float, float]] = []
        at, rate = 0.0, 0
        for word in text.split():
            sound, rate = read_mono(made[number, word])
            loud = np.flatnonzero(np.abs(sound) > 0.03 * np.abs(sound).max())
            whole = sound[loud[0] : loud[-1] + 1]
            pause = np.zeros(round(_PAUSE * rate), dtype=np.float32)
            spans.append((at, at + len(whole) / rate))
            parts += [whole, pause]
            at += (len(whole) + len(pause)) / rate
        path = folder / f"joined-{number}.wav"
        soundfile.write(path, np.concatenate(parts), rate, subtype="PCM_16")
        hearing = judge(path, text, [text], "en", recogniser).hearing
        starts = {found.start(): span for found, span in zip(re.finditer(r"\S+", text), spans, strict=True)}
        for first, _, start, end in hearing.aligned if hearing else ():
            if first in starts:
                errors += [abs(start - starts[first][0]), abs(end - starts[first][1])]
    return errors


def _row(kind: str, judged: Sequence[Judged]) -> CheckFigure:
    wrong = [one.told for one in judged if not one.right]
    return CheckFigure(kind, len(judged), len(judged) - len(wrong), "; ".join(wrong))


def _costs(folder: Path, text: str, characters: int) -> list[CheckFigure]:
    """A chapter by Kokoro as a job, plain and then checked, on one worker that is loaded before."""
    taken: dict[str, tuple[float, float]] = {}
    notes: dict[str, str] = {}
    for name, check in (("plain", "false"), ("checked", "{model: base, retries: 0}")):
        workspace = Workspace.open(folder / name)
        with Operations(workspace, gpu_ids=[None]) as operations:
            manager = JobManager(TaskOrchestrator(operations, JobStore(workspace)))
            for job_name, said in (("warm", "Good morning."), ("chapter", text[:characters])):
                head = f"engine: kokoro\nparams: {{voice: {KOKORO_VOICES[1]}, language: en-us}}\n"
                section = f"check: {check if job_name == 'chapter' else 'false'}\n"
                job = manager.create(job_name, f"{head}{section}text: |\n  {said}\n").job
                if job is None:
                    raise ValueError("the job is wrong")
                started, cpu = time.perf_counter(), cpu_seconds()
                (result,) = manager.orchestrator.run(job)
                taken[name] = time.perf_counter() - started, cpu_seconds() - cpu
                notes[name] = f"{result.pieces} pieces, {result.seconds or 0:.0f} s of sound"
    (plain, plain_cpu), (checked, checked_cpu) = taken["plain"], taken["checked"]
    more = f"{checked / plain - 1:+.0%} time, {checked_cpu / plain_cpu - 1:+.0%} processor time"
    return [
        CheckFigure("a Kokoro job", 0, 0, f"{notes['plain']}: {plain:.1f} s, {plain_cpu:.1f} CPU s"),
        CheckFigure("the same, checked", 0, 0, f"{checked:.1f} s, {checked_cpu:.1f} CPU s: {more}"),
    ]
