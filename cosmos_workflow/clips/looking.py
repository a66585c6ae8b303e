"""What a clip is, measured: its packets are counted, and its key frames decoded; a header is believed only for its rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import Type
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from cosmos_workflow.clips import ClipInfo
from cosmos_workflow.clips.crops import states_a_crop
from cosmos_workflow.clips.pictures import PROJECTIONS, TRANSFERS, VIEWS, has_alpha, kind_of, square_size, turn_of
from cosmos_workflow.errors import InputError
from cosmos_workflow.media import open_media, stated_seconds

LENGTH_SLACK = 0.25
"""Seconds by which pictures may end before the header says so without a word."""

_MOST_KEYS = 128
_MOST_WHOLE_PICTURES = 24
"""Frames looked at in a clip that holds nothing but key frames; they are the slow ones to decode."""
_USUAL_FPS = 25.0
_RATE_SLACK = 0.02
"""Share by which the rate in a header may differ from the measured one; it is exact where the clip's times are rounded."""


def probe_clip(path: Path) -> ClipInfo:
    """What a clip is; raises InputError where it isn't a clip, or no frame of it can be decoded."""
    with open_media(path, "clip") as container:
        stream = video_stream(container, path)
        length = _measure(container, stream)
        # What the header says; nothing where it speaks of another stream than the pictures.
        stated = stated_seconds(container, stream) if stream.duration or len(container.streams) == 1 else 0.0
        tracks = len(_moving(container))
        has_sound = bool(container.streams.audio)
    looks = _look(path, length)
    width, height = max(looks.sizes, key=lambda size: size[0] * size[1])
    notes = []
    if tracks > 1:
        notes.append(f"The clip has {tracks} video tracks; the main one is used.")
    if states_a_crop(path):
        notes.append("The clip states a crop for players, which isn't applied: its edges are used too.")
    if stated - length.seconds > LENGTH_SLACK:
        notes.append(f"The clip says it lasts {stated:.2f} s, but its pictures end after {length.seconds:.2f} s.")
    return ClipInfo(
        width=width,
        height=height,
        fps=length.fps,
        seconds=length.seconds,
        frames=length.frames,
        codec=looks.codec,
        has_sound=has_sound,
        notes=(*notes, *looks.notes(width, height)),
    )


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The track with the moving picture, no cover; where there are several, the one that players begin with.

    All others are left out when the container is read. A crop that the track itself states is applied to the pixel, also where
    that leaves rows in memory unaligned.
    """
    streams = _moving(container)
    if not streams:
        raise InputError(f"{path.name} holds no moving picture; choose an MP4, WebM, MOV, MKV or AVI file.")
    chosen = next((stream for stream in streams if stream.disposition & Disposition.default), streams[0])
    for stream in container.streams:
        if stream is not chosen:
            stream.discard = Discard.all
    chosen.codec_context.flags |= Flags.unaligned
    return chosen


def undiscarded(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet | None]:
    """The packets of a track, and None in the end; where the file breaks off or can't be read on, it ends there."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except MemoryError:
            raise
        except (StopIteration, FFmpegError):
            break
        if packet.size:  # the last one of PyAV's own is empty
            yield packet
    yield None


def decoded(stream: VideoStream, problems: list[str], *packets: av.Packet | None) -> list[av.VideoFrame]:
    """The frames in these packets; none where they can't be decoded, which `problems` is told."""
    try:
        return [frame for packet in packets for frame in stream.decode(packet)]
    except MemoryError:
        raise
    except FFmpegError as error:
        problems.append(error.strerror or "damaged")
        return []


@dataclass(slots=True)
class _Length:
    """What the packets of a clip say; `keys` are the numbers of those that can be decoded alone."""

    frames: int
    seconds: float
    fps: float
    keys: list[int]


@dataclass(slots=True)
class _Looks:
    """What the frames that were looked at have."""

    codec: str
    sizes: list[tuple[int, int]] = field(default_factory=list)
    transfer: str = ""
    interlaced: bool = False
    alpha: bool = False
    views: str = ""
    projection: str = ""
    problems: list[str] = field(default_factory=list)

    def add(self, frame: av.VideoFrame, ratio: Fraction | None, name: str) -> None:
        size = turn_of(frame, name).size(*square_size(frame.width, frame.height, ratio))
        if size not in self.sizes:
            self.sizes.append(size)
        self.transfer = TRANSFERS.get(int(frame.color_trc), self.transfer)
        self.interlaced = self.interlaced or frame.interlaced_frame
        self.alpha = self.alpha or has_alpha(frame)
        self.views = self.views or VIEWS.get(kind_of(frame, Type.STEREO3D), "")
        self.projection = self.projection or PROJECTIONS.get(kind_of(frame, Type.SPHERICAL), "")

    def notes(self, width: int, height: int) -> Iterator[str]:
        if len(self.sizes) > 1:
            sizes = ", ".join(f"{one}x{other}" for one, other in self.sizes)
            yield f"The clip changes its size on the way ({sizes}); all of it is shown at {width}x{height}."
        if self.transfer:
            yield f"The clip is HDR ({self.transfer}); it was brought to standard range, where its highlights are flatter."
        if self.interlaced:
            yield "The clip is interlaced; its pictures were made whole again from their lines."
        if self.alpha:
            yield "What is transparent in the clip is shown black."
        if self.views:
            yield f"The clip is stereoscopic; the views of both eyes are used as one picture, {self.views}."
        if self.projection:
            yield f"The clip shows all around ({self.projection}); it is used flat, as its picture is stored."


def _moving(container: InputContainer) -> list[VideoStream]:
    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    return [stream for stream in container.streams.video if not stream.disposition & still]


def _measure(container: InputContainer, stream: VideoStream) -> _Length:
    """Read every packet. A packet without a time follows the one before."""
    fps = float(stream.average_rate or stream.guessed_rate or 0)
    base = stream.time_base or Fraction(1, 1000)
    usual = round(1 / (fps or _USUAL_FPS) / base)
    first, last, end, frames, packets = None, 0, 0, 0, 0
    keys: list[int] = []
    for packet in undiscarded(container, stream):
        if packet is None:
            break
        if packet.is_keyframe:
            keys.append(packets)
        packets += 1
        if packet.is_discard:  # before or behind what an edit list shows
            continue
        frames += 1
        time = packet.pts if packet.pts is not None else packet.dts
        begin = end if time is None else time
        first = begin if first is None else min(first, begin)
        last = max(last, begin)
        end = max(end, begin + (packet.duration or usual))
    between = float((last - (first or 0)) * base)
    measured = (frames - 1) / between if frames > 1 and between > 0 else fps or _USUAL_FPS
    fps = fps if fps and abs(measured / fps - 1) < _RATE_SLACK else measured
    return _Length(frames, float((end - (first or 0)) * base), fps, keys)


def _look(path: Path, length: _Length) -> _Looks:
    """Decode frames from all over the clip; raises InputError where none can be."""
    with open_media(path, "clip") as container:
        stream = video_stream(container, path)
        looks = _Looks(stream.codec_context.codec.name)
        alone = length.keys and len(length.keys) == length.frames
        chosen = set(_spread(length.keys, _MOST_WHOLE_PICTURES if alone else _MOST_KEYS)) or {0}
        for number, packet in enumerate(undiscarded(container, stream)):
            if packet is not None and number in chosen:
                for frame in decoded(stream, looks.problems, packet, None):
                    looks.add(frame, stream.sample_aspect_ratio, path.name)
                stream.codec_context.flush_buffers()
    if not looks.sizes:
        _look_on(path, looks)
    if not looks.sizes:
        reason = f"can't be decoded ({looks.problems[-1]})" if looks.problems else "is a clip without a single frame"
        raise InputError(f"{path.name} {reason}; choose another file.")
    return looks


def _look_on(path: Path, looks: _Looks) -> None:
    """The first frame that comes out when the clip is decoded in order: no key frame could be decoded alone."""
    with open_media(path, "clip") as container:
        stream = video_stream(container, path)
        for packet in undiscarded(container, stream):
            for frame in decoded(stream, looks.problems, packet):
                looks.add(frame, stream.sample_aspect_ratio, path.name)
                return


def _spread(keys: list[int], most: int) -> list[int]:
    if len(keys) <= most:
        return keys
    return [keys[round(place * (len(keys) - 1) / (most - 1))] for place in range(most)]
