"""Digests of model files: what a file should be, what it is, and which were compared before."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

DIGESTS_FILE = "SHA256SUMS"
"""A folder of one's own may hold one, as `sha256sum * > SHA256SUMS` writes it; it then is checked before the first use."""


def stated_digests(folder: Path) -> dict[str, str]:
    """What a folder's own list says, by file name; empty without a list."""
    path = folder / DIGESTS_FILE
    if not path.is_file():
        return {}
    pairs = [line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {pair[1].lstrip("*").strip(): pair[0].lower() for pair in pairs if len(pair) == 2}


def is_digest(name: str, length: int) -> bool:
    """Whether a name is a digest of that many hex characters."""
    return len(name) == length and all(character in "0123456789abcdef" for character in name)


def digest_in_cache(path: Path) -> str | None:
    """The name of the blob that a file of the hub's cache points to: SHA-256 of a large file, git's SHA-1 of a small one."""
    if not path.is_symlink():
        return None
    name = path.readlink().name
    return name if is_digest(name, 40) or is_digest(name, 64) else None


def digest_of(path: Path, like: str) -> str:
    """The digest of a file's content, of the same kind as `like`."""
    if len(like) == 64:
        from cosmos_workflow.files import sha256_of

        return sha256_of(path)
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class Checked:
    """Which files were checked before, in which state, in a file of the user's cache folder."""

    def __init__(self) -> None:
        from platformdirs import user_cache_path

        self._path = user_cache_path("cosmos-workflow") / "checked-weights.json"
        self._states: dict[str, str] = {}
        self._changed = False
        with suppress(OSError, ValueError):  # the note is gone or broken
            states = json.loads(self._path.read_text(encoding="utf-8"))
            self._states = states if isinstance(states, dict) else {}

    def has(self, path: Path, digest: str) -> bool:
        """Whether this file, in its present state, was compared with this digest."""
        return self._states.get(str(path.resolve())) == self._state(path, digest)

    def add(self, path: Path, digest: str) -> None:
        """It was, and is what it should be."""
        self._states[str(path.resolve())] = self._state(path, digest)
        self._changed = True

    def write(self) -> None:
        """Best effort: without it the files are checked again next time."""
        from cosmos_workflow.errors import UnavailableError
        from cosmos_workflow.files import Disk

        if self._changed:
            with suppress(UnavailableError):
                Disk().make_folder(self._path.parent)
                Disk().write(self._path, json.dumps(self._states).encode())

    @staticmethod
    def _state(path: Path, digest: str) -> str:
        stat = path.stat()
        return f"{digest}:{stat.st_size}:{stat.st_mtime_ns}"
