"""Takes: what each is known by, which runs rendered it, and what a person decided about it. Pure: runs come in as records."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from cosmos_workflow.checking.verdict import Verdict
from cosmos_workflow.jobs.speech.chunks import Chunk
from cosmos_workflow.queueing.items import Configuration, ItemStatus
from cosmos_workflow.store.records import RunRecord

Mode = Literal["resume", "failed", "all"]
MAX_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class TakeRef:
    """What a run was made for: a job, the key of its task, and a take's digest. Its text is what the store has as a source."""

    job_id: str
    key: str
    take: str

    @property
    def task_id(self) -> str:
        """The id of the task among all tasks."""
        return f"{self.job_id}/{self.key}"

    def __str__(self) -> str:
        return f"job:{self.task_id}#{self.take}"

    @classmethod
    def parse(cls, source: str) -> TakeRef:
        """The reference that a source is the text of; raises ValueError for any other source."""
        found = re.fullmatch(r"job:([^/]*)/([^#]*)#(.*)", source)
        if found is None:
            raise ValueError(f"{source!r} comes from no job")
        return cls(*found.groups())

    @staticmethod
    def is_one(source: str) -> bool:
        """Whether a source is that of a job."""
        return source.startswith("job:") and "#" in source

    @staticmethod
    def all_of(job_id: str) -> str:
        """What the store's list of runs takes for every source of a job."""
        return f"job:{job_id}/*"


@dataclass(frozen=True, slots=True)
class Take:
    """One rendering of a piece: its digest, what it is made with, and its runs.

    `made` is the newest succeeded run, `last` the newest of all; both are None before the first. `verdict` is what was heard
    of `made`, None where nobody listened.
    """

    digest: str
    configuration: Configuration
    made: RunRecord | None = None
    last: RunRecord | None = None
    verdict: Verdict | None = None

    @property
    def failed(self) -> bool:
        """Whether it was tried to the end and there is nothing to show; one whose program was ended wasn't."""
        last = self.last
        return self.made is None and last is not None and last.status is ItemStatus.FAILED and not last.interrupted

    @property
    def running(self) -> bool:
        """Whether it is being made right now, by whatever process."""
        return self.last is not None and self.last.status is ItemStatus.RUNNING

    def wanted(self, mode: Mode) -> bool:
        """Whether a run in this mode makes it."""
        return {"resume": self.made is None, "failed": self.failed, "all": True}[mode]


@dataclass(frozen=True, slots=True)
class PieceState:
    """A piece of a task with its takes. `digest` is that of its first take.

    `inputs` are the files that it is made with, `later` the inputs that earlier tasks have yet to make: until they have, it
    can't be made, and its digest is that of no run. `spare` are the takes that are made where those before aren't good enough.
    """

    index: int
    chunk: Chunk
    digest: str
    takes: tuple[Take, ...]
    inputs: Mapping[str, str] = field(default_factory=dict)
    later: tuple[str, ...] = ()
    spare: tuple[Take, ...] = ()

    @property
    def made(self) -> bool:
        """Whether it can be heard, and nothing of it waits to be tried."""
        return any(take.made for take in self.takes) and all(take.made or take.failed for take in self.takes)

    @property
    def failed(self) -> bool:
        """Whether every take of it failed."""
        return all(take.failed for take in self.takes)

    @property
    def error(self) -> str:
        """Why it failed."""
        return next((take.last.error for take in self.takes if take.failed and take.last), "")


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person decided about a piece: how many takes beside those of the job, and which run is used ("" for the best)."""

    extra: int = 0
    run_id: str = ""


@dataclass(slots=True)
class KnownRuns:
    """The runs of a job by take digest: the newest succeeded one whose output is there, and the newest of all."""

    made: dict[str, list[RunRecord]] = field(default_factory=dict)
    last: dict[str, RunRecord] = field(default_factory=dict)

    def add(self, runs: Iterable[RunRecord]) -> None:
        """Take up what other jobs made: the first run of a take without one here, so that a later one changes nothing."""
        for run in runs:
            self.made.setdefault(TakeRef.parse(run.source).take, [run])

    def heard(self, piece: PieceState) -> list[RunRecord]:
        """The runs of a piece's takes that can be heard, take by take, the newest first."""
        return [run for take in piece.takes for run in self.made.get(take.digest, [])]


def with_runs(pieces: Iterable[PieceState], known: KnownRuns) -> tuple[PieceState, ...]:
    """The pieces with the runs of their takes; one whose takes are as they were is the same object."""
    found: list[PieceState] = []
    for piece in pieces:
        takes = tuple([_known(take, known) for take in piece.takes])
        same = all(new is old for new, old in zip(takes, piece.takes, strict=True))
        found.append(piece if same else replace(piece, takes=takes))
    return tuple(found)


def _known(take: Take, known: KnownRuns) -> Take:
    found = known.made.get(take.digest)
    made, last = found[0] if found else None, known.last.get(take.digest)
    if take.made is made and take.last is last and take.verdict is None:
        return take
    return Take(take.digest, take.configuration, made, last)


def judged(pieces: Iterable[PieceState], verdict_of: Callable[[RunRecord], Verdict | None]) -> tuple[PieceState, ...]:
    """The pieces with what was heard of their takes."""

    def heard(take: Take) -> Take:
        return replace(take, verdict=verdict_of(take.made)) if take.made else take

    return tuple(replace(piece, takes=tuple(map(heard, piece.takes))) for piece in pieces)


def with_one_more(pieces: Iterable[PieceState], most: float, choices: Mapping[str, Choice]) -> tuple[PieceState, ...]:
    """The pieces, each with a spare take more where all that it has were heard, and none has a word error rate of at most
    `most`, and nobody chose one."""
    return tuple(
        replace(piece, takes=(*piece.takes, piece.spare[0]), spare=piece.spare[1:])
        if piece.spare and _asks_for_more(piece.takes, most, choices.get(piece.digest, Choice()))
        else piece
        for piece in pieces
    )


def _asks_for_more(takes: Sequence[Take], most: float, choice: Choice) -> bool:
    if any(take.made and take.made.id == choice.run_id for take in takes):
        return False
    heard = [take.verdict for take in takes if take.verdict]
    return len(heard) == sum(not take.failed for take in takes) > 0 and not any(one.passes(most) for one in heard)


def prompt_id(take: str) -> str:
    """The id of the prompt that a take is made of, in whatever job: equal takes have one prompt."""
    return f"ps_{take}"


def take_seeds(own: int, piece: str, count: int) -> list[int]:
    """The seeds of a piece's takes: the first is the task's own, the others follow from it and the piece's digest.

    The same piece has the same seeds in every process, so that a take that exists isn't made again.
    """
    further = (hashlib.sha256(f"{piece}:{own}:{number}".encode()).digest()[:4] for number in range(1, count))
    return [own, *(int.from_bytes(data) & MAX_SEED for data in further)]
