"""The library of prompts, and the CSV and TXT files that prompts come from."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, func, insert, select, update

from cosmos_workflow.engines.registry import all_engines
from cosmos_workflow.engines.spec import MAX_TEXT
from cosmos_workflow.errors import InputError, did_you_mean, list_choices, shorten
from cosmos_workflow.files import file_errors
from cosmos_workflow.queueing.items import Prompt
from cosmos_workflow.store.database import Database, in_parts
from cosmos_workflow.store.records import LOCAL
from cosmos_workflow.store.schema import prompts
from cosmos_workflow.store.search import words_in

if TYPE_CHECKING:
    from cosmos_workflow.store.inputs import Inputs

MAX_BYTES = 50_000_000
USUAL_COLUMNS = ("text", "name", "voice", "video")
"""Of the columns that a CSV may have, those that people use."""
_SYNONYMS = {"prompt": "text"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - the full-width ones are meant
"""What a spreadsheet takes for the start of a formula (OWASP, CSV injection)."""


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


def read_prompts(path: Path) -> list[tuple[int, Prompt]]:
    """The prompts of a CSV or TXT file, each with its line. Raises InputError with file and line."""
    name, suffix = path.name, path.suffix.lower()
    if suffix not in (".csv", ".txt"):
        raise InputError(f"{name} isn't a CSV or TXT file; give it one of these endings.")
    with file_errors(f"The file {name}"):
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB; import it in parts.")
        content = path.read_bytes()
    text = _decode(content, name)
    if suffix == ".csv":
        found = list(_csv_prompts(text, name))
    else:
        lines = enumerate(re.split(r"\r\n|\r|\n", text), 1)
        found = [(number, Prompt(line.strip())) for number, line in lines if line.strip()]
    if not found:
        raise InputError(f"{name} holds no prompt; write one a line" + (" below the header." if suffix == ".csv" else "."))
    return found


def _csv_prompts(text: str, name: str) -> Iterator[tuple[int, Prompt]]:
    # Comma, semicolon or tab, as the header has it: spreadsheets of some countries write the others.
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        header = _header(next(reader, []), name)
        line = reader.line_num + 1
        for row in reader:
            if any(cell.strip() for cell in row):
                if len(row) != len(header):
                    raise InputError(
                        f"{name}, line {line}: {len(row)} cells, but the header has {len(header)}; "
                        "put text with a comma into double quotes."
                    )
                yield line, _prompt_of_cells(dict(zip(header, row, strict=True)), f"{name}, line {line}")
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{name}, line {line}: this isn't CSV ({error}); check the double quotes.") from error


def _header(row: Sequence[str], name: str) -> list[str]:
    header = [_SYNONYMS.get(cell.strip().lower(), cell.strip().lower()) for cell in row]
    inputs = sorted({spec.name for engine in all_engines() for spec in engine.inputs})
    for cell in header:
        if cell not in ("text", "name", *inputs):
            takes = list_choices(USUAL_COLUMNS)
            raise InputError(
                f"{name}, line 1: unknown column {shorten(cell)}{did_you_mean(cell, ['text', 'name', *inputs])}; "
                f"the header takes {takes}, and the other inputs of an engine."
            )
        if header.count(cell) > 1:
            raise InputError(f"{name}, line 1: the column {cell} is there twice; keep one.")
    if "text" not in header:
        raise InputError(f"{name}, line 1: the column text is missing; write a header such as 'name,text'.")
    return header


def _prompt_of_cells(cells: dict[str, str], where: str) -> Prompt:
    text = _unguard(cells.pop("text"))
    if not text.strip():
        raise InputError(f"{where}: the text is empty; write some, or take the line out.")
    name = _unguard(cells.pop("name", ""))
    return Prompt(text, {key: _unguard(value.strip()) for key, value in cells.items() if value.strip()}, name=name.strip())


def _decode(content: bytes, name: str) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{name}, line {line}: the text isn't UTF-8; save the file as UTF-8.") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"{name}, line {line}: this isn't text; choose a CSV or TXT file.")
    return text


def _unguard(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell
