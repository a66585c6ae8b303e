"""What is searched for: words that must all be there, each in any of the columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, or_

from cosmos_workflow.errors import InputError

MAX_WORDS = 32
MAX_LETTERS = 1000


def words_in(text: str, columns: Iterable[Any]) -> list[ColumnElement[bool]]:
    """A condition for each word of `text`; raises InputError for more than anybody searches for."""
    words = text.split() if len(text) <= MAX_LETTERS else []
    if len(text) > MAX_LETTERS or len(words) > MAX_WORDS:
        raise InputError(f"The search has more than {MAX_WORDS} words or {MAX_LETTERS:,} letters; search for less.")
    columns = tuple(columns)
    return [or_(*(column.icontains(word, autoescape=True) for column in columns)) for word in words]
