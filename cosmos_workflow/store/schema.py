"""The tables, and how an older database becomes a newer one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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

meta = Table("meta", tables, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

prompts = Table(
    "prompts",
    tables,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("owner", String(256), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
)

input_files = Table(
    "input_files",
    tables,
    Column("owner", String(256), primary_key=True),
    Column("file", String(128), primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("added_at", Float, nullable=False),
)

runs = Table(
    "runs",
    tables,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("item_id", String(64), nullable=False, index=True),
    Column("owner", String(256), nullable=False),
    Column("token", String(64), nullable=False),
    Column("prompt_id", String(64), nullable=False),
    Column("prompt_text", Text, nullable=False),
    Column("engine", String(128), nullable=False),
    Column("params", JSON, nullable=False),
    Column("weights", JSON, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("batch_id", String(64), nullable=False),
    Column("batch_key", String(64), nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("interrupted", Boolean, nullable=False),
    Column("stage", String(128), nullable=False),
    Column("progress", Float, nullable=False),
    Column("message", Text, nullable=False),
    Column("device", String(128), nullable=False),
    Column("worker", String(128), nullable=False),
    Column("queued_at", Float, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("load_seconds", Float, nullable=False),
    Column("cost", Float, nullable=False),
    Column("cost_unit", String(64), nullable=False),
    Column("outputs", JSON, nullable=False),
    Column("checks", JSON, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("error", Text, nullable=False),
    Column("traceback", Text, nullable=False),
    Column("retry_of", String(64), nullable=False),
    Column("source", String(512), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("process", String(64), nullable=False),
    Index("runs_by_owner", "owner", "started_at", "seq"),
    Index("runs_by_status", "status"),
    Index("runs_by_engine", "engine", "status", "seq"),
    Index("runs_by_source", "source"),
    Index("runs_by_prompt", "owner", "prompt_id"),
)

queues = Table(
    "queues",
    tables,
    Column("token", String(64), primary_key=True),
    Column("owner", String(256), nullable=False, index=True),
    Column("state", JSON, nullable=False),
)

queue_items = Table(
    "queue_items",
    tables,
    Column("token", String(64), ForeignKey("queues.token"), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("process", String(64), nullable=False),
    Column("item", JSON, nullable=False),
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
