"""Every write of a file goes through here: whole or not at all, and a full disk is one sentence."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cosmos_workflow.config import file_errors
from cosmos_workflow.ids import new_id

CHUNK = 1 << 20
TEMPORARY = ".tmp"


class Disk:
    """Writes, copies, renames and removes; a file appears under its name by rename only, after it reached the disk.

    Each method raises UnavailableError. `touching` is called before each change with the path, inside the error handling:
    a test overrides it to make the disk full, or to die there.
    """

    def touching(self, path: Path) -> None:
        """Called before each change."""

    def make_folder(self, path: Path, exist_ok: bool = True) -> None:
        """A folder with its parents."""
        with self._change(path):
            path.mkdir(parents=True, exist_ok=exist_ok)

    def write(self, path: Path, content: bytes) -> None:
        """The whole content under its name, or nothing."""
        temporary = path.with_name(new_id(TEMPORARY))
        try:
            with self._change(temporary), temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self.rename(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def copy(self, source: Path, path: Path) -> None:
        """The whole file under its new name, or nothing."""
        temporary = path.with_name(new_id(TEMPORARY))
        try:
            with self._change(temporary), source.open("rb") as read, temporary.open("wb") as file:
                shutil.copyfileobj(read, file, CHUNK)
                file.flush()
                os.fsync(file.fileno())
            self.rename(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def rename(self, path: Path, target: Path) -> None:
        """Give a file or folder its other name, for good."""
        with self._change(target):
            path.rename(target) if path.is_dir() else path.replace(target)
            _sync_folder(target.parent)

    def sync(self, path: Path) -> None:
        """Have a file that somebody else wrote reach the disk."""
        with self._change(path):
            descriptor = os.open(path, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def remove_folder(self, path: Path) -> None:
        """A folder with everything in it, if it is there."""
        with self._change(path):
            while path.exists():
                with suppress(FileNotFoundError):  # somebody else takes it away too
                    shutil.rmtree(path)

    @contextmanager
    def _change(self, path: Path) -> Iterator[None]:
        with file_errors(f"{path.parent.name}/{path.name}"):
            self.touching(path)
            yield


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(path: Path) -> None:
    if os.name == "nt":  # Windows can't open a folder, and journals its names by itself
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
