"""What is searched for: words that must all be there, each in any of the columns; and which runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypedDict, Unpack

from sqlalchemy import ColumnElement, not_, or_

from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.schema import runs

MAX_WORDS = 32
MAX_LETTERS = 1000


class RunFilter(TypedDict, total=False):
    """Which runs: `text` is looked for in prompt, engine, error and id; `source` is equal, or a prefix where it ends with "*";
    `token` is the queue's. `without` has prefixes of sources that are left out.

    Interrupted ones, whose item ran again, only where `interrupted` asks for them.
    """

    engine: str | None
    status: ItemStatus | Collection[ItemStatus] | None
    text: str
    source: str | None
    token: str | None
    without: Collection[str]
    interrupted: bool


def words_in(text: str, columns: Iterable[Any]) -> list[ColumnElement[bool]]:
    """A condition for each word of `text`; raises InputError for more than anybody searches for."""
    words = text.split() if len(text) <= MAX_LETTERS else []
    if len(text) > MAX_LETTERS or len(words) > MAX_WORDS:
        raise InputError(f"The search has more than {MAX_WORDS} words or {MAX_LETTERS:,} letters; search for less.")
    columns = tuple(columns)
    return [or_(*(column.icontains(word, autoescape=True) for column in columns)) for word in words]


def of_owner(owner: str | None) -> list[ColumnElement[bool]]:
    """That it is this owner's; no condition for None, whoever's."""
    return [] if owner is None else [runs.c.owner == owner]


def matching(owner: str | None, **chosen: Unpack[RunFilter]) -> list[ColumnElement[bool]]:
    """That a run is one of those chosen."""
    found = of_owner(owner)
    if engine := chosen.get("engine"):
        found.append(runs.c.engine == engine)
    if (status := chosen.get("status")) is not None:
        found.append(runs.c.status.in_([str(one) for one in ([status] if isinstance(status, ItemStatus) else status)]))
    if (source := chosen.get("source")) is not None:
        prefix = source.removesuffix("*")
        found.append(runs.c.source.startswith(prefix, autoescape=True) if prefix != source else runs.c.source == source)
    if (token := chosen.get("token")) is not None:
        found.append(runs.c.token == token)
    found += [not_(runs.c.source.startswith(prefix, autoescape=True)) for prefix in chosen.get("without", ())]
    if not chosen.get("interrupted"):
        found.append(or_(runs.c.interrupted.is_(False), runs.c.status == str(ItemStatus.FAILED)))
    return found + words_in(chosen.get("text", ""), (runs.c.prompt_text, runs.c.engine, runs.c.error, runs.c.id))
