"""What was measured of a task's takes, remembered."""

from __future__ import annotations

import json

from cosmos_workflow.jobs.speech.takes import Fault, Score
from cosmos_workflow.jobs.store import JobStore

SCORES = "scores.json"


class ScoreFile:
    """Scores by run, kept beside a task's finals: a run never changes, so neither does its score."""

    def __init__(self, jobs: JobStore, task_id: str) -> None:
        self._path, self._disk = jobs.task_folder(task_id) / SCORES, jobs.disk
        self._scores: dict[str, Score] | None = None
        self._changed = False

    def get(self, run_id: str) -> Score | None:
        """A run's score; None where it wasn't measured yet."""
        if self._scores is None:
            self._scores = self._read()
        return self._scores.get(run_id)

    def put(self, run_id: str, score: Score) -> None:
        """Remember a score, until it is saved."""
        self._scores = {**(self._scores or {}), run_id: score}
        self._changed = True

    def save(self) -> None:
        """Write what is new."""
        if not self._changed or self._scores is None:
            return
        told = {
            run_id: [[fault.name, fault.severity, fault.message] for fault in score.faults]
            for run_id, score in self._scores.items()
        }
        self._disk.make_folder(self._path.parent)
        self._disk.write(self._path, json.dumps(told).encode())

    def _read(self) -> dict[str, Score]:
        try:
            told = json.loads(self._path.read_text(encoding="utf-8"))
            return {run_id: Score(tuple(Fault(*fault) for fault in faults)) for run_id, faults in told.items()}
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return {}  # they are measured again
