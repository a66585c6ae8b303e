"""A queue as rows that a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cosmos_workflow.engines.registry import known_fields
from cosmos_workflow.queueing.items import QueueItem
from cosmos_workflow.queueing.snapshot import QueueSnapshot

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("Prompt", "Engine", "Weights", "Params", "Batch Group", "Status", "ID")


def queue_frame(snapshot: QueueSnapshot, groups: Mapping[str, str], first: int = 0, count: int | None = None) -> pd.DataFrame:
    """One row per waiting or running item, in queue order, with the columns of `COLUMNS`: `count` from the `first` on, or all.

    `groups` has the letter of each batch key.
    """
    import pandas as pd

    shown = snapshot.items[first : None if count is None else first + count]
    # Items that were added together share one object of params.
    params = {id(item.params): describe_params(item) for item in {id(item.params): item for item in shown}.values()}
    rows = [
        (
            item.prompt_text,
            item.engine,
            describe_weights(item.weights),
            params[id(item.params)],
            groups.get(item.batch_key, ""),
            str(item.status),
            item.id,
        )
        for item in shown
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def letters(index: int) -> str:
    """By which a person tells batch groups apart: A, B, ... Z, AA, ... for 0, 1, ..."""
    text = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 26)
        text = chr(ord("A") + digit) + text
    return text


def describe_weights(weights: Mapping[str, float]) -> str:
    """The control weights above 0: "edge 0.5, vis 0.25"; "none" where all are 0, empty where an engine has none."""
    if not weights:
        return ""
    return ", ".join(f"{name} {value:g}" for name, value in weights.items() if value) or "none"


def describe_params(item: QueueItem) -> str:
    """The params that differ from their defaults: "rate 140, voice de"."""
    defaults = {field.name: field.default for field in known_fields(item.engine, item.params)}
    return ", ".join(
        f"{name} {_short(value)}" for name, value in item.params.items() if name not in defaults or value != defaults[name]
    )


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 24 else f"{text[:21]}..."
