"""The connection to the database: transactions, what each costs, and its errors as sentences."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from filelock import FileLock
from sqlalchemy import Connection, Executable, RowMapping, Table, create_engine, event, exc, insert

from cosmos_workflow.config import Workspace, assets_dir
from cosmos_workflow.errors import InputError, UnavailableError, command
from cosmos_workflow.files import file_errors
from cosmos_workflow.store import moved, schema

_PYTHONS_OWN = '": '
"""What Python's own writer has behind a name, and orjson hasn't."""
BUSY_SECONDS = 30
"""How long a write waits for another process's."""
_AT_ONCE = 500


class Database:
    """Transactions on any SQLAlchemy URL. On SQLite a write takes the write lock at its begin, so that none deadlocks.

    Safe under many threads and processes; not to be carried through a fork.
    """

    def __init__(self, workspace: Workspace, url: str = "") -> None:
        self._url = url or f"sqlite:///{workspace.database}"
        self._name = str(workspace.database) if not url else url.partition("://")[0]
        self._root = workspace.root
        self._writing = threading.RLock()
        self._watching = threading.Lock()
        self._watch: Any = None
        self._is_sqlite = self._url.startswith("sqlite")
        pool: dict[str, Any] = {"pool_size": 8, "max_overflow": -1} if self._is_sqlite else {"pool_pre_ping": True}
        self.engine = create_engine(self._url, json_serializer=to_json, json_deserializer=_from_json, **pool)
        if self._is_sqlite:
            event.listen(self.engine, "connect", _set_up_connection)
            event.listen(self.engine, "begin", _begin)
        # Making the tables and switching to WAL isn't for two processes at once.
        try:
            with file_errors(str(workspace.locks)), FileLock(workspace.locks / "database.lock"):
                self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection."""
        with self._watching:
            if self._watch is not None:
                self._watch.close()
                self._watch = None
        self.engine.dispose()

    def version(self) -> int | None:
        """A number that is another one once anything was committed, by whatever process; None where the database can't tell."""
        if not self._is_sqlite:
            return None
        with self._errors(), self._watching:
            if self._watch is None:  # one that commits nothing itself, since a connection doesn't count its own commits
                self._watch = self.engine.raw_connection()
            return int(self._watch.cursor().execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database."""
        with self._errors(), self.engine.connect() as connection, connection.begin():
            yield connection

    def rows(self, query: Executable) -> Sequence[RowMapping]:
        """What a query finds, in a transaction of its own."""
        with self.read() as connection:
            return connection.execute(query).mappings().all()

    def value(self, query: Executable) -> Any:
        """The first value of what a query finds, None where that is nothing."""
        with self.read() as connection:
            return connection.execute(query).scalar()

    @contextmanager
    def write(self, durable: bool = True) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block, or not at all.

        Once it is, a power cut doesn't undo it; with `durable=False` it may, until the next durable one.
        """
        with self._errors(), self._writing, self.engine.connect() as connection:
            connection.execution_options(writes=True, durable=durable)
            with connection.begin():
                yield connection

    @staticmethod
    def insert_many(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows of values as the driver takes them, JSON as text: a third of the time that `insert` takes for thousands."""
        statement = insert(table).compile(dialect=connection.dialect, column_keys=list(columns))
        if statement.positional:
            order = [columns.index(name) for name in statement.positiontup or ()]
            given: Any = rows if order == list(range(len(columns))) else [tuple(row[place] for place in order) for row in rows]
        else:
            given = [dict(zip(columns, row, strict=True)) for row in rows]
        connection.exec_driver_sql(str(statement), given)

    def _prepare(self) -> None:
        with self._errors():
            if self._is_sqlite:
                raw = self.engine.raw_connection()
                try:
                    raw.cursor().execute("PRAGMA journal_mode=WAL")
                finally:
                    raw.close()
            with self.write() as connection:
                schema.prepare(connection)
                moved.follow(connection, {"workspace": self._root, "samples": assets_dir()})

    def _told(self, reason: str) -> str:
        return reason.replace("{repair}", command("repair", "--workspace", str(self._root)))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except exc.DBAPIError as error:
            reason = _reason(error)
            if reason:
                raise UnavailableError(f"The database {self._name} {self._told(reason)}") from error
            raise
        except UnicodeEncodeError as error:
            raise InputError("The text has half of a character (a lone surrogate); write it again.") from error
        except sqlite3.Error as error:
            reason = self._told(_sqlite_reason(error)) or f"failed: {error}."
            raise UnavailableError(f"The database {self._name} {reason}") from error


def in_parts(values: Collection[str]) -> Iterator[list[str]]:
    """Values, as many together as a statement of any database takes."""
    wanted = list(values)
    return (wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE))


def to_json(value: Any) -> str:
    """A value as the text that a column of JSON holds."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # whole numbers of more than 64 bits, half characters
        return json.dumps(value)


def _from_json(text: str) -> Any:
    if _PYTHONS_OWN in text:  # whole numbers of more than 64 bits may be in it, which orjson takes for fractions
        return json.loads(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # what only Python's own writes: NaN, half characters
        return json.loads(text)


def _set_up_connection(connection: Any, _record: Any) -> None:
    # Transactions begin where `_begin` says so, not where the driver guesses.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")
    # Of 32 MB: ten thousand items that are added at once aren't written out before they are committed.
    connection.execute("PRAGMA cache_size=-32000")
    # SQLite's own knows only A to Z, and a search is to find "Über" by "über".
    connection.create_function("lower", 1, lambda value: str(value).lower(), deterministic=True)


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("writes"):
        if connection.info.get("durable") is not options["durable"]:
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if options['durable'] else 'NORMAL'}")
            connection.info["durable"] = options["durable"]
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN")


def _reason(error: exc.DBAPIError) -> str:
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_reason(error.orig)
    return "can't be reached; check its address and that it runs." if isinstance(error, exc.OperationalError) else ""


def _sqlite_reason(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return {
        sqlite3.SQLITE_FULL: "can't be written: the disk is full; free some space and try again.",
        sqlite3.SQLITE_BUSY: f"was busy for {BUSY_SECONDS} seconds; close other programs that use it and try again.",
        sqlite3.SQLITE_READONLY: "can't be written: permission denied; change its permissions.",
        sqlite3.SQLITE_CANTOPEN: "can't be opened; check that its folder is there and can be written.",
        sqlite3.SQLITE_IOERR: "can't be read or written: the disk reports an error.",
        sqlite3.SQLITE_CORRUPT: "is damaged; run {repair}.",
        sqlite3.SQLITE_NOTADB: "is damaged; run {repair}.",
    }.get(code, "")
