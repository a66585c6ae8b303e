"""Changes to job files that aren't saved yet: kept on disk, so that neither another job, a reload nor a restart loses them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cosmos_workflow.files import file_errors
from cosmos_workflow.jobs.store import JobStore

FOLDER = ".drafts"


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that isn't saved, and `base`, the file's text that it began from."""

    base: str
    text: str


class Drafts:
    """One owner's unsaved changes, at most one a job."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self._folder = jobs.folder / FOLDER

    def get(self, job_id: str) -> Draft | None:
        """The unsaved changes of a job; None where there are none, or where their file was damaged."""
        try:
            told = json.loads(self._path(job_id).read_text(encoding="utf-8"))
            return Draft(str(told["base"]), str(told["text"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def put(self, job_id: str, draft: Draft) -> None:
        """Keep them."""
        self._jobs.disk.make_folder(self._folder)
        self._jobs.disk.write(self._path(job_id), json.dumps({"base": draft.base, "text": draft.text}).encode())

    def drop(self, job_id: str) -> None:
        """Forget them."""
        with file_errors("The unsaved changes"):
            self._path(job_id).unlink(missing_ok=True)

    def ids(self) -> list[str]:
        """The jobs that have some."""
        return [path.stem for path in self._folder.glob("*.json")]

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{self._jobs.job_folder(job_id).name}.json"
