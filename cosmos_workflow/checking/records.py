"""Verdicts kept beside what they are about: in the folder of a run, by digest, so that nothing is heard twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cosmos_workflow.checking.verdict import Verdict, verdict_of
from cosmos_workflow.files import Disk
from cosmos_workflow.ids import digest

FILE = "check.json"
_FORMAT = 2


def verdict_key(sound: str, text: str, said: Sequence[str] = (), language: str = "", model: str = "") -> str:
    """What a verdict depends on, as a digest: the sound's own digest, the text, and who listened ("" for nobody)."""
    return digest({"format": _FORMAT, "sound": sound, "text": text, "said": list(said), "language": language, "model": model})


class Verdicts:
    """Reads and writes verdicts; what was read once is kept in memory. Every method may be called from any thread."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._known: dict[str, Verdict] = {}
        self._lock = threading.Lock()

    def get(self, folder: Path, key: str) -> Verdict | None:
        """The verdict of that key about what is in a folder; None where there is none."""
        found = self._known.get(key)
        if found is None and (row := self._read(folder).get(key)) is not None:
            try:
                found = self._known[key] = verdict_of(row)
            except ValueError:
                return None  # of another release: it is made again
        return found

    def heard(self, folder: Path) -> Verdict | None:
        """What a recogniser made of the sound in a folder last; None where none listened."""
        for key, row in reversed(self._read(folder).items()):
            if isinstance(row, dict) and row.get("hearing"):
                return self.get(folder, key)
        return None

    def put(self, folder: Path, key: str, verdict: Verdict) -> None:
        """Keep a verdict; raises UnavailableError where the disk is full."""
        with self._lock:
            kept = {**self._read(folder), key: asdict(verdict)}
            self._disk.write(folder / FILE, json.dumps(kept, ensure_ascii=False).encode())
            self._known[key] = verdict

    @staticmethod
    def _read(folder: Path) -> dict[str, Any]:
        try:
            kept = json.loads((folder / FILE).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}
