"""The contract between a worker and the engine it has loaded.

A new engine is two classes: an `EngineSpec` (`cosmos_workflow.engines.spec`) that the app reads without loading anything, and an
`Engine` that does the work in a worker process. `SerialEngine` is the short way for one that makes its items one by one.
"""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from cosmos_workflow.engines.spec import Recipe
from cosmos_workflow.errors import WorkflowError, is_outage


@dataclass(frozen=True, slots=True)
class Device:
    """Where an engine runs. `index` is None for the CPU; a GPU worker sees its GPU alone, so torch calls it `cuda:0`."""

    index: int | None = None
    name: str = "CPU"

    @property
    def is_gpu(self) -> bool:
        return self.index is not None


@dataclass(frozen=True, slots=True)
class Request(Recipe):
    """One item of a batch, as an engine gets it; its inputs are absolute paths.

    The engine writes its files into `folder`, which exists and is empty; nothing outside it.
    """

    id: str
    folder: Path

    @classmethod
    def of(cls, recipe: Recipe, item_id: str, folder: Path) -> Self:
        """A recipe as the request for an item."""
        return cls(recipe.text, recipe.params, recipe.weights, recipe.inputs, item_id, folder)


@dataclass(frozen=True, slots=True)
class Output:
    """An item is made: `files` maps a key ("audio", "video", "control_edge") to a file name inside the request's folder.

    `metadata` holds plain JSON values that describe it: seconds, sample rate, frames, mode.
    """

    id: str
    files: Mapping[str, str]
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """An item can't be made: `error` is one sentence for a person, `traceback` what a developer needs.

    An `outage` isn't the item's fault (`errors.is_outage`): it is made again when the queue goes on.
    """

    id: str
    error: str
    traceback: str = ""
    outage: bool = False


@dataclass(frozen=True, slots=True)
class Dropped:
    """An item was cancelled before it was made."""

    id: str


ItemOutcome = Output | Failure | Dropped


class Cancelled(Exception):  # noqa: N818 - an outcome, not an error
    """Raised by `Context.report` when the item it reports on was cancelled."""


class Context(Protocol):
    """What an engine may ask of the worker that runs it."""

    device: Device

    def report(self, item_id: str, stage: str, sub_progress: float = 0.0, message: str = "") -> None:
        """Say where an item is: a stage of the spec's table, and a fraction in [0, 1] of that stage.

        Raises Cancelled when this item, or the whole batch, was cancelled.
        """
        ...

    def is_cancelled(self, item_id: str) -> bool:
        """Whether this item, or the whole batch, was cancelled; for engines that make several items at once."""
        ...


class Engine(ABC):
    """A loaded model. One instance lives in a worker and serves batch after batch."""

    def load(self, device: Device) -> None:  # noqa: B027 - an engine without a model has nothing to load
        """Load the model onto `device`. Called once, before the first batch; raise UnavailableError with what to do."""

    @abstractmethod
    def generate(self, requests: Sequence[Request], context: Context) -> Iterator[ItemOutcome]:
        """Make a batch, yielding each item's outcome as soon as it is known, in any order, each item once.

        The requests share one batch key. An exception that leaves this method concerns every item without an outcome; only
        after Cancelled is it called again, with those that are still wanted.
        """

    def close(self) -> None:  # noqa: B027 - most engines have nothing to give back but memory
        """Give back what `load` took."""


class SerialEngine(Engine):
    """An engine that makes its items one after another; one that fails leaves the others alone."""

    @abstractmethod
    def generate_one(self, request: Request, context: Context) -> Output:
        """Make one item; let Cancelled pass, raise WorkflowError for what a person can mend."""

    def generate(self, requests: Sequence[Request], context: Context) -> Iterator[ItemOutcome]:
        for request in requests:
            try:
                outcome = Dropped(request.id) if context.is_cancelled(request.id) else self.generate_one(request, context)
            except Cancelled:
                outcome = Dropped(request.id)
            except MemoryError:
                raise
            except Exception as error:
                outcome = failure(request.id, error)
            yield outcome


def failure(item_id: str, error: BaseException) -> Failure:
    """A Failure from an exception: its own sentence where it has one for people, else its type and text."""
    sentence = str(error) if isinstance(error, WorkflowError) else f"{type(error).__name__}: {error}"
    return Failure(item_id, sentence, "".join(traceback.format_exception(error)), is_outage(error))
