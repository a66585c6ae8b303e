"""How sounds look: the loudest sample of each stretch, measured once and kept beside the run by the sound's digest."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cosmos_workflow.errors import WorkflowError
from cosmos_workflow.files import Disk
from cosmos_workflow.media import sound_peaks

if TYPE_CHECKING:
    from cosmos_workflow.store.records import RunRecord
    from cosmos_workflow.store.runs import Runs

FILE = "waveform.json"
COLUMNS = 120
"""Stretches of equal length into which a sound is divided."""


@dataclass(frozen=True, slots=True)
class Waveform:
    """A sound's length in seconds, and the peak of each stretch from 0 to 100, where 100 is full scale."""

    seconds: float
    peaks: tuple[int, ...]


class Waveforms:
    """The waveforms of runs; every method may be called from any thread."""

    def __init__(self, runs: Runs, disk: Disk) -> None:
        self._runs = runs
        self._disk = disk

    def of(self, run: RunRecord, key: str) -> Waveform | None:
        """How an output of a run looks; None for one that is gone, or is no sound."""
        digest = str(run.checks.get(key, {}).get("sha256", ""))
        try:
            path = self._runs.output_path(run, key)
            return _read(path.parent / FILE, digest) or self._measured(path, digest)
        except WorkflowError:
            return None  # it isn't there, or can't be read: its card has no picture then, and its player says why

    def _measured(self, path: Path, digest: str) -> Waveform:
        seconds, peaks = sound_peaks(path, COLUMNS)
        found = Waveform(round(seconds, 3), tuple(round(100 * peak) for peak in peaks))
        if digest:
            self._disk.write(path.parent / FILE, json.dumps({"sound": digest, **asdict(found)}).encode())
        return found


def _read(path: Path, digest: str) -> Waveform | None:
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        if not digest or row["sound"] != digest:
            return None
        return Waveform(float(row["seconds"]), tuple(int(peak) for peak in row["peaks"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
