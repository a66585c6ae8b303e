"""Every write of a file goes through here: whole or not at all, and a full disk is one sentence."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path, PureWindowsPath

from filelock import Timeout

from cosmos_workflow.errors import InputError, UnavailableError, shorten
from cosmos_workflow.ids import new_id

_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
TEMPORARY = ".tmp"
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""No dots, slashes or capitals."""
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\xb9\xb2\xb3])", re.IGNORECASE)
"""What Windows takes for a device, whatever ending it has."""
_OPEN_SECONDS = 2.0


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
        with self.making(path, "") as temporary, self._change(temporary):
            temporary.write_bytes(content)

    def add(self, path: Path, content: bytes) -> None:
        """A file in a folder that nobody reads before it is whole and gets its name; all names in the folder last, too."""
        with self._change(path):
            path.write_bytes(content)
            _fsync(path, os.O_RDWR)
            _sync_folder(path.parent)

    def copy(self, source: Path, path: Path) -> None:
        """The whole file under its new name, or nothing."""
        with self.making(path, "") as temporary, self._change(temporary):
            shutil.copyfile(source, temporary)

    @contextmanager
    def making(self, path: Path, suffix: str | None = None) -> Iterator[Path]:
        """A name for a file that is written inside, usually of the same ending; then it gets its own, and lasts. Or nothing."""
        temporary = path.with_name(f"{new_id(TEMPORARY)}{path.suffix if suffix is None else suffix}")
        try:
            yield temporary
            self.sync(temporary)
            self.rename(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def rename(self, path: Path, target: Path) -> None:
        """Give a file or folder its other name, for good."""
        self.rename_all([(path, target)])

    def rename_all(self, names: Sequence[tuple[Path, Path]]) -> None:
        """Give each of these its other name, for good; where one can't have it, those before it have theirs."""
        for path, target in names:
            with self._change(target):
                _rename(path, target)
        for folder in {target.parent for _, target in names}:
            with file_errors(folder.name):
                _sync_folder(folder)

    def sync(self, path: Path) -> None:
        """Have a file that somebody else wrote reach the disk."""
        with self._change(path):
            _fsync(path, os.O_RDWR)

    def remove_folder(self, path: Path) -> None:
        """A folder with everything in it, if it is there."""
        with self._change(path):
            while path.exists():
                with suppress(FileNotFoundError):  # somebody else takes it away too
                    shutil.rmtree(path)

    def remove_file(self, path: Path) -> None:
        """A file, if it is there."""
        with self._change(path):
            path.unlink(missing_ok=True)

    @contextmanager
    def _change(self, path: Path) -> Iterator[None]:
        with file_errors(f"{path.parent.name}/{path.name}"):
            self.touching(path)
            yield


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_stamp(path: Path) -> tuple[int, ...]:
    """Inode, size and times of a file, another where it changed (see `Digests`); empty for one that can't be seen."""
    try:
        state = path.stat()
    except OSError:
        return ()
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def folder_stamp(path: Path) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The names in a folder with their stamps; empty for one that isn't there."""
    try:
        return tuple(sorted((file.name, file_stamp(file)) for file in path.iterdir()))
    except (FileNotFoundError, NotADirectoryError):
        return ()


class Digests:
    """SHA-256 of files' contents, in hex; remembered until a file changes. Safe under many threads.

    A program may put a file's size and modification time back after it wrote to it, but on Unix not the time of its last
    change (`st_ctime`), nor the inode of one that was put in its place.
    """

    def __init__(self) -> None:
        self._known = lru_cache(4096)(lambda path, _stamp: sha256_of(path))

    def of(self, path: Path) -> str:
        """The digest of a file; raises OSError where it isn't there."""
        return self._known(path, file_stamp(path))


def readable(path: Path | str) -> str:
    """A path as text that can be written anywhere: what of its name isn't UTF-8 is a replacement character."""
    return os.fsencode(path).decode(errors="replace")


def path_digest(path: Path | str) -> str:
    """The SHA-256 of a path as it is on the disk, in hex, whatever its name is encoded in."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()


def _rename(path: Path, target: Path) -> None:
    """Windows renames nothing while somebody has it open, which somebody who looks at new files does for a moment."""
    deadline = time.monotonic() + _OPEN_SECONDS
    while True:
        try:
            path.rename(target) if path.is_dir() else path.replace(target)
        except PermissionError:
            if os.name != "nt" or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _sync_folder(path: Path) -> None:
    if os.name != "nt":  # Windows can't open a folder, and journals its names by itself
        _fsync(path, os.O_RDONLY)


def _fsync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def folder_name(owner: str) -> str:
    """The name of an owner's folder: the owner's own where that is plain, so that no two meet in one on any file system."""
    plain = _PLAIN.fullmatch(owner) and is_name_everywhere(owner)
    return owner if plain else f"_{hashlib.sha256(owner.encode()).hexdigest()[:32]}"


def is_name_everywhere(name: str) -> bool:
    """Whether a name that has no other strange letters is one on every system: Windows takes some for devices, whatever stands
    behind their first dot, and drops dots and spaces at the end."""
    return not _DEVICE.fullmatch(name.partition(".")[0].rstrip()) and name.rstrip(". ") == name


def name_everywhere(name: str) -> str:
    """A name as one that is on every system; empty for one of dots and spaces only."""
    kept = name.rstrip(". ")
    first, dot, rest = kept.partition(".")
    return kept if is_name_everywhere(kept) else f"{first.rstrip()}-x{dot}{rest}"


def path_as_here(path: str, windows: bool = os.name == "nt") -> str:
    """A relative path that somebody wrote on any system, as it is written on this one.

    Raises InputError for one that begins with a drive or a server where this isn't Windows.
    """
    if windows:
        return path
    there = PureWindowsPath(path)
    if there.is_absolute():
        shown = shorten(path, 200).replace("\\\\", "\\")
        raise InputError(
            f"{shown} is a file of a Windows machine; copy it beside what names it, and write {shorten(there.name)}."
        )
    return path.replace("\\", "/")


def inside(root: Path, path: Path | str, what: str) -> Path:
    """`path` below `root`, resolved; raises InputError for one that leaves `root`, which the sentence calls `what`.

    Refused are absolute paths, "..", Windows drives, backslashes and colons, control characters, and symbolic links that
    lead out. Percent signs and the like are letters of a name.
    """
    text = str(path)
    windows = PureWindowsPath(text)
    wrong = (
        not text.strip()
        or Path(text).is_absolute()
        or bool(windows.drive or windows.root)
        or any(letter in text for letter in "\\:")
        or any(ord(letter) < 32 for letter in text)
        or ".." in Path(text).parts
    )
    if not wrong:
        base = root.resolve()
        try:
            resolved = (base / text).resolve()
        except (OSError, RuntimeError):  # a link to itself
            wrong = True
        else:
            if resolved.is_relative_to(base):
                return resolved
    raise InputError(f"The path {shorten(text)} isn't inside {what}; use a path below it, without '..'.")


@contextmanager
def file_errors(what: str) -> Iterator[None]:
    """Turn an OSError inside into an UnavailableError of one sentence that begins with `what`."""
    try:
        yield
    except Timeout:
        raise
    except OSError as error:
        raise UnavailableError(f"{what} {_reason(error)}") from error


def _reason(error: OSError) -> str:
    if error.errno in _FULL:
        return "can't be written: the disk is full; free some space and try again."
    if error.errno in _REFUSED:
        return "can't be written: permission denied; choose another folder or change its permissions."
    if isinstance(error, NotADirectoryError | FileExistsError):
        return "can't be used: it is a file, or lies below one; choose a folder."
    return f"can't be used: {error.strerror or error}."
