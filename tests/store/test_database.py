"""The database: opened by many at once, by other releases, and what its trouble looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import UnavailableError
from cosmos_workflow.queueing import Prompt
from cosmos_workflow.store import schema
from cosmos_workflow.store.store import Store


def set_version(store: Store, version: int) -> None:
    with store.database.write() as connection:
        connection.execute(update(schema.meta).values(value=str(version)))


def test_a_power_cut_loses_no_commit(store: Store) -> None:
    with store.database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2, "FULL"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    with store.database.write(durable=False) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1, "NORMAL"
    with store.database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2, "and back"


def test_what_fails_in_the_middle_changed_nothing(store: Store) -> None:
    def written() -> list[Any]:
        with store.database.read() as connection:
            return list(connection.execute(schema.meta.select().order_by(schema.meta.c.key)))

    def half() -> None:
        with store.database.write() as connection:
            connection.execute(schema.meta.insert().values(key="half", value="done"))
            raise KeyboardInterrupt

    before = written()
    with pytest.raises(KeyboardInterrupt):
        half()
    assert written() == before


def test_a_newer_database_is_refused(workspace: Workspace, store: Store) -> None:
    set_version(store, schema.VERSION + 1)
    with pytest.raises(UnavailableError, match=r"written by a newer release .* update cosmos-workflow"):
        Store(workspace)


def test_an_older_database_is_brought_up_to_date(workspace: Workspace, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.prompts.save([Prompt("kept")])
    steps: list[int] = []
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 2)
    monkeypatch.setattr(
        schema, "MIGRATIONS", {version: lambda _connection, version=version: steps.append(version) for version in range(1, 9)}
    )
    with Store(workspace) as later:
        assert [prompt.text for prompt in later.prompts.list()] == ["kept"]
    Store(workspace).close()
    assert steps == [schema.VERSION - 2, schema.VERSION - 1], "each step once"


def test_a_migration_that_fails_changes_nothing(workspace: Workspace, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection) -> None:
        connection.execute(schema.prompts.delete())
        raise RuntimeError("no")

    store.prompts.save([Prompt("kept")])
    monkeypatch.setattr(schema, "VERSION", 2)
    monkeypatch.setattr(schema, "MIGRATIONS", {1: fail})
    with pytest.raises(RuntimeError):
        Store(workspace)
    monkeypatch.undo()
    with Store(workspace) as later:
        assert [prompt.text for prompt in later.prompts.list()] == ["kept"]


def test_another_database_does(workspace: Workspace, tmp_path: Path) -> None:
    with Store(workspace, f"sqlite:///{tmp_path / 'elsewhere.db'}") as store:
        store.prompts.save([Prompt("there")])
    assert (tmp_path / "elsewhere.db").exists()
    assert not workspace.database.exists()


def test_a_folder_in_its_place_is_one_sentence(workspace: Workspace) -> None:
    workspace.database.mkdir()
    with pytest.raises(UnavailableError, match=r"The database .* can't be opened; check that its folder is there"):
        Store(workspace)


def test_a_database_that_cannot_be_reached_is_one_sentence(workspace: Workspace) -> None:
    with pytest.raises(UnavailableError, match="sqlite can't be opened"):
        Store(workspace, f"sqlite:///{workspace.root / 'nowhere' / 'a.db'}")
