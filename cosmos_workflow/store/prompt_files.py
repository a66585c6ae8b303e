"""Prompts from CSV and TXT files. Pure but for reading the file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from cosmos_workflow.engines.registry import all_engines
from cosmos_workflow.errors import InputError, did_you_mean, list_choices, shorten
from cosmos_workflow.files import file_errors
from cosmos_workflow.queueing.items import Prompt

MAX_BYTES = 50_000_000
USUAL_COLUMNS = ("text", "name", "voice", "video")
"""Of the columns that a CSV may have, those that people use."""
_SYNONYMS = {"prompt": "text"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - the full-width ones are meant
"""What a spreadsheet takes for the start of a formula (OWASP, CSV injection)."""


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
    found = list(_csv_prompts(text, name) if suffix == ".csv" else _txt_prompts(text))
    if not found:
        raise InputError(f"{name} holds no prompt; write one a line" + (" below the header." if suffix == ".csv" else "."))
    return found


def _txt_prompts(text: str) -> Iterator[tuple[int, Prompt]]:
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if line.strip():
            yield number, Prompt(line.strip())


def _csv_prompts(text: str, name: str) -> Iterator[tuple[int, Prompt]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
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
                yield line, _prompt(dict(zip(header, row, strict=True)), f"{name}, line {line}")
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


def _prompt(cells: dict[str, str], where: str) -> Prompt:
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


def _delimiter(text: str) -> str:
    """Comma, semicolon or tab, as the header has it: spreadsheets of some countries write the others."""
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _unguard(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell
