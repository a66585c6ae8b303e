"""Books read from files by well-kept libraries. Whatever such a file holds, nothing in it is run, fetched or followed."""

from __future__ import annotations

from cosmos_workflow.books.reading.reader import ENDINGS, read_book

__all__ = ["ENDINGS", "read_book"]
