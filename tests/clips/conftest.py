"""Clips as cameras, browsers and editors make them, written by PyAV."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

if TYPE_CHECKING:
    from cosmos_workflow.clips.pictures import Frame

Write = Callable[..., Path]
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


def quarters(width: int = 64, height: int = 48) -> Frame:
    """Red and green above blue and white."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = COLOURS["red"]
    picture[: height // 2, width // 2 :] = COLOURS["green"]
    picture[height // 2 :, : width // 2] = COLOURS["blue"]
    picture[height // 2 :, width // 2 :] = COLOURS["white"]
    return picture


def corners(picture: Frame) -> list[str]:
    """Names of the colours at the upper left, upper right, lower left and lower right."""
    at = [picture[4, 4], picture[4, -5], picture[-5, 4], picture[-5, -5]]
    return [min(COLOURS, key=lambda name: int(np.abs(pixel.astype(int) - COLOURS[name]).max())) for pixel in at]


def encode(
    container: Any, pictures: Iterable[Any], codec: str, pixels: str, prepare: Callable[[Any], None], options: dict[str, str]
) -> None:
    """Write pictures (RGB, or frames) as a track of their own, which `prepare` gets before."""
    frames = [
        picture if isinstance(picture, av.VideoFrame) else av.VideoFrame.from_ndarray(picture, format="rgb24")
        for picture in pictures
    ]
    stream = container.add_stream(codec, rate=24, options=options)
    stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, pixels
    prepare(stream)
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = number, Fraction(1, 24)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a clip: its name and pictures, then `codec`, `pixels`, `prepare` (for the stream), `options` and `muxing`."""

    def make(
        name: str,
        pictures: Iterable[Any],
        codec: str = "libx264",
        pixels: str = "yuv420p",
        prepare: Callable[[Any], None] = lambda _stream: None,
        options: dict[str, str] | None = None,
        muxing: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w", options=muxing or {}) as container:
            encode(container, pictures, codec, pixels, prepare, options or {})
        return path

    return make
