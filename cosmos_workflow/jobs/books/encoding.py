"""Chapters encoded on a thread of their own while others are made."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from cosmos_workflow.jobs.books.final import BookBinder
    from cosmos_workflow.jobs.document.tasks import JobFile
    from cosmos_workflow.jobs.reports import TaskReport


class ChapterEncoder:
    """Encodes the chapters that it is given, one by one. Left as usual, it waits for the last one; by an exception, it stops.

    What can't be encoded isn't told here: the binder tries again whatever isn't there, and says what is wrong.
    """

    def __init__(self, binder: BookBinder, job: JobFile) -> None:
        self._binder = binder
        self._job = job
        self._stop = threading.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="encoding")

    def add(self, report: TaskReport) -> None:
        """Encode this chapter next; returns at once."""
        self._thread.submit(self._binder.encode, self._job, report, self._stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        if kind is not None:
            self._stop.set()
        self._thread.shutdown(cancel_futures=kind is not None)
