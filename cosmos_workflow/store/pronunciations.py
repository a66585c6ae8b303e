"""Each owner's own list of pronunciations, for everything that they have spoken: a text file in the workspace, for any editor."""

from __future__ import annotations

from pathlib import Path

from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.speech_text.pronunciations import as_text, parse_list
from cosmos_workflow.errors import InputError
from cosmos_workflow.files import Disk, file_errors, folder_name
from cosmos_workflow.store.records import LOCAL


class Pronunciations:
    """Reads and writes the lists; what is read is checked, however it was written."""

    def __init__(self, workspace: Workspace, disk: Disk | None = None) -> None:
        self._root, self._disk = workspace.root, disk or Disk()

    def path(self, owner: str) -> Path:
        """An owner's file; it may not be there yet."""
        mark = "" if owner == LOCAL else f"-{folder_name(owner)}"
        return self._root / f"pronunciations{mark}.txt"

    def of(self, owner: str) -> str:
        """An owner's list as text, a line a word, sorted; raises InputError where somebody wrote there what is no list."""
        path = self.path(owner)
        try:
            with file_errors(path.name):
                text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
            return as_text(parse_list(text))
        except ValueError as error:  # UnicodeDecodeError is one
            encoded = isinstance(error, UnicodeDecodeError)
            said = "the text isn't UTF-8; save the file as UTF-8" if encoded else error
            raise InputError(f"{path.name} in the workspace: {said}.") from error

    def save(self, owner: str, text: str) -> str:
        """Keep a list, the whole of it, and return it as it is kept; raises InputError where it isn't right."""
        try:
            kept = as_text(parse_list(text))
        except ValueError as error:
            raise InputError(f"Pronunciations: {error}.") from error
        self._disk.write(self.path(owner), kept.encode())
        return kept
