"""Sounds put together as one file of a book, with its chapters, its cover and its tags.

A lossy format is encoded a chapter at a time, and bound from the packets of these: a chapter that changes is encoded alone, and
the rest of the book is copied. Lossless ones are written in one go. Either way memory doesn't grow with the book.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.error import FFmpegError
from av.stream import Disposition

from cosmos_workflow.books.output.formats import FORMATS, Format, bit_rate
from cosmos_workflow.books.output.tags import Tags, chapter_list, metadata_of
from cosmos_workflow.errors import InputError
from cosmos_workflow.media import read_sound, sound_frame, writing

if TYPE_CHECKING:
    from cosmos_workflow.media import Samples


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a file: a sound, or with no `path` so many seconds of silence. With a `title`, a chapter begins with it.

    For a lossy format `path` is what `encode` made; `seconds` is how long it lasts.
    """

    path: Path | None
    seconds: float
    title: str = ""


def encode(sound: Path | None, seconds: float, path: Path, name: str, rate: int, stop: Event | None = None) -> float:
    """Write a sound, or so many seconds of silence, in the lossy format `name`, to be bound; returns how long it lasts.

    Raises InputError for a sound that can't be read, UnavailableError where it can't be written, CancelledError once `stop` is
    set; no file is left then.
    """
    format = FORMATS[name]
    with _open(path, format) as container:
        stream = _stream(container, name, rate)
        for block in _samples(sound, seconds, rate):
            if stop is not None and stop.is_set():
                raise CancelledError
            container.mux(stream.encode(sound_frame(block, rate)))
        container.mux(stream.encode(None))
    return length(path)


def length(path: Path) -> float:
    """Seconds that an encoded sound decodes to, which may be a little more than it was made of."""
    with _reading(path) as container:
        stream = container.streams.audio[0]
        if stream.frames and stream.codec_context.frame_size:  # an MP4 tells how many packets it holds
            return stream.frames * stream.codec_context.frame_size / stream.rate
        return float(sum(duration for _, duration in _packets(container)) * stream.time_base)


def bind(parts: Sequence[Part], path: Path, name: str, rate: int, tags: Tags) -> list[tuple[str, float, float]]:
    """Write the parts as one file; returns its chapters with start and end in seconds."""
    format = FORMATS[name]
    chapters = chapters_of(parts)
    with _open(path, format) as container:
        shown = chapters if not tags.part else []
        container.metadata.update(metadata_of(tags, format.container, shown))
        if shown and format.container in ("mp4", "mp3"):
            container.set_chapters(chapter_list(shown))
        if format.lossless:
            _bind_samples(container, parts, name, rate, tags)
        else:
            _bind_packets(container, parts, format, tags)
    return chapters


def chapters_of(parts: Sequence[Part]) -> list[tuple[str, float, float]]:
    """The chapters of a file of these parts, with start and end in seconds."""
    starts: list[tuple[str, float]] = []
    at = 0.0
    for part in parts:
        if part.title:
            starts.append((part.title, at))
        at += part.seconds
    ends = [*(start for _, start in starts[1:]), at]
    # What comes before the first chapter belongs to it: players show no place without one.
    return [(title, start if number else 0.0, end) for number, ((title, start), end) in enumerate(zip(starts, ends, strict=True))]


def _bind_samples(container: Any, parts: Sequence[Part], name: str, rate: int, tags: Tags) -> None:
    stream = _stream(container, name, rate)
    _dress(container, stream, FORMATS[name], tags)
    for part in parts:
        for block in _samples(part.path, part.seconds, rate):
            container.mux(stream.encode(sound_frame(block, rate)))
    container.mux(stream.encode(None))


def _bind_packets(container: Any, parts: Sequence[Part], format: Format, tags: Tags) -> None:
    stream: Any = None
    at = 0
    for part in parts:
        if part.path is None:
            raise ValueError("silence is encoded before it is bound")
        with _reading(part.path) as encoded:
            source = encoded.streams.audio[0]
            base = source.time_base
            if stream is None:
                stream = container.add_stream_from_template(source)
                _dress(container, stream, format, tags)
            for packet, duration in _packets(encoded):
                if not at and packet.pts is not None and packet.pts < 0:
                    at = packet.pts  # what the encoder needs to begin with isn't heard
                packet.pts = packet.dts = at
                packet.time_base = base
                packet.stream = stream
                at += duration
                container.mux(packet)


def _packets(container: Any) -> Iterator[tuple[Any, int]]:
    """The packets of an encoded sound, each with how long it decodes to in the stream's time base.

    The last one may say that it is shorter, which players obey only at the end of a file: here something follows.
    """
    usual = 0
    for packet in container.demux(container.streams.audio[0]):
        if packet.size and packet.duration:
            usual = max(usual, packet.duration)
            yield packet, usual


def _dress(container: Any, sound: Any, format: Format, tags: Tags) -> None:
    """Say the language of the sound, and put the cover beside it."""
    if tags.three_letters:
        sound.metadata["language"] = tags.three_letters
    if not tags.cover or format.container not in ("mp4", "mp3", "flac"):
        return
    with av.open(io.BytesIO(tags.cover), "r", format="jpeg_pipe") as picture:
        source = picture.streams.video[0]
        stream = container.add_stream_from_template(source)
        stream.disposition = Disposition.attached_pic
        packet = next(packet for packet in picture.demux(source) if packet.size)
        packet.stream = stream
        packet.pts = packet.dts = 0
        container.mux(packet)


def _stream(container: Any, name: str, rate: int) -> Any:
    format = FORMATS[name]
    stream = container.add_stream(format.codec, rate=rate, options=dict(format.coder))
    stream.layout = "mono"
    if not format.lossless:
        stream.bit_rate = bit_rate(name, rate)
    return stream


def _samples(path: Path | None, seconds: float, rate: int) -> Iterator[Samples]:
    if path is not None:
        return read_sound(path, rate)
    frames = round(seconds * rate)
    return iter([np.zeros(frames, np.int16)] if frames else [])


@contextmanager
def _open(path: Path, format: Format) -> Iterator[Any]:
    with writing(path), av.open(str(path), "w", format=format.container, options=dict(format.options)) as container:
        yield container


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    try:
        container = av.open(str(path))
    except (FFmpegError, OSError) as error:
        raise InputError(f"{path.name} can't be read; put the book together again.") from error
    with container:
        yield container
