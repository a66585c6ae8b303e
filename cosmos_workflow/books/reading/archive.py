"""A zip file that somebody sent: small enough, without tricks in its names, and without a lock."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from pathlib import Path
from urllib.parse import unquote

from cosmos_workflow.errors import InputError, shorten

MAX_MEMBERS = 20_000
MAX_MEMBER = 64_000_000
"""Bytes of one unpacked member: the largest book has a tenth of that in one chapter."""
MAX_TOTAL = 1_000_000_000
MAX_RATIO, ALWAYS_FINE = 200, 50_000_000
"""Unpacked bytes for a packed one above which it is a zip bomb, and what is never one. Text packs to a fifth."""


class BookArchive:
    """The members of a book's zip file by name. Raises InputError for what isn't a zip file, or not a harmless one."""

    def __init__(self, path: Path, kind: str) -> None:
        self._name = path.name
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise InputError(f"{path.name} isn't {kind} that can be read: its zip file is damaged; get it anew.") from error
        try:
            self._members = self._checked(path)
        except InputError:
            self._zip.close()
            raise

    def __enter__(self) -> BookArchive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name in self._members

    @property
    def names(self) -> list[str]:
        """The names of all members."""
        return list(self._members)

    def read(self, name: str) -> bytes:
        """A member's content; raises InputError where it isn't there, is damaged or too large, whatever its header says."""
        if name not in self._members:
            raise InputError(f"{self._name} is damaged: it names {shorten(name)}, which isn't in it.")
        try:
            with self._zip.open(self._members[name]) as member:
                content = member.read(MAX_MEMBER + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            raise InputError(f"{self._name} is damaged: {shorten(name)} can't be unpacked; get it anew.") from error
        if len(content) > MAX_MEMBER:
            raise InputError(f"{self._name} isn't a book: {shorten(name)} unpacks to more than {MAX_MEMBER // 1_000_000} MB.")
        return content

    def _checked(self, path: Path) -> dict[str, zipfile.ZipInfo]:
        members = self._zip.infolist()
        total = sum(member.file_size for member in members)
        if len(members) > MAX_MEMBERS or total > MAX_TOTAL or total > max(ALWAYS_FINE, MAX_RATIO * path.stat().st_size):
            raise InputError(f"{path.name} isn't a book: it unpacks to {total // 1_000_000:,} MB in {len(members):,} files.")
        for member in members:
            name = member.filename
            if name.startswith("/") or "\\" in name or ".." in name.split("/") or ":" in name.partition("/")[0]:
                raise InputError(f"{path.name} is refused: its file {shorten(name)} would lead out of its folder.")
            if member.flag_bits & 1:
                raise InputError(f"{path.name} is locked with a password; unpack it and use the book inside.")
        return {member.filename: member for member in members if not member.is_dir()}


def resolve(base: str, reference: str) -> str:
    """The member that a reference in the member `base` means, "" for one that leads out of the archive."""
    path = unquote(reference.partition("#")[0])
    if not path:
        return base
    found = posixpath.normpath(posixpath.join(posixpath.dirname(base), path))
    return "" if ":" in path.partition("/")[0] or found.startswith(("/", "..")) else found
