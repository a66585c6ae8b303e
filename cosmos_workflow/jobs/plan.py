"""From tasks to takes to queue items, and which of them there are already. Pure: runs come in as records.

A take is one rendering of a piece; its digest is that of everything that decides how it sounds. What exists is looked up by
digest, so that a changed paragraph makes only its own pieces again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

from cosmos_workflow.checking.verdict import Verdict
from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.errors import InputError
from cosmos_workflow.ids import digest
from cosmos_workflow.jobs.document.schema import Check
from cosmos_workflow.jobs.document.tasks import JobFile, Source, TaskConfig
from cosmos_workflow.jobs.speech.chunks import Chunk
from cosmos_workflow.queueing.items import Batch, Configuration, ItemStatus, Prompt, QueueItem
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
    def all_of(job_id: str) -> str:
        """What the store's list of runs takes for every source of a job."""
        return f"job:{job_id}/*"


@dataclass(frozen=True, slots=True)
class Take:
    """One rendering of a piece: its digest, its complete params, its seed (None for an engine without), and its runs.

    `made` is the newest succeeded run, `last` the newest of all; both are None before the first. `verdict` is what was heard
    of `made`, None where nobody listened.
    """

    digest: str
    params: Mapping[str, Any]
    seed: int | None = None
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
    can't be made, and its digest is that of no run.
    """

    index: int
    chunk: Chunk
    digest: str
    takes: tuple[Take, ...]
    inputs: Mapping[str, str] = field(default_factory=dict)
    later: tuple[str, ...] = ()

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
class TaskPlan:
    """What a run would do for a task: the takes to make, and what there is already.

    `mode` and `only` are what it was planned with: a task that needs others is planned again once these are done.
    """

    task: TaskConfig
    pieces: tuple[PieceState, ...]
    wanted: tuple[Take, ...]
    state: Literal["new", "partial", "done", "failed"]
    mode: Mode
    only: frozenset[str] = frozenset()

    @property
    def waits(self) -> bool:
        """Whether an earlier task has yet to make an input of it."""
        return any(piece.later for piece in self.pieces)

    @property
    def work(self) -> float | None:
        """How much work a take of each piece is, in its engine's unit; None where earlier tasks decide that."""
        costs = [self._cost_of(piece) for piece in self.pieces]
        known = [cost for cost in costs if cost is not None]
        return round(sum(known), 3) if len(known) == len(costs) else None

    def _cost_of(self, piece: PieceState) -> float | None:
        configuration = Configuration.known(self.task.engine, piece.takes[0].params, self.task.weights)
        return _cost(configuration, piece, Prompt(piece.chunk.text, piece.inputs))

    @property
    def work_text(self) -> str:
        """The same in words: "1,234 characters", "180 frames"."""
        work, unit = self.work, find_engine(self.task.engine).cost_unit
        return f"not known yet ({unit})" if work is None else f"{work:,.0f} {unit}"


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """What a run of a job in a mode would do, task by task."""

    mode: Mode
    tasks: tuple[TaskPlan, ...]

    @property
    def wanted(self) -> int:
        """How many takes it would make."""
        return sum(len(task.wanted) for task in self.tasks)


@dataclass(frozen=True, slots=True)
class CheckedJob:
    """What a job file would do: its plan, the batches of what is to be made with why each is apart, and the time in words."""

    job: JobFile
    plan: ExecutionPlan
    batches: tuple[tuple[Batch, str], ...]
    time: str


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

    @classmethod
    def of(cls, runs: Iterable[RunRecord], is_there: Callable[[RunRecord], bool]) -> Self:
        """From runs, newest first."""
        known = cls()
        for run in runs:
            take = TakeRef.parse(run.source).take
            known.last.setdefault(take, run)
            if run.status is ItemStatus.SUCCEEDED and is_there(run):
                known.made.setdefault(take, []).append(run)
        return known

    def heard(self, piece: PieceState) -> list[RunRecord]:
        """The runs of a piece's takes that can be heard, take by take, the newest first."""
        return [run for take in piece.takes for run in self.made.get(take.digest, [])]


def pieces_of(
    task: TaskConfig,
    known: KnownRuns,
    choices: Mapping[str, Choice],
    file_digest: Callable[[Path], str],
    result_of: Callable[[Source], Path | None] = lambda _source: None,
    verdict_of: Callable[[RunRecord], Verdict | None] = lambda _run: None,
) -> tuple[PieceState, ...]:
    """The pieces of a task with their takes, as the runs and a person's choices have it.

    `result_of` gives the file that an earlier task has made, None where it hasn't yet, `verdict_of` what was heard of a run.
    Where the task is checked, a piece of which no take is good enough has one take more, as often as it may be made again.
    """
    pieces: list[PieceState] = []
    spec = find_engine(task.engine)
    for index, chunk in enumerate(task.chunks):
        voice = task.voices[chunk.speaker]
        made = {name: result_of(source) for name, source in voice.sources.items()}
        inputs = {**voice.inputs, **{name: str(path) for name, path in made.items() if path}}
        later = tuple(name for name, path in made.items() if path is None)
        digests = {name: file_digest(Path(path)) for name, path in inputs.items()} | dict.fromkeys(later, "later")

        def identify(params: Mapping[str, Any], text: str = chunk.text, files: Mapping[str, str] = digests) -> str:
            said, decisive = spec.identity(text, params)
            parts = {"text": said, "engine": task.engine, "params": decisive, "weights": task.weights, "inputs": files}
            return digest(parts)

        own = identify(voice.params)
        choice = choices.get(own, Choice())

        def look(take: Take) -> Take:
            made = known.made.get(take.digest)
            run = made[0] if made else None
            return replace(take, made=run, last=known.last.get(take.digest), verdict=verdict_of(run) if run else None)

        if "seed" not in voice.params:
            takes = [look(Take(own, voice.params, None))]
        else:
            count = task.candidates.count + choice.extra
            again = task.check.retries if task.check else 0
            params = [{**voice.params, "seed": seed} for seed in take_seeds(voice.params, own, count + again)]
            takes = []
            for values in params:
                if len(takes) >= count and not _asks_for_more(takes, task.check, choice):
                    break
                takes.append(look(Take(identify(values), values, values["seed"])))
        pieces.append(PieceState(index, chunk, own, tuple(takes), inputs, later))
    return tuple(pieces)


def take_seeds(params: Mapping[str, Any], piece: str, count: int) -> list[int]:
    """The seeds of a piece's takes: the first is the params' own, the others follow from it and the piece's digest.

    The same piece has the same seeds in every process, so that a take that exists isn't made again.
    """
    own = int(params["seed"])
    further = (hashlib.sha256(f"{piece}:{own}:{number}".encode()).digest()[:4] for number in range(1, count))
    return [own, *(int.from_bytes(data) & MAX_SEED for data in further)]


def plan_task(task: TaskConfig, pieces: tuple[PieceState, ...], mode: Mode, only: Collection[str] = ()) -> TaskPlan:
    """What a run makes of a task, with `only` nothing but the takes of these digests; one that two pieces share comes once."""
    takes = {take.digest: take for piece in pieces for take in piece.takes}
    wanted = tuple(take for take in takes.values() if (take.digest in only if only else take.wanted(mode)))
    if all(piece.made for piece in pieces):
        state = "done"
    elif all(piece.made or piece.failed for piece in pieces):
        state = "failed"
    else:
        state = "new" if not any(take.last for take in takes.values()) else "partial"
    return TaskPlan(task, pieces, wanted, state, mode, frozenset(only))


def queue_items(plan: TaskPlan) -> list[QueueItem]:
    """The takes of a plan as items for a queue, in the order of the text.

    Where the plan waits they can be looked at, not made; their cost is 0 then if it can't be told yet.
    """
    task = plan.task
    pieces = {take.digest: piece for piece in reversed(plan.pieces) for take in piece.takes}
    configurations: dict[str, Configuration] = {}
    items: list[QueueItem] = []
    for take in plan.wanted:
        piece = pieces[take.digest]
        same = digest({"params": take.params})
        if same not in configurations:
            configurations[same] = Configuration.known(task.engine, take.params, task.weights)
        prompt = Prompt(piece.chunk.text, piece.inputs, f"ps_{take.digest}")
        cost = _cost(configurations[same], piece, prompt) or 0.0
        items.append(configurations[same].item(prompt, cost, str(TakeRef(task.job_id, task.key, take.digest))))
    return items


def _asks_for_more(takes: Sequence[Take], check: Check | None, choice: Choice) -> bool:
    """Whether all these takes were heard, none is good enough, and nobody has chosen one."""
    if check is None or any(take.made and take.made.id == choice.run_id for take in takes):
        return False
    heard = [take.verdict for take in takes if take.verdict]
    return len(heard) == sum(not take.failed for take in takes) > 0 and not any(one.passes(check.max_wer) for one in heard)


def _cost(configuration: Configuration, piece: PieceState, prompt: Prompt) -> float | None:
    spec = configuration.spec
    if not set(piece.later).isdisjoint(spec.cost_inputs):
        return None
    try:
        return spec.cost(configuration.recipe(prompt))
    except InputError:
        return None  # an earlier task made what can't be used here; its run says so
