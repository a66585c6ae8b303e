"""Which take of a piece is used: judged by faults that can be measured in the sound itself.

A `Scorer` is anything that turns a take into faults; one that compares a transcript with the text can join the one here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Protocol

from cosmos_workflow.checking.judge import judge_sound
from cosmos_workflow.checking.verdict import Fault
from cosmos_workflow.files import Disk

SCORES = "scores.json"


@dataclass(frozen=True, slots=True)
class Score:
    """A take's faults; `value` is 1 without any and falls to 0."""

    faults: tuple[Fault, ...] = ()

    @property
    def value(self) -> float:
        """1 without a fault; each takes its share of what is left."""
        left = 1.0
        for fault in self.faults:
            left *= 1 - fault.severity
        return round(left, 4)


class Scorer(Protocol):
    """Judges takes."""

    def score(self, path: Path, text: str) -> Score:
        """The faults of a take that should say `text`."""
        ...


def best(scores: Sequence[Score]) -> int:
    """Which of these is best; the earliest among equals."""
    return max(range(len(scores)), key=lambda index: (scores[index].value, -index))


class FaultScorer:
    """Looks for clipping, silence, a wrong length, a cut-off end, and stretches that are said twice.

    `letters_per_second` is how fast this voice speaks, where that is known; otherwise what is usual.
    """

    def __init__(self, letters_per_second: float | None = None) -> None:
        self._pace = letters_per_second

    def score(self, path: Path, text: str) -> Score:
        """The faults of a take; raises InputError where the file isn't a sound."""
        return Score(judge_sound(path, text, self._pace).faults)


class ScoreFile:
    """Scores by run, kept beside a task's finals: a run never changes, so neither does its score."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._path, self._disk = folder / SCORES, disk
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
        kept = {run_id: [astuple(fault) for fault in score.faults] for run_id, score in self._scores.items()}
        self._disk.make_folder(self._path.parent)
        self._disk.write(self._path, json.dumps(kept).encode())

    def _read(self) -> dict[str, Score]:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            return {run_id: Score(tuple(Fault(*fault) for fault in faults)) for run_id, faults in kept.items()}
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return {}  # they are measured again
