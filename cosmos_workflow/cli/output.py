"""Standard output and error of a command: they take everything, also where it can't be written, so that display stops no work."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer


class LastingFile(io.FileIO):
    """A file whose writes never fail; `refused` is why one of them went nowhere: nobody reads any more, or a disk is full."""

    refused: OSError | None = None

    def write(self, content: Buffer, /) -> int:
        size = memoryview(content).nbytes
        if self.refused is not None and self.refused.errno == errno.EPIPE:
            return size
        try:
            while (written := super().write(content)) is None:  # somebody made it non-blocking
                select.select([], [self], [])
        except OSError as error:
            self.refused = error
            return size
        return written


def outlast() -> None:
    """From here on this process's output can always be written to; what its encoding lacks is written as an escape."""
    sys.stdout = _lasting(sys.stdout)
    sys.stderr = _lasting(sys.stderr)


def refusal() -> str:
    """Why standard output couldn't be written, in words; empty where it could, or where its reader had read enough."""
    sys.stdout.flush()
    refused = getattr(_raw(sys.stdout), "refused", None)
    return "" if refused is None or refused.errno == errno.EPIPE else str(refused.strerror)


def _raw(stream: TextIO) -> object:
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)  # with PYTHONUNBUFFERED there is nothing between


def _lasting(stream: TextIO | None) -> TextIO:
    if stream is None:
        # It was closed; the next file that is opened would get its number, and all that is printed.
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - open as long as the process is
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(_raw(stream), io.FileIO):
        return stream  # a console of Windows, or a test's own
    stream.flush()
    file = LastingFile(stream.fileno(), "wb", closefd=False)
    unbuffered = isinstance(stream.buffer, io.FileIO)
    return io.TextIOWrapper(
        cast("BinaryIO", file) if unbuffered else io.BufferedWriter(file),
        stream.encoding,
        "backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=unbuffered,
    )
