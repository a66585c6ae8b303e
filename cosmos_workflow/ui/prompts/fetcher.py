"""The fetch of model files that runs in this server, one at a time; all open pages see the same one."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from cosmos_workflow.engines.model_files.fetching import FetchPlan, FetchProgress, fetch_model_files, plan_fetch
from cosmos_workflow.engines.model_files.sets import ModelFiles
from cosmos_workflow.errors import InputError, WorkflowError

log = logging.getLogger(__name__)

AFTERGLOW = 5.0
"""Seconds for which a page is still told of a fetch that has ended: long enough for each to ask again."""


class FetchState(StrEnum):
    """Where a fetch stands; all but the first are final."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Fetch:
    """A fetch as the page shows it; `done_bytes` counts what was here before."""

    model: ModelFiles
    place: Path
    total_bytes: int
    done_bytes: int = 0
    state: FetchState = FetchState.RUNNING
    error: str = ""


class _BrokenOffError(Exception):
    """Ends a fetch from within its report."""


class Fetcher:
    """Fetches in a thread of its own, which ends with the server; what has come by then is kept. `endpoint` is another hub."""

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._cancel = threading.Event()
        self.last: Fetch | None = None
        """The fetch that runs, or the last one."""
        self._ended = float("-inf")
        self.finished = 0
        """How many sets came here since the server started."""

    @property
    def is_running(self) -> bool:
        """Whether something is being fetched."""
        return self.last is not None and self.last.state is FetchState.RUNNING

    @property
    def has_news(self) -> bool:
        """Whether a page should ask again soon."""
        return self.is_running or time.monotonic() - self._ended < AFTERGLOW

    def plan(self, model: ModelFiles) -> FetchPlan:
        """What a fetch would do; raises InputError while another one runs, or where the disk is too small for this one."""
        self._refuse_while_running()
        plan = plan_fetch(model, self._endpoint)
        free = free_bytes(plan.place)
        if plan.missing_bytes > free:
            raise InputError(
                f"{model.title} needs {gigabytes(plan.missing_bytes)}, and {gigabytes(free)} are free where {plan.place} is; "
                "make room, or set HF_HUB_CACHE to a folder on a larger disk."
            )
        return plan

    def start(self, model: ModelFiles) -> None:
        """Begin to fetch a set, or go on with it; raises InputError while another fetch runs."""
        plan = self.plan(model)
        with self._lock:
            self._refuse_while_running()
            self._cancel.clear()
            self.last = Fetch(model, plan.place, plan.total_bytes)
        threading.Thread(target=self._run, args=(model,), name="fetch-weights", daemon=True).start()

    def cancel(self) -> None:
        """Break off the fetch that runs, with the next piece that comes; what has come is kept."""
        self._cancel.set()

    def _refuse_while_running(self) -> None:
        if (last := self.last) and last.state is FetchState.RUNNING:
            raise InputError(f"{last.model.title} is being fetched; wait until it is here, or cancel it.")

    def _run(self, model: ModelFiles) -> None:
        try:
            fetch_model_files(model, self._report, self._endpoint)
        except _BrokenOffError:
            self._end(FetchState.CANCELLED)
        except WorkflowError as error:
            self._end(FetchState.FAILED, str(error))
        except Exception as error:
            log.exception("fetching %s broke", model.name)
            self._end(FetchState.FAILED, f"Something unexpected happened ({type(error).__name__}); the terminal has the details.")
        else:
            self.finished += 1
            self._end(FetchState.DONE)

    def _report(self, progress: FetchProgress) -> None:
        self._change(done_bytes=progress.done_bytes, total_bytes=progress.total_bytes)
        if self._cancel.is_set():
            raise _BrokenOffError

    def _end(self, state: FetchState, error: str = "") -> None:
        self._ended = time.monotonic()
        self._change(state=state, error=error)

    def _change(self, **changes: Any) -> None:
        if self.last is not None:
            self.last = replace(self.last, **changes)


def free_bytes(place: Path) -> int:
    """Bytes free on the disk of a folder that need not be there yet."""
    return shutil.disk_usage(next(folder for folder in (place, *place.parents) if folder.is_dir())).free


def gigabytes(size: int) -> str:
    """A size in words: "3.2 GB", "121 MB" below one."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size:,} bytes"
