"""What the store keeps, as values: frozen, and independent of how it is kept."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

from cosmos_workflow.ids import new_id
from cosmos_workflow.queueing.items import Batch, ItemStatus, QueueItem

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

LOCAL = "local"
"""The owner of everything where nobody has to log in."""
RUN_FILE = "run.json"
"""The file in a run's folder that tells how it was made: enough to make it again, and to put its record back."""

_SAME_IN_ITEM = ("prompt_id", "prompt_text", "engine", "batch_key", "cost", "retry_of", "source")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One item executed once. Times are seconds since 1970, durations seconds, `progress` a fraction in [0, 1].

    `token` is that of the item's queue. `outputs` maps a key to a file name inside the run's folder, `checks` the same
    key to {"size": bytes, "sha256": hex}. `interrupted` marks a run whose process died: its status is cancelled where its
    item runs again in a run of its own, failed where no queue has it any more; a job makes that again when it is run.
    `attempt` counts from 1.
    """

    item_id: str
    prompt_text: str
    engine: str
    params: Mapping[str, Any]
    prompt_id: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: new_id("rs"))
    owner: str = LOCAL
    token: str = ""
    batch_id: str = ""
    batch_key: str = ""
    batch_size: int = 1
    status: ItemStatus = ItemStatus.RUNNING
    interrupted: bool = False
    stage: str = ""
    progress: float = 0.0
    message: str = ""
    device: str = ""
    worker: str = ""
    queued_at: float = field(default_factory=time.time)
    started_at: float | None = None
    finished_at: float | None = None
    load_seconds: float = 0.0
    cost: float = 0.0
    cost_unit: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    traceback: str = ""
    retry_of: str = ""
    source: str = ""
    attempt: int = 1

    @classmethod
    def of(cls, item: QueueItem, batch: Batch | None = None, **more: Any) -> RunRecord:
        """A fresh run of `item`; `more` are fields that the item doesn't know: owner, token, device."""
        same = {name: getattr(item, name) for name in _SAME_IN_ITEM}
        return cls(
            item_id=item.id,
            params=dict(item.params),
            weights=dict(item.weights),
            inputs=dict(item.inputs),
            batch_id=batch.id if batch else "",
            batch_size=len(batch) if batch else 1,
            queued_at=item.added_at,
            attempt=item.attempts + 1,
            **same,
            **more,
        )

    @property
    def seconds(self) -> float | None:
        """How long it ran; None before it ended, or where it never began."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(0.0, self.finished_at - self.started_at)


@dataclass(frozen=True, slots=True)
class CostSample:
    """What one finished run took: `cost` in the engine's unit, `seconds` without the time to load the engine."""

    cost: float
    seconds: float
    batch_size: int
    batch_id: str
    load_seconds: float
    device: str
    started_at: float
    finished_at: float


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that was given to the library: `file` is its name on disk, `name` the one it came with."""

    file: str
    name: str
    kind: str
    size: int
    added_at: float


@dataclass(frozen=True, slots=True)
class Swept:
    """What `sweep` found of processes that died: ids of items queued again, and of runs closed or adopted."""

    requeued: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    interrupted: tuple[str, ...] = ()
    adopted: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that didn't agree: what it concerns, what was wrong, and what was done, or would be, a sentence each."""

    subject: str
    problem: str
    action: str
    outcome: Literal["put right", "put aside"]
    applied: bool


def run_row(record: RunRecord) -> dict[str, Any]:
    """A run as columns of the table."""
    row = {entry.name: getattr(record, entry.name) for entry in fields(RunRecord)}
    row["status"] = str(record.status)
    return row


def run_of(row: RowMapping) -> RunRecord:
    """A row of the table as a run."""
    values = {entry.name: row[entry.name] for entry in fields(RunRecord)}
    values["status"] = ItemStatus(values["status"])
    return RunRecord(**values)


_KEPT = tuple(entry.name for entry in fields(QueueItem) if entry.name not in ("id", "position", "status"))
_kept_of = attrgetter(*_KEPT)


def item_row(item: QueueItem) -> dict[str, Any]:
    """A queue item as plain JSON, without what has columns of its own: id, position and status."""
    values = dict(zip(_KEPT, _kept_of(item), strict=True))
    return {**values, "params": dict(item.params), "weights": dict(item.weights), "inputs": dict(item.inputs)}


def item_of(item_id: str, position: int, status: str, values: dict[str, Any]) -> QueueItem:
    """A queue item from its columns and what `item_row` gave, which is used up; earlier versions kept the three in that, too."""
    values["id"], values["position"], values["status"] = item_id, position, ItemStatus(status)
    return QueueItem(**values)
