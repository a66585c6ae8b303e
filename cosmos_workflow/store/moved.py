"""A workspace that was moved, or that another installation opens: the paths it keeps follow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Text, bindparam, cast, delete, insert, or_, select, update

from cosmos_workflow.store.schema import meta, prompts, queue_items, runs


def follow(connection: Connection, places: Mapping[str, Path]) -> None:
    """Have the paths of input files below each of these places, as they were at the last call, name where it is now."""
    for name, place in places.items():
        key, now = f"place:{name}", str(place)
        was = connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
        if was == now:
            continue
        if was is not None:
            _rewrite(connection, prompts.c.id, prompts.c.inputs, was, now)
            _rewrite(connection, runs.c.id, runs.c.inputs, was, now)
            _rewrite(connection, queue_items.c.id, queue_items.c.item, was, now)
        connection.execute(delete(meta).where(meta.c.key == key))
        connection.execute(insert(meta).values(key=key, value=now))


def _rewrite(connection: Connection, key: Column[Any], column: Column[Any], was: str, now: str) -> None:
    # Rows of earlier versions have escapes where those of today have the letters themselves.
    written = {json.dumps(was, ensure_ascii=escaped)[1:-1] for escaped in (True, False)}
    named = or_(*(cast(column, Text).contains(text, autoescape=True) for text in sorted(written)))
    rows = connection.execute(select(key, column).where(named)).all()
    changed = [{"row": row_id, "value": _moved(value, Path(was), Path(now))} for row_id, value in rows]
    if changed:
        connection.execute(update(key.table).where(key == bindparam("row")).values({column: bindparam("value")}), changed)


def _moved(values: Mapping[str, Any], was: Path, now: Path) -> dict[str, Any]:
    """Input files by name, or a queue item that holds them."""
    if isinstance(values.get("inputs"), dict):
        return {**values, "inputs": _moved(values["inputs"], was, now)}
    return {
        name: str(now / Path(path).relative_to(was)) if Path(path).is_relative_to(was) else path for name, path in values.items()
    }
