"""A clip from its first to its last picture, whatever is damaged on the way, and shown at any rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from cosmos_workflow.clips import ClipInfo
from cosmos_workflow.clips.looking import decoded, probe_clip, undiscarded, video_stream
from cosmos_workflow.clips.pictures import Painter, filtered
from cosmos_workflow.errors import InputError
from cosmos_workflow.media import open_media

if TYPE_CHECKING:
    from cosmos_workflow.media import Frame

MOST_DAMAGE = 0.1
"""Share of pictures that may be damaged; with more, a clip isn't what somebody sees who plays it."""


def read_frames(path: Path, clip: ClipInfo | None = None, notes: list[str] | None = None) -> Iterator[tuple[Frame, float, float]]:
    """Each frame of a clip as (RGB of shape (height, width, 3), its start, its end), in seconds from the first frame.

    All have the size that `clip` states, as `probe_clip` found it. A frame lasts until the next one starts; in the place of one
    that can't be decoded the one before stays on, and `notes` is told so in the end. Memory doesn't grow with the clip.
    Raises InputError for what isn't a clip, holds no frame, or is damaged in more than `MOST_DAMAGE` of it.
    """
    clip = clip or probe_clip(path)
    damage = _Damage()
    with open_media(path, "clip") as container:
        stream = video_stream(container, path)
        stream.thread_type = "AUTO"
        usual = 1 / clip.fps
        painter = Painter(path.name, (clip.width, clip.height), stream.sample_aspect_ratio)
        origin: float | None = None
        held: av.VideoFrame | None = None
        start = 0.0
        for frame in filtered(_decode(container, stream, damage)):
            if origin is None:
                origin = frame.time or 0.0
            now = start + usual if frame.time is None else frame.time - origin
            if held is not None:
                yield painter.paint(held), start, max(now, start)
            held, start = frame, (max(now, start) if held is not None else 0.0)
        if held is None:
            reason = damage.problems[-1] if damage.problems else "it holds no frame"
            raise InputError(f"{path.name} can't be decoded ({reason}); choose another file.")
        share = f"{damage.lost:,} of {damage.pictures:,} pictures of {path.name} can't be decoded"
        if damage.lost > MOST_DAMAGE * damage.pictures:
            raise InputError(f"{share} ({damage.problems[-1]}); choose another file.")
        lasts = float(held.duration * held.time_base) if held.duration and held.time_base else usual
        yield painter.paint(held), start, start + lasts
    if notes is not None and damage.lost:
        notes.append(f"{share}; the picture before is shown instead.")


def resample_frames(frames: Iterable[tuple[Frame, float, float]], fps: Fraction) -> Iterator[tuple[Frame, int]]:
    """The frames to show at `fps` for the same duration, each with how often it is shown in a row (at least once).

    Output frame i is what the clip shows in the middle of its slot, at (i + 1/2) / fps, so a clip of n frames at the same
    rate is kept as it is, and a duration of s seconds gives round(s x fps) frames, at least one.
    """
    made, last = 0, None
    for frame, _, end in frames:
        last = frame
        # The slots whose middle lies before `end`; a tiny slack takes up rounding in time stamps.
        upto = int(end * float(fps) + 0.5 - 1e-6)
        if upto > made:
            yield frame, upto - made
            made = upto
    if made == 0 and last is not None:
        yield last, 1


@dataclass(slots=True)
class _Damage:
    """What couldn't be decoded so far."""

    pictures: int = 0
    decoded: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Pictures that are missing. Many more packets than pictures without an error are no damage: two fields make one."""
        missing = self.pictures - self.decoded
        return max(len(self.problems), missing if missing <= MOST_DAMAGE * self.pictures else 0)


def _decode(container: InputContainer, stream: VideoStream, damage: _Damage) -> Iterator[av.VideoFrame]:
    """The frames that can be decoded."""
    for packet in undiscarded(container, stream):
        damage.pictures += packet is not None and not packet.is_discard
        frames = decoded(stream, damage.problems, packet)
        damage.decoded += len(frames)
        for frame in frames:
            if not frame.time_base:  # PyAV leaves it out in what comes behind the last packet
                frame.time_base = stream.time_base
            yield frame
