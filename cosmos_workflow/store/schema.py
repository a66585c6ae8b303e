"""The tables, and how an older database becomes a newer one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)

from cosmos_workflow.errors import UnavailableError

VERSION = 1
MIGRATIONS: Mapping[int, Callable[[Connection], None]] = {}
"""By version: what takes a database from that version to the next. `meta.create_all` has run before."""

tables = MetaData()
_ID = String(64)


def _filled(**types: Any) -> list[Column[Any]]:
    """Columns that always hold a value."""
    return [Column(name, kind, nullable=False) for name, kind in types.items()]


meta = Table("meta", tables, Column("key", _ID, primary_key=True), Column("value", Text, nullable=False))

prompts = Table(
    "prompts",
    tables,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", _ID, nullable=False, unique=True),
    Column("owner", String(256), nullable=False, index=True),
    *_filled(name=Text, text=Text, inputs=JSON, created_at=Float),
)

input_files = Table(
    "input_files",
    tables,
    Column("owner", String(256), primary_key=True),
    Column("file", String(128), primary_key=True),
    *_filled(name=Text, kind=String(16), size=BigInteger, added_at=Float),
)

runs = Table(
    "runs",
    tables,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", _ID, nullable=False, unique=True),
    Column("item_id", _ID, nullable=False, index=True),
    *_filled(owner=String(256), token=_ID, prompt_id=_ID, prompt_text=Text, engine=String(128)),
    *_filled(params=JSON, weights=JSON, inputs=JSON),
    *_filled(batch_id=_ID, batch_key=_ID, batch_size=Integer),
    *_filled(status=String(16), interrupted=Boolean, stage=String(128), progress=Float, message=Text),
    *_filled(device=String(128), worker=String(128), queued_at=Float, started_at=Float),
    Column("finished_at", Float),
    *_filled(load_seconds=Float, cost=Float, cost_unit=_ID, outputs=JSON, checks=JSON, metadata=JSON),
    *_filled(error=Text, traceback=Text, retry_of=_ID, source=String(512), attempt=Integer, process=_ID),
    Index("runs_by_owner", "owner", "started_at", "seq"),
    Index("runs_by_status", "status"),
    Index("runs_by_engine", "engine", "status", "seq"),
    Index("runs_by_source", "source"),
    Index("runs_by_prompt", "owner", "prompt_id"),
)

queues = Table(
    "queues",
    tables,
    Column("token", _ID, primary_key=True),
    Column("owner", String(256), nullable=False, index=True),
    Column("state", JSON, nullable=False),
)

queue_items = Table(
    "queue_items",
    tables,
    Column("token", _ID, ForeignKey("queues.token"), primary_key=True),
    Column("id", _ID, primary_key=True),
    *_filled(position=Integer, status=String(16), process=_ID, item=JSON),
    Index("queue_items_by_status", "status"),
)


def prepare(connection: Connection) -> None:
    """Make what is missing, and bring an older database up to date; in the caller's transaction."""
    tables.create_all(connection)
    for table in tables.sorted_tables:  # tables that were there already got no new indexes
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    found = connection.execute(select(meta.c.value).where(meta.c.key == "schema_version")).scalar()
    if found is None:
        connection.execute(insert(meta).values(key="schema_version", value=str(VERSION)))
        return
    version = int(found)
    if version > VERSION:
        raise UnavailableError(
            f"The database was written by a newer release (schema {version}, this one knows {VERSION}); update cosmos-workflow."
        )
    while version < VERSION:
        MIGRATIONS[version](connection)
        version += 1
    connection.execute(update(meta).where(meta.c.key == "schema_version").values(value=str(VERSION)))
