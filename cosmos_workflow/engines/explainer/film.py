"""Clips and narration joined into one video, and pictures taken from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cosmos_workflow.engines.explainer.narration import RATE
from cosmos_workflow.engines.explainer.storyboard import FADE, LEAD, Shot
from cosmos_workflow.media import writing

if TYPE_CHECKING:
    from PIL import Image

    from cosmos_workflow.media import Samples

THUMBNAIL_WIDTH = 320
SNAPSHOT_WIDTH = 1280
_BIT_RATE = 96_000


def join(
    shots: Sequence[Shot],
    clips: Sequence[Path],
    sounds: Sequence[Path | None],
    target: Path,
    title: str,
    look: Callable[[float], None],
) -> None:
    """Write the clips one after another, as they are, with their narration as AAC, as an MP4 that plays in browsers.

    The clips have one size, rate and encoder. Without any sound there is no audio track. `look` hears the share done.
    """
    import av

    with (
        writing(target),
        av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as film,
        av.open(str(clips[0])) as first,
    ):
        film.metadata["title"] = title
        picture = film.add_stream_from_template(first.streams.video[0])
        voice = _Voice(film) if any(sounds) else None
        frames = 0
        for number, (shot, clip, sound) in enumerate(zip(shots, clips, sounds, strict=True)):
            step = partial(look, number / len(shots))
            step()
            _copy_pictures(clip, film, picture, Fraction(frames, shot.fps))
            frames += shot.frames
            if voice:
                voice.write(sound, round(frames * RATE / shot.fps), step)
        if voice:
            voice.close()


def _copy_pictures(clip: Path, film: Any, target: Any, begin: Fraction) -> None:
    import av

    with av.open(str(clip)) as source:
        stream = source.streams.video[0]
        offset = round(begin / cast("Fraction", stream.time_base))
        for packet in source.demux(stream):
            if packet.dts is None or packet.pts is None:
                continue  # the empty packet at the end
            packet.pts += offset
            packet.dts += offset
            packet.stream = target
            film.mux(packet)


class _Voice:
    """The audio track, filled with quiet wherever nobody speaks."""

    def __init__(self, film: Any) -> None:
        self._film = film
        self._stream = film.add_stream("aac", rate=RATE, layout="mono", bit_rate=_BIT_RATE)
        self._samples = 0

    def write(self, sound: Path | None, until: int, look: Callable[[], None]) -> None:
        """The narration of a scene, after its lead; the track then ends at sample `until`. `look` is called each second."""
        import soundfile

        if sound is not None:
            self._quiet(self._samples + round(LEAD * RATE))
            for block in cast("Iterator[Samples]", soundfile.blocks(str(sound), RATE, dtype="int16")):
                look()
                self._push(block[: until - self._samples])
        self._quiet(until)

    def close(self) -> None:
        """What is left."""
        self._film.mux(self._stream.encode(None))

    def _quiet(self, until: int) -> None:
        import numpy as np

        while self._samples < until:
            self._push(np.zeros(min(RATE, until - self._samples), np.int16))

    def _push(self, block: Samples) -> None:
        import av

        if not len(block):
            return
        frame = av.AudioFrame.from_ndarray(block[None, :], format="s16", layout="mono")
        frame.sample_rate = RATE
        # With a time of its own the encoder says how much its first packet is early; without, the whole track would be late.
        frame.pts, frame.time_base = self._samples, Fraction(1, RATE)
        self._samples += len(block)
        self._film.mux(self._stream.encode(frame))


def snapshot(clip: Path, shot: Shot, target: Path, thumbnail: Path | None = None) -> None:
    """A JPEG of a scene when everything in it is there, and a small one where `thumbnail` is given."""
    picture = _picture_at(clip, shot.seconds - FADE - 1.5 / shot.fps)
    for path, width in ((target, SNAPSHOT_WIDTH), (thumbnail, THUMBNAIL_WIDTH)):
        if path is not None:
            small = picture.copy()
            small.thumbnail((width, width * 4))
            with writing(path):
                small.save(path, "JPEG", quality=88)


def _picture_at(clip: Path, seconds: float) -> Image.Image:
    """The frame shown at a time; the last one where the clip ends before."""
    import av

    frame = None
    with av.open(str(clip)) as source:
        stream = source.streams.video[0]
        source.seek(int(seconds / cast("Fraction", stream.time_base)), stream=stream)  # to the last whole picture before
        for frame in source.decode(stream):
            if frame.time is not None and frame.time >= seconds:
                break
    if frame is None:
        raise ValueError(f"{clip.name} has no frame")
    return frame.to_image()
