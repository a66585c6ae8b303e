"""Uploads: files that browsers send, each user's in a folder of their own, and the one check of a path that a request names."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import IO, Any

import anyio.to_thread
from gradio_client.utils import strip_invalid_filename_characters
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from cosmos_workflow.errors import InputError, shorten
from cosmos_workflow.files import file_errors, name_everywhere
from cosmos_workflow.ids import new_id
from cosmos_workflow.store.quota import Quota

MAX_FILES = 1000
"""Files of one upload."""
MAX_HEADER = 8192
"""Bytes of the headers of one part."""


class TooLargeError(InputError):
    """A file that is larger than an upload may be."""


class Uploads:
    """What the users sent, under `folder`; nobody but a file's user can name it in a request.

    A folder's name can't be told from the user's, so that one that leaks says nothing. What a user's uploads take counts in
    their quota until it is deleted.
    """

    def __init__(self, folder: Path, max_bytes: int, quota: Quota) -> None:
        self._root = folder
        self._max_bytes = max_bytes
        self._quota = quota
        self._came: Counter[str] = Counter()
        self._key = secrets.token_bytes(32)

    def scope(self, owner: str) -> str:
        """A secret name for what belongs to a user, the same as long as the server runs."""
        return hmac.new(self._key, owner.encode(), hashlib.sha256).hexdigest()[:32]

    def own(self, path: str, owner: str) -> Path:
        """The upload of a user that a request names; raises InputError for any other path."""
        folder = (self._root / self.scope(owner)).resolve()
        try:
            found = Path(path).resolve()
            if Path(path).is_absolute() and found.is_relative_to(folder) and found.is_file():
                return found
        except (OSError, ValueError, RuntimeError):  # too long, with a NUL, a circle of links: none of ours
            pass
        raise InputError("This file isn't one of your uploads (any more); choose it again.")

    async def receive(
        self,
        content_type: str,
        chunks: AsyncIterator[bytes],
        owner: str,
        on_chunk: Callable[[str, bytes], None],
        length: int = 1,
    ) -> list[str]:
        """Keep the files of a multipart body; returns their paths. All of them are deleted where it breaks off or is wrong.

        `on_chunk` gets each chunk with the name that its file has in the browser, `length` is how long the body says it is.
        Raises InputError, UnavailableError where the disk is full, and whatever `chunks` raises.
        """
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise InputError("An upload is multipart/form-data with a boundary.")
        folder = self._root / self.scope(owner)
        body = _Body(folder, self._max_bytes)
        held = await anyio.to_thread.run_sync(_size_of, folder)
        room = await anyio.to_thread.run_sync(self._quota.room, owner, held + length) - held
        before = self._came[owner]  # from here on: several uploads at once share the room
        try:
            parser = MultipartParser(boundary, body.callbacks())  # type: ignore[arg-type]
            async for chunk in chunks:
                self._came[owner] += len(chunk)
                await anyio.to_thread.run_sync(parser.write, chunk)
                if self._came[owner] - before > room:
                    raise TooLargeError(str(self._quota.refusal(owner, body.name)))
                on_chunk(body.name, chunk)
            parser.finalize()
            if not body.whole:
                raise InputError("The upload broke off; send it again.")
        except MultipartParseError as error:
            body.discard()
            raise InputError("The upload can't be read; send it again.") from error
        except BaseException:
            body.discard()
            raise
        return [str(path) for path in body.paths]


@dataclass
class _Body:
    """The parts of one multipart body as they come."""

    folder: Path
    max_bytes: int
    name: str = ""
    paths: list[Path] = field(default_factory=list)
    whole: bool = False
    _header: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))
    _headers: dict[bytes, bytes] = field(default_factory=dict)
    _headers_size: int = 0
    _file: IO[bytes] | None = None
    _size: int = 0

    def callbacks(self) -> dict[str, Any]:
        """What the parser calls."""
        names = ("part_begin", "part_data", "part_end", "header_field", "header_value", "header_end", "headers_finished", "end")
        return {f"on_{name}": getattr(self, name) for name in names}

    def part_begin(self) -> None:
        self._headers = {}
        self._headers_size = 0

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._add(0, data[start:end])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._add(1, data[start:end])

    def header_end(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"filename" not in options:
            return  # a field: nothing of it is kept
        if len(self.paths) >= MAX_FILES:
            raise InputError(f"These are too many files at once; send at most {MAX_FILES:,}.")
        self.name = options[b"filename"].decode("utf-8", "replace")
        path = self.folder / new_id("up") / safe_name(self.name)
        with file_errors("The folder for uploads"):
            path.parent.mkdir(parents=True)
            self.paths.append(path)
            self._file = path.open("xb")
        self._size = 0

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is None:
            return
        part = data[start:end]
        self._size += len(part)
        if self._size > self.max_bytes:
            limit = f"{self.max_bytes / 1e6:,.0f} MB"
            raise TooLargeError(f"{shorten(self.name)} is larger than an upload may be; use a file of at most {limit}.")
        with file_errors(f"The upload {shorten(self.name)}"):
            self._file.write(part)

    def part_end(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            with file_errors("The upload"):
                file.close()

    def end(self) -> None:
        self.whole = True

    def discard(self) -> None:
        """Delete what has come."""
        self.part_end()
        for path in self.paths:
            shutil.rmtree(path.parent, ignore_errors=True)

    def _add(self, which: int, data: bytes) -> None:
        self._headers_size += len(data)
        if self._headers_size > MAX_HEADER:
            raise InputError("The upload's headers are too long.")
        self._header[which].extend(data)


def _size_of(folder: Path) -> int:
    """Bytes of the files below a folder, some of which may go meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def safe_name(name: str) -> str:
    """The last part of a file's name, without what a file system or a terminal takes for something else."""
    return name_everywhere(strip_invalid_filename_characters(PurePath(name.replace("\\", "/")).name)) or "upload"
