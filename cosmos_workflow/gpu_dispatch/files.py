"""Files that travel with tasks, for workers that share no disk with their pool.

Task data may say which files it reads and which folders it wants written (`UsesFiles`), and what a worker reports may say
which files it speaks of (`WritesFiles`). Nothing else has to know: what is unpickled in the worker names files of its machine,
and a report's files lie in the caller's folders before the caller sees the report.

An input goes by its digest, so that each machine gets it once; an output goes with the report, as a buffer beside the pickle.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from pickle import PickleBuffer
from typing import Any, Protocol, Self, runtime_checkable

CACHE_VARIABLE = "GPU_DISPATCH_CACHE"
WORK_VARIABLE = "GPU_DISPATCH_WORK"
"""Environment of a worker that shares no disk with its pool: where its inputs are cached, and where it may write."""

BLOB = "blob"

output_folders: dict[Path, Path] = {}
"""In such a worker, for the running task: its folders here, and what they are called at the caller's."""


@runtime_checkable
class UsesFiles(Protocol):
    """Task data that names files."""

    def reads(self) -> Iterable[Path]:
        """The files it needs."""
        ...

    def writes(self) -> Iterable[Path]:
        """The folders it wants its outputs in."""
        ...

    def moved(self, places: Mapping[Path, Path]) -> Self:
        """The same with other paths; `places` holds one for each of `reads` and `writes`."""
        ...


@runtime_checkable
class WritesFiles(Protocol):
    """A report that speaks of finished files."""

    def written(self) -> Iterable[Path]:
        """These files, each directly in a folder of `UsesFiles.writes`."""
        ...


def digest_of(path: Path) -> str:
    """SHA-256 of a file in hex, computed once as long as it isn't changed; raises OSError where it can't be read."""
    stat = path.stat()
    return _digest(path, stat.st_ino, stat.st_size, stat.st_mtime_ns)


@lru_cache(4096)
def _digest(path: Path, *_state: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Outbound:
    """Task data on its way to another machine: unpickled there, it is the data with that machine's paths."""

    def __init__(self, data: UsesFiles) -> None:
        self._data = data
        self._digests = {path: digest_of(path) for path in data.reads()}

    @property
    def needs(self) -> dict[str, Path]:
        """What has to be there before it: digests, and where their files are here."""
        return {digest: path for path, digest in self._digests.items()}

    def __reduce__(self) -> Any:
        digests = {str(path): digest for path, digest in self._digests.items()}
        return _unpack_task, (self._data, digests, [str(folder) for folder in self._data.writes()])


def _unpack_task(data: UsesFiles, digests: Mapping[str, str], folders: Sequence[str]) -> UsesFiles:
    cache, work = Path(os.environ[CACHE_VARIABLE]), Path(os.environ[WORK_VARIABLE])
    output_folders.clear()
    shutil.rmtree(work, ignore_errors=True)  # what the task before left
    places: dict[Path, Path] = {}
    for number, folder in enumerate(folders):
        here = work / str(number)
        here.mkdir(parents=True)
        output_folders[here], places[Path(folder)] = Path(folder), here
    for path, digest in digests.items():
        places[Path(path)] = _named(cache / digest, Path(path).name)
    return data.moved(places)


def _named(folder: Path, name: str) -> Path:
    """A cached content under the name of its file, which a reader may go by."""
    if name == BLOB:
        return folder / BLOB
    with suppress(FileExistsError):
        os.link(folder / BLOB, folder / name)
    return folder / name


def keep(cache: Path, digest: str, content: memoryview | bytes) -> None:
    """Have a content among the inputs of a machine; raises ValueError if it isn't what its digest says."""
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError("an input file was changed while its task waited")
    folder = cache / digest
    folder.mkdir(parents=True, exist_ok=True)
    _put(folder / BLOB, content)


def with_files(report: Any) -> Any:
    """What a worker says, with the files it speaks of, where these must travel."""
    if not output_folders or not isinstance(report, WritesFiles):
        return report
    return _WithFiles(report, [(output_folders[path.parent] / path.name, path) for path in report.written()])


class _WithFiles:
    """A report with its files: unpickled, it is the report, and the files are where the caller wanted them."""

    def __init__(self, report: WritesFiles, files: Sequence[tuple[Path, Path]]) -> None:
        self._report = report
        self._files = files

    def __reduce__(self) -> Any:
        return _unpack_report, (self._report, [(str(there), PickleBuffer(_content(here))) for there, here in self._files])


def _content(path: Path) -> mmap.mmap | bytes:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _unpack_report(report: Any, files: Sequence[tuple[str, Any]]) -> Any:
    for name, content in files:
        try:
            _put(Path(name), content)
        except FileNotFoundError:
            if Path(name).parent.is_dir():
                raise
            # The caller took the folder away: it wants these files no more.
    return report


def _put(path: Path, content: Any) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
