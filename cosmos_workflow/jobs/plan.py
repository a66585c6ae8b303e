"""From tasks to takes to queue items, and which of them there are already. Pure: runs come in as records.

A take is one rendering of a piece; its digest is that of everything that decides how it sounds. What exists is looked up by
digest, so that a changed paragraph makes only its own pieces again, and a renamed or copied job none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.errors import InputError
from cosmos_workflow.ids import digest
from cosmos_workflow.jobs.document.tasks import JobFile, Source, TaskConfig
from cosmos_workflow.jobs.takes import Choice, Mode, PieceState, Take, TakeRef, prompt_id, take_seeds
from cosmos_workflow.queueing.items import Batch, Configuration, Prompt, QueueItem

if TYPE_CHECKING:
    from cosmos_workflow.execution.estimates import TimeLeft


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
        costs = [_cost(piece.takes[0].configuration, piece) for piece in self.pieces]
        known = [cost for cost in costs if cost is not None]
        return round(sum(known), 3) if len(known) == len(costs) else None

    @property
    def work_text(self) -> str:
        """The same in words: "1,234 characters", "180 frames"."""
        work, unit = self.work, find_engine(self.task.engine).cost_unit
        return f"not known yet ({unit})" if work is None else f"{work:,.0f} {unit}"


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """What a run of a job would do, task by task."""

    tasks: tuple[TaskPlan, ...]

    @property
    def wanted(self) -> int:
        """How many takes it would make."""
        return sum(len(task.wanted) for task in self.tasks)


@dataclass(frozen=True, slots=True)
class CheckedJob:
    """What a job file would do: its plan, the batches of what is to be made with why each is apart, and the time in words.

    `left` is the same in seconds; None where it isn't known before the engine has made something.
    """

    job: JobFile
    plan: ExecutionPlan
    batches: tuple[tuple[Batch, str], ...]
    time: str
    left: TimeLeft | None


def pieces_of(
    task: TaskConfig,
    choices: Mapping[str, Choice],
    file_digest: Callable[[Path], str],
    result_of: Callable[[Source], Path | None] = lambda _source: None,
) -> tuple[PieceState, ...]:
    """The pieces of a task with their takes, without runs, as a person's choices have it.

    `result_of` gives the file that an earlier task has made, None where it hasn't yet.
    """
    pieces: list[PieceState] = []
    for index, chunk in enumerate(task.chunks):
        voice = task.voices[chunk.speaker]
        made = {name: result_of(source) for name, source in voice.sources.items()}
        inputs = {**voice.inputs, **{name: str(path) for name, path in made.items() if path}}
        later = tuple(name for name, path in made.items() if path is None)
        digests = {name: file_digest(Path(path)) for name, path in inputs.items()} | dict.fromkeys(later, "later")

        own = _identify(chunk.text, voice.configuration, digests)
        count = task.candidates.count + choices.get(own, Choice()).extra
        most = max(count, task.candidates.count + (task.check.retries if task.check else 0))
        takes = [Take(_identify(chunk.text, way, digests), way) for way in _ways(voice.configuration, own, most)]
        takes, spare = takes[:count], takes[count:]
        pieces.append(PieceState(index, chunk, own, tuple(takes), inputs, later, tuple(spare)))
    return tuple(pieces)


def _identify(text: str, configuration: Configuration, inputs: Mapping[str, str]) -> str:
    spec = configuration.spec
    said, params = spec.identity(text, configuration.checked)
    return digest({"text": said, "engine": spec.name, "params": params, "weights": configuration.weights, "inputs": inputs})


def _ways(own: Configuration, piece: str, most: int) -> list[Configuration]:
    """What the takes of a piece are made with, the task's own first."""
    if own.seed is not None:
        return [own if seed == own.seed else own.changed(seed=seed) for seed in take_seeds(own.seed, piece, most)]
    return [own, *own.variations()][:most]


def plan_task(task: TaskConfig, pieces: tuple[PieceState, ...], mode: Mode, only: Collection[str] = ()) -> TaskPlan:
    """What a run makes of a task, with `only` nothing but the takes of these digests; one that two pieces share comes once."""
    takes = {take.digest: take for piece in pieces for take in piece.takes}
    wanted = tuple(take for take in takes.values() if (take.digest in only if only else take.wanted(mode)))
    if all(piece.made for piece in pieces):
        state = "done"
    elif all(piece.made or piece.failed for piece in pieces):
        state = "failed"
    else:
        state = "new" if not any(take.made or take.last for take in takes.values()) else "partial"
    return TaskPlan(task, pieces, wanted, state, mode, frozenset(only))


def queue_items(plan: TaskPlan) -> list[QueueItem]:
    """The takes of a plan as items for a queue, in the order of the text.

    Where the plan waits they can be looked at, not made; their cost is 0 then if it can't be told yet.
    """
    pieces = {take.digest: piece for piece in reversed(plan.pieces) for take in piece.takes}
    items: list[QueueItem] = []
    for take in plan.wanted:
        piece = pieces[take.digest]
        prompt = Prompt(piece.chunk.text, piece.inputs, prompt_id(take.digest))
        source = TakeRef(plan.task.job_id, plan.task.key, take.digest)
        items.append(take.configuration.item(prompt, _cost(take.configuration, piece) or 0.0, str(source)))
    return items


def _cost(configuration: Configuration, piece: PieceState) -> float | None:
    if not set(piece.later).isdisjoint(configuration.spec.cost_inputs):
        return None
    try:
        return configuration.spec.cost(configuration.recipe(Prompt(piece.chunk.text, piece.inputs, piece.digest)))
    except InputError:
        return None  # an earlier task made what can't be used here; its run says so
