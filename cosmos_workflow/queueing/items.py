"""What is in a queue, how it is made from a prompt, and the one table that says how its status may change."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

from cosmos_workflow.engines.params import Params
from cosmos_workflow.engines.registry import find_engine, known_engine
from cosmos_workflow.engines.spec import EngineSpec, Recipe
from cosmos_workflow.errors import InputError, shorten
from cosmos_workflow.ids import digest, new_id
from cosmos_workflow.queueing.retries import Ending, next_attempts

log = logging.getLogger(__name__)

Group = tuple[str, int]


class ItemStatus(StrEnum):
    """The status of an item, and of the run that executes it."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether it never changes again."""
        return not TRANSITIONS[self]


TRANSITIONS: Mapping[ItemStatus, frozenset[ItemStatus]] = {
    ItemStatus.QUEUED: frozenset({ItemStatus.RUNNING, ItemStatus.CANCELLED, ItemStatus.FAILED}),
    # Back to queued is what the retry policy says: its batch was interrupted.
    ItemStatus.RUNNING: frozenset({ItemStatus.SUCCEEDED, ItemStatus.FAILED, ItemStatus.CANCELLED, ItemStatus.QUEUED}),
    ItemStatus.SUCCEEDED: frozenset(),
    ItemStatus.FAILED: frozenset(),
    ItemStatus.CANCELLED: frozenset(),
}


RETRYABLE = frozenset({ItemStatus.FAILED, ItemStatus.CANCELLED})
"""How an item ended that a person may want once more."""


class TransitionError(RuntimeError):
    """A status was asked to change in a way the table doesn't know: a mistake in this program, not of its user."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Text plus input files: `inputs` maps an engine's input name ("video", "voice") to a path."""

    text: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: new_id("ps"))
    name: str = ""


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One thing to generate. `params` and `weights` are complete and checked (see `Configuration`), and never changed in place.

    `attempts` counts the times it was interrupted, `retry_of` names the item it repeats, `position` orders the queue,
    `source` says where it comes from when that isn't the page (a task of a job), `cost` is what drives its time, in its
    engine's unit, `check` the recogniser by which its speech is heard back ("" for none).
    """

    prompt_id: str
    prompt_text: str
    engine: str
    params: Mapping[str, Any]
    weights: Mapping[str, float]
    inputs: Mapping[str, str]
    batch_key: str
    added_at: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: new_id("qi"))
    status: ItemStatus = ItemStatus.QUEUED
    error: str = ""
    attempts: int = 0
    retry_of: str = ""
    position: int = 0
    source: str = ""
    cost: float = 1.0
    check: str = ""

    def to(self, status: ItemStatus, error: str = "") -> QueueItem:
        """The item in another status; raises TransitionError where the table doesn't allow it."""
        if status not in TRANSITIONS[self.status]:
            raise TransitionError(f"{self.id} can't go from {self.status} to {status}")
        return replace(self, status=status, error=error)

    def after(self, ending: Ending, reason: str = "", batch_size: int = 1) -> QueueItem:
        """The running item once the work on it ended so, in a batch of that size: what the retry policy makes of it."""
        attempts = next_attempts(ending, self.attempts, batch_size)
        if attempts is not None:
            return replace(self.to(ItemStatus.QUEUED, reason if attempts > self.attempts else ""), attempts=attempts)
        if ending is Ending.DIED:
            return self.to(ItemStatus.FAILED, f"{reason} It was tried {self.attempts + 1} times.")
        return self.to(ItemStatus.FAILED if ending is Ending.BROKEN else ItemStatus(ending), reason)

    def again(self, retry_of: str = "") -> QueueItem:
        """A new item like this one."""
        now = time.time()
        return replace(self, id=new_id("qi"), added_at=now, status=ItemStatus.QUEUED, error="", attempts=0, retry_of=retry_of)

    @property
    def configuration(self) -> Configuration:
        """What it is made with; nothing is checked again."""
        spec = known_engine(self.engine)
        return Configuration(spec, spec.params.model_construct(**self.params), self.weights)


@dataclass(frozen=True)
class Configuration:
    """An engine with params and weights that are complete and checked: what a prompt needs to become a queue item."""

    spec: EngineSpec
    checked: Params
    weights: Mapping[str, float]

    @classmethod
    def of(cls, engine: str, params: Mapping[str, Any], weights: Mapping[str, float] | None = None) -> Self:
        """From values as they were given; raises InputError saying what is wrong with them."""
        spec = find_engine(engine)
        return cls(spec, spec.checked_params(params), spec.complete_weights(weights))

    @cached_property
    def params(self) -> Mapping[str, Any]:
        """The params as plain values."""
        return self.checked.model_dump()

    @cached_property
    def key_parts(self) -> Mapping[str, Any]:
        """What must be equal in a batch, by name: the engine, its invariant params, and what the engine adds."""
        names = sorted(field.name for field in self.spec.fields(self.params) if field.invariant and not field.unused)
        own = {name: self.params[name] for name in names}
        return {"engine": self.spec.name, **own, **self.spec.key_extra(self.checked, self.weights)}

    @cached_property
    def batch_key(self) -> str:
        """Equal for items that may share a batch."""
        return digest(self.key_parts)

    @property
    def seed(self) -> int | None:
        """The seed among the params; None for an engine without."""
        return getattr(self.checked, "seed", None)

    def changed(self, **params: Any) -> Self:
        """The same with other values of some params, which are known to be right."""
        return replace(self, checked=self.checked.model_copy(update=params))

    def variations(self) -> list[Self]:
        """What says the same a little differently (see `EngineSpec.variations`)."""
        return [self.changed(**params) for params in self.spec.variations(self.checked)]

    def check_params(self) -> None:
        """Raise InputError where nothing can be made with it here and now; once, before prompts are checked with it."""
        self.spec.check_params(self.checked)

    def check(self, prompt: Prompt, later: Collection[str] = ()) -> Recipe:
        """What a prompt is made from; raises InputError where it can't be. `later` names the inputs that are still to be made."""
        recipe = self.recipe(prompt)
        self.spec.check(recipe, later)
        return recipe

    def costs(self, prompts: Sequence[Prompt], place: str = "") -> list[float]:
        """What each prompt costs; raises InputError naming the one that can't be made, or `place` instead."""
        costs: list[float] = []
        for number, prompt in enumerate(prompts, 1):
            try:
                if number == 1:
                    self.check_params()
                costs.append(self.spec.cost(self.check(prompt)))
            except InputError as error:
                name = prompt.name or shorten(prompt.text, 40)
                where = place or (f"Prompt {number} of {len(prompts)} ({name})" if len(prompts) > 1 else f"Prompt {name}")
                raise InputError(f"{where}: {error}", key=error.key, place=where, cause=error.cause) from error
        return costs

    def recipe(self, prompt: Prompt) -> Recipe:
        """The same, of a prompt that was checked before."""
        return self.spec.recipe(prompt.text, self.checked, self.weights, prompt.inputs)

    def item(
        self, prompt: Prompt, cost: float | None = None, source: str = "", position: int = 0, item_id: str = "", check: str = ""
    ) -> QueueItem:
        """The prompt as a queue item, at its own cost where none is given.

        Items of one configuration share its params and weights, which nobody changes.
        """
        return QueueItem(
            prompt.id,
            prompt.text,
            self.spec.name,
            self.params,
            self.weights,
            dict(prompt.inputs),
            self.batch_key,
            id=item_id or new_id("qi"),
            position=position,
            source=source,
            cost=self.spec.cost(self.recipe(prompt)) if cost is None else cost,
            check=check,
        )


def group_of(item: QueueItem) -> Group:
    """What items of one batch have in common: the key, and how often they were interrupted."""
    return item.batch_key, item.attempts


def check_again(items: Iterable[QueueItem]) -> list[QueueItem]:
    """Items that another version may have written, with params and weights that are right for this one.

    One that this version refuses, or whose engine can't be used, stays as it is: that is said when it is run.
    """
    checked: list[QueueItem] = []
    known: dict[str, Configuration | None] = {}
    last: QueueItem | None = None
    now: Configuration | None = None
    right = False
    for item in items:
        if last is None or (item.engine, item.params, item.weights) != (last.engine, last.params, last.weights):
            same = repr((item.engine, item.params, item.weights))
            if same not in known:
                known[same] = _configuration_now(item)
            last, now = item, known[same]
            right = now is not None and (now.params, now.weights) == (item.params, item.weights)
        if now is None or (right and now.batch_key == item.batch_key):
            checked.append(item)
        else:
            checked.append(replace(item, params=now.params, weights=now.weights, batch_key=now.batch_key))
    return checked


def _configuration_now(item: QueueItem) -> Configuration | None:
    try:
        return Configuration.of(item.engine, item.params, item.weights)
    except Exception:
        log.info("%s can't be made with the params it was kept with", item.id, exc_info=True)
        return None


@dataclass(frozen=True, slots=True)
class Batch:
    """Items of one key, in queue order, that an engine makes in one call."""

    key: str
    items: tuple[QueueItem, ...]
    id: str = field(default_factory=lambda: new_id("batch"), compare=False)

    @property
    def engine(self) -> str:
        """The engine that all its items name."""
        return self.items[0].engine

    def begun(self) -> Batch:
        """The batch with its items running."""
        return replace(self, items=tuple(item.to(ItemStatus.RUNNING) for item in self.items))

    def __len__(self) -> int:
        return len(self.items)
