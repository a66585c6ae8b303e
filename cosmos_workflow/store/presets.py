"""Each owner's presets: configurations saved by name, per engine, in a JSON file of the workspace."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError
from cosmos_workflow.files import Disk, file_errors, folder_name
from cosmos_workflow.store.records import LOCAL

MAX_NAME = 80
"""Letters of a name."""
Preset = dict[str, dict[str, Any]]
"""Under "params" and "weights", what was saved; what it says is checked where it is used."""


class Presets:
    """Reads and writes the presets; two pages may save at the same time."""

    def __init__(self, workspace: Workspace, disk: Disk) -> None:
        self._root, self._disk = workspace.root, disk
        self._lock = threading.Lock()

    def path(self, owner: str) -> Path:
        """An owner's file; it may not be there yet."""
        mark = "" if owner == LOCAL else f"-{folder_name(owner)}"
        return self._root / f"presets{mark}.json"

    def of(self, owner: str, engine: str) -> dict[str, Preset]:
        """The presets of an engine by name, sorted; raises InputError where somebody wrote there what is none."""
        found = self._read(owner).get(engine, {})
        return dict(sorted(found.items(), key=lambda entry: entry[0].casefold()))

    def save(self, owner: str, engine: str, name: str, params: Mapping[str, Any], weights: Mapping[str, float]) -> str:
        """Keep a configuration under a name, over another of that name; returns the name as it is kept."""
        kept = " ".join(name.split())
        if not kept or len(kept) > MAX_NAME:
            raise InputError(f"Preset: give it a name of 1 to {MAX_NAME} letters.")
        with self._lock:
            known = self._read(owner)
            known.setdefault(engine, {})[kept] = {"params": dict(params), "weights": dict(weights)}
            self._write(owner, known)
        return kept

    def delete(self, owner: str, engine: str, name: str) -> None:
        """Forget a preset; raises InputError where there is none of that name."""
        with self._lock:
            known = self._read(owner)
            if known.get(engine, {}).pop(name, None) is None:
                raise InputError("Preset: choose the one to delete.")
            self._write(owner, known)

    def _read(self, owner: str) -> dict[str, dict[str, Preset]]:
        path = self.path(owner)
        with file_errors(path.name):
            text = path.read_text(encoding="utf-8-sig") if path.exists() else "{}"
        try:
            known = json.loads(text)
            return {
                str(engine): {
                    str(name): {part: dict(preset[part]) for part in ("params", "weights")} for name, preset in some.items()
                }
                for engine, some in known.items()
            }
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{path.name} in the workspace isn't what this program wrote; move it away, or mend it.") from error

    def _write(self, owner: str, known: Mapping[str, Any]) -> None:
        self._disk.write(self.path(owner), json.dumps(known, ensure_ascii=False, indent=1).encode())
