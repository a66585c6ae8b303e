"""Crops that a container states beside the picture: `clap` of MP4 and MOV, PixelCrop of Matroska and WebM.

FFmpeg reads them and PyAV doesn't tell of them, so the few bytes are looked for here. Nothing else of a file is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_MOST_BYTES = 64 << 20
"""Of an index: those of hours of pictures are a tenth of it."""
_TO_VIDEO_ENTRIES = (b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_ENTRY_HEADER = 78
"""Bytes of a video's description before the boxes in it; its width and height are 16 bits each at 24."""
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT, _TRACKS, _TRACK, _VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0xE0
_PIXEL_CROPS = frozenset({0x54AA, 0x54BB, 0x54CC, 0x54DD})


def states_a_crop(path: Path) -> bool:
    """Whether a clip asks players not to show all of its picture."""
    with path.open("rb") as file:
        if file.read(4) == _EBML:
            file.seek(0)
            return _matroska_crops(file.read(1 << 20))
        file.seek(0)
        while len(header := file.read(8)) == 8:
            size, kind = int.from_bytes(header[:4]), header[4:]
            header_size = 8
            if size == 1:
                size, header_size = int.from_bytes(file.read(8)), 16
            if kind == b"moov":
                return _any_clap(file.read(min(size - header_size, _MOST_BYTES)) if size else file.read(_MOST_BYTES))
            if size < header_size:  # 0: it is the last one
                return False
            file.seek(size - header_size, 1)
    return False


def _any_clap(moov: bytes) -> bool:
    level = [moov]
    for wanted in _TO_VIDEO_ENTRIES:
        level = [content for box in level for kind, content in _boxes(box) if kind == wanted]
    for entries in level:
        for _, entry in _boxes(entries[8:]):
            full = int.from_bytes(entry[24:26]), int.from_bytes(entry[26:28])
            for kind, clap in _boxes(entry[_ENTRY_HEADER:]):
                if kind == b"clap" and len(clap) >= 16 and _clap_size(clap) != full:
                    return True
    return False


def _clap_size(clap: bytes) -> tuple[float, float]:
    width, by, height, of = (int.from_bytes(clap[4 * at : 4 * at + 4]) for at in range(4))
    return width / max(1, by), height / max(1, of)


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(content):
        size = int.from_bytes(content[at : at + 4])
        if size < 8:
            return
        yield content[at + 4 : at + 8], content[at + 8 : at + size]
        at += size


def _matroska_crops(content: bytes) -> bool:
    level = [content]
    for wanted in (_SEGMENT, _TRACKS, _TRACK, _VIDEO):
        level = [inner for outer in level for name, inner in _elements(outer) if name == wanted]
    return any(name in _PIXEL_CROPS and int.from_bytes(value) for video in level for name, value in _elements(video))


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(content):
        name_size = _length(content[at])
        place = at + name_size
        size_size = _length(content[place]) if name_size and place < len(content) else 0
        if not size_size:
            return
        start = place + size_size
        size = int.from_bytes(content[place:start]) & ((1 << 7 * size_size) - 1)
        unknown = size == (1 << 7 * size_size) - 1
        yield int.from_bytes(content[at:place]), content[start:] if unknown else content[start : start + size]
        at = len(content) if unknown else start + size


def _length(first: int) -> int:
    """How many bytes a number has that begins with this one; 0 where none does."""
    return 9 - first.bit_length() if first else 0
