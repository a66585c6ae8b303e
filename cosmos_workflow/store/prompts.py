"""The library of prompts."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, func, insert, select, update

from cosmos_workflow.engines.spec import MAX_TEXT
from cosmos_workflow.errors import InputError, shorten
from cosmos_workflow.queueing.items import Prompt
from cosmos_workflow.store.database import Database, in_parts
from cosmos_workflow.store.prompt_files import read_prompts
from cosmos_workflow.store.records import LOCAL
from cosmos_workflow.store.schema import prompts
from cosmos_workflow.store.search import words_in

if TYPE_CHECKING:
    from cosmos_workflow.store.inputs import Inputs


class Prompts:
    """Prompts by owner; every method sees only what is the owner's."""

    def __init__(self, database: Database, inputs: Inputs) -> None:
        self._database = database
        self._inputs = inputs

    def save(self, given: Sequence[Prompt], owner: str = LOCAL) -> list[Prompt]:
        """Add prompts, or change those whose ids are known, all or none; the first one is listed first.

        Raises InputError where a text is empty or too long, or an input isn't a file of the owner's library or a sample.
        """
        checked = [self._checked(prompt, owner, f"Prompt {number}") for number, prompt in enumerate(given, 1)]
        with self._database.write() as connection:
            for prompt in reversed(checked):
                _save(connection, prompt, owner)
        return checked

    def get(self, prompt_id: str, owner: str = LOCAL) -> Prompt:
        """One prompt; raises InputError where the owner has none of that id."""
        for row in self._database.rows(select(prompts).where(prompts.c.id == prompt_id, prompts.c.owner == owner)):
            return _prompt(row)
        raise InputError(f"There is no prompt {shorten(prompt_id)} in your library; it may have been deleted.")

    def list(self, owner: str = LOCAL, search: str = "", limit: int | None = None, offset: int = 0) -> list[Prompt]:
        """Prompts whose text, name or id contains `search`, newest first."""
        query = select(prompts).where(_matching(owner, search)).order_by(prompts.c.seq.desc())
        return [_prompt(row) for row in self._database.rows(query.limit(limit).offset(offset))]

    def names(self, ids: Collection[str], owner: str = LOCAL) -> dict[str, str]:
        """The names of the owner's prompts of these ids, those that have one."""
        named = select(prompts.c.id, prompts.c.name).where(prompts.c.owner == owner, prompts.c.name != "")
        parts = (self._database.rows(named.where(prompts.c.id.in_(part))) for part in in_parts(ids))
        return {row["id"]: row["name"] for rows in parts for row in rows}

    def count(self, owner: str = LOCAL, search: str = "") -> int:
        """How many prompts `list` would give without a limit."""
        return self._database.value(select(func.count()).select_from(prompts).where(_matching(owner, search)))

    def delete(self, ids: Collection[str], owner: str = LOCAL) -> int:
        """Delete the owner's prompts of these ids, and say how many there were. Queue items and runs keep their text."""
        own = delete(prompts).where(prompts.c.owner == owner)
        with self._database.write() as connection:
            return sum(connection.execute(own.where(prompts.c.id.in_(part))).rowcount for part in in_parts(ids))

    def import_file(self, path: Path, owner: str = LOCAL) -> list[Prompt]:
        """Add the prompts of a CSV or TXT file, all or none.

        A CSV has a column `text`, and may have `name` and columns named like inputs (`video`, `voice`) that hold names of
        files in the library. A TXT has a prompt a line. Raises InputError with the line.
        """
        return self.save(
            [self._checked(prompt, owner, f"{path.name}, line {line}") for line, prompt in read_prompts(path)], owner
        )

    def _checked(self, prompt: Prompt, owner: str, where: str) -> Prompt:
        if not prompt.text.strip():
            raise InputError(f"{where}: the text is empty; write some.")
        if len(prompt.text) > MAX_TEXT:
            raise InputError(f"{where}: the text has {len(prompt.text):,} characters; use at most {MAX_TEXT:,}.")
        if "\0" in prompt.text:
            raise InputError(f"{where}: the text contains a NUL character; take it out.")
        try:
            inputs = {key: str(self._inputs.own(value, owner)) for key, value in prompt.inputs.items() if value}
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        return replace(prompt, inputs=inputs)


def _save(connection: Connection, prompt: Prompt, owner: str) -> None:
    known = connection.execute(select(prompts.c.owner).where(prompts.c.id == prompt.id)).scalar()
    values = {"name": prompt.name, "text": prompt.text, "inputs": dict(prompt.inputs)}
    if known is None:
        connection.execute(insert(prompts).values(id=prompt.id, owner=owner, created_at=time.time(), **values))
    elif known == owner:
        connection.execute(update(prompts).where(prompts.c.id == prompt.id).values(**values))
    else:
        raise InputError(f"The prompt {prompt.id} belongs to somebody else; save a copy under a new id.")


def _prompt(row: RowMapping) -> Prompt:
    return Prompt(row["text"], row["inputs"], row["id"], row["name"])


def _matching(owner: str, search: str) -> ColumnElement[bool]:
    return and_(prompts.c.owner == owner, *words_in(search, (prompts.c.text, prompts.c.name, prompts.c.id)))
