"""Messages between the app and the worker that hosts an engine: frozen, and pickled on their way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cosmos_workflow.engines.base import ItemOutcome, Request


@dataclass(frozen=True, slots=True)
class BatchTask:
    """App to worker: make these. `lock_dir` holds the lock that keeps other programs off this device meanwhile."""

    batch_id: str
    requests: tuple[Request, ...]
    lock_dir: Path | None = None

    def reads(self) -> list[Path]:
        """The input files; with `writes` and `moved` what a batch needs to travel (`gpu_dispatch.files`)."""
        return [path for request in self.requests for path in request.inputs.values()]

    def writes(self) -> list[Path]:
        """The folders of the outputs."""
        return [request.folder for request in self.requests]

    def moved(self, places: Mapping[Path, Path]) -> BatchTask:
        """The batch on another machine: its files are elsewhere, and our programs can't be using the device there."""
        requests = tuple(
            replace(
                request,
                inputs={name: places[path] for name, path in request.inputs.items()},
                folder=places[request.folder],
            )
            for request in self.requests
        )
        return BatchTask(self.batch_id, requests)


@dataclass(frozen=True, slots=True)
class CancelItems:
    """App to worker: these items of the running batch aren't wanted any more."""

    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class BatchBegun:
    """Worker to app: the engine is loaded, the device is ours, work begins. `load_seconds` is 0 where it was loaded before."""

    load_seconds: float


@dataclass(frozen=True, slots=True)
class ItemReported:
    """Worker to app: where an item is."""

    item_id: str
    stage: str
    sub_progress: float
    message: str


@dataclass(frozen=True, slots=True)
class ItemMade:
    """Worker to app: an item's outcome, its files, and the seconds since it was first reported on."""

    outcome: ItemOutcome
    seconds: float
    paths: tuple[Path, ...] = ()

    def written(self) -> tuple[Path, ...]:
        """The files, which travel with the report (`gpu_dispatch.files`)."""
        return self.paths


@dataclass(frozen=True, slots=True)
class BatchMade:
    """Worker to app, the task's result. `error` says what broke the batch, where something did; `outage` as in `Failure`."""

    error: str = ""
    traceback: str = ""
    outage: bool = False
