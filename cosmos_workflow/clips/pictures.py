"""Decoded frames as pictures: RGB as a player shows them.

Turned and mirrored by the display matrix, with square pixels, BT.709, deinterlaced, black where transparent, and of one size.
numpy is imported where it is used: whoever only looks at a clip needs none, and may have little memory.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import av
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as Finished
from av.error import FFmpegError
from av.filter import Graph
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter

from cosmos_workflow.errors import InputError

if TYPE_CHECKING:
    from cosmos_workflow.clips.tone import Transfer
    from cosmos_workflow.media import Frame

TRANSFERS: dict[int, Transfer] = {16: "PQ", 18: "HLG"}
"""HDR by H.273's code of a frame's transfer characteristics."""

_BT709 = 1
_UNKNOWN = 2
_NOT_YUV = frozenset({14, 15})
"""Matrix codes of ICtCp and of Dolby Vision without a compatible picture, which would come out green and violet."""
_HD_LINES = 720
"""Lines from which a clip that doesn't name its matrix is taken for BT.709, as players do; below for BT.601."""
_LARGEST_RATIO = 16
VIEWS = {
    1: "side by side",
    2: "one above the other",
    3: "one after the other",
    4: "as a checkerboard",
    5: "side by side",
    6: "line by line",
    7: "column by column",
}
"""By FFmpeg's AVStereo3DType; 0 is flat, and of 8 nothing is known."""
PROJECTIONS = {
    0: "equirectangular",
    1: "cube map",
    2: "a part of an equirectangular one",
    3: "half of an equirectangular one",
    5: "fisheye",
}
"""By FFmpeg's AVSphericalProjection; 4 is a usual picture."""


@dataclass(frozen=True, slots=True)
class Turn:
    """How a picture is turned: its axes exchanged, then mirrored from left to right, and from top to bottom."""

    exchanged: bool = False
    mirrored: bool = False
    upside_down: bool = False

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The size of a picture when it is turned; also that before, from the one after."""
        return (height, width) if self.exchanged else (width, height)

    def apply(self, picture: Frame) -> Frame:
        """The picture turned."""
        if self.exchanged:
            picture = picture.transpose(1, 0, 2)
        if self.mirrored:
            picture = picture[:, ::-1]
        return picture[::-1] if self.upside_down else picture


def turn_of(frame: av.VideoFrame, name: str) -> Turn:
    """What the display matrix of a frame asks for; raises InputError where that isn't a quarter turn or a mirror.

    The matrix maps a place (x, y) to (a x + c y, b x + d y); a, b, c and d are in 16.16 fixed point.
    """
    matrix = _side_data(frame, Type.DISPLAYMATRIX)
    if not matrix:
        return Turn()
    a, b, c, d = (int.from_bytes(matrix[4 * at : 4 * at + 4], sys.byteorder, signed=True) for at in (0, 1, 3, 4))
    along, across = max(abs(a), abs(d)), max(abs(b), abs(c))
    if min(along, across) * 100 > max(along, across):
        raise InputError(f"{name} is to be shown at an angle, which can't be done; turn it by quarters and save it again.")
    if across > along:
        return Turn(exchanged=True, mirrored=c < 0, upside_down=b < 0)
    return Turn(mirrored=a < 0, upside_down=d < 0)


def square_size(width: int, height: int, ratio: Fraction | None) -> tuple[int, int]:
    """The size with square pixels of a picture whose pixels are `ratio` times as wide as high; no side gets smaller."""
    if not ratio or ratio == 1 or not Fraction(1, _LARGEST_RATIO) <= ratio <= _LARGEST_RATIO:
        return width, height
    return (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))


def has_alpha(frame: av.VideoFrame) -> bool:
    """Whether parts of a frame may be transparent."""
    return any(component.is_alpha for component in frame.format.components)


def kind_of(frame: av.VideoFrame, side_data: Type) -> int:
    """The first field of a side data's structure, its kind; -1 where there is none."""
    found = _side_data(frame, side_data)
    return int.from_bytes(found[:4], sys.byteorder) if found else -1


def _side_data(frame: av.VideoFrame, kind: Type) -> bytes:
    everything: Any = frame.side_data
    found = everything.get(kind)
    return b"" if found is None else bytes(found)


class Painter:
    """Makes pictures of `size` (width, height) from the frames of one clip, whose pixels are `ratio` times as wide as high.

    A frame of another shape is shown whole, between black bars.
    """

    def __init__(self, name: str, size: tuple[int, int], ratio: Fraction | None) -> None:
        self._name = name
        self._size = size
        self._ratio = ratio
        self._reformatter = VideoReformatter()

    def paint(self, frame: av.VideoFrame) -> Frame:
        """A frame as RGB of shape (height, width, 3)."""
        import numpy as np

        turn = turn_of(frame, self._name)
        place = turn.size(*self._size)
        shown = square_size(frame.width, frame.height, self._ratio)
        scale = min(place[0] / shown[0], place[1] / shown[1])
        size = tuple(min(most, max(1, round(side * scale))) for side, most in zip(shown, place, strict=True))
        picture = turn.apply(self._rgb(frame, *size))
        if size != place:
            left, top = ((most - side) // 2 for most, side in zip(self._size, turn.size(*size), strict=True))
            whole = np.zeros((self._size[1], self._size[0], 3), np.uint8)
            whole[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            return whole
        return np.ascontiguousarray(picture)

    def _rgb(self, frame: av.VideoFrame, width: int, height: int) -> Frame:
        import numpy as np

        alpha = has_alpha(frame)
        options: dict[str, Any] = {"width": width, "height": height, "format": "rgba" if alpha else "rgb24"}
        if (width, height) != (frame.width, frame.height):
            options["interpolation"] = "BICUBIC"
        if frame.colorspace == _UNKNOWN and not frame.format.is_rgb and frame.height >= _HD_LINES:
            options["src_colorspace"] = _BT709
        try:
            if frame.colorspace in _NOT_YUV:
                raise ValueError("not YUV")
            picture = self._reformatter.reformat(frame, **options).to_ndarray()
        except (FFmpegError, ValueError) as error:
            raise InputError(f"The colours of {self._name} can't be read; save it as H.264 or VP9 in BT.709.") from error
        if alpha:
            shown = picture[..., :3].astype(np.uint16) * picture[..., 3:] + 127
            picture = (shown // 255).astype(np.uint8)
        return cast("Frame", picture)


def filtered(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Frames with their lines woven apart and in SDR; those that need neither pass as they are."""
    graph: _Graph | None = None
    interlaced = False
    for frame in frames:
        interlaced = interlaced or frame.interlaced_frame
        transfer = TRANSFERS.get(int(frame.color_trc))
        needs = _Needs(
            f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:colorspace={int(frame.colorspace)}:"
            f"range={int(frame.color_range)}:time_base={frame.time_base or Fraction(1, 1000)}",
            interlaced,
            transfer,
            transfer is not None and int(frame.color_primaries) != _BT709,
        )
        if graph is not None and graph.needs != needs:
            yield from graph.push(None)
            graph = None
        if not needs.deinterlacing and not needs.transfer:
            yield frame
            continue
        graph = graph or _Graph(needs)
        yield from graph.push(frame)
    if graph is not None:
        yield from graph.push(None)


@dataclass(frozen=True, slots=True)
class _Needs:
    """What a graph is made for; `source` is what its first filter is told of the frames."""

    source: str
    deinterlacing: bool
    transfer: Transfer | None
    wide: bool


class _Graph:
    """FFmpeg's filters for frames of one kind."""

    def __init__(self, needs: _Needs) -> None:
        from cosmos_workflow.clips.tone import cube

        self.needs = needs
        self._graph = Graph()
        nodes = [self._graph.add("buffer", needs.source)]
        if needs.deinterlacing:
            nodes.append(self._graph.add("bwdif", mode="send_frame", deint="interlaced"))
        with TemporaryDirectory() as folder:
            if needs.transfer is not None:
                table = Path(folder) / "table.cube"
                table.write_text(cube(needs.transfer, wide=needs.wide), encoding="ascii")
                nodes += [
                    self._graph.add("format", "gbrp12"),
                    self._graph.add("lut3d", file=str(table)),
                    self._graph.add("format", "rgb24"),
                ]
            self._graph.link_nodes(*nodes, self._graph.add("buffersink")).configure()

    def push(self, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        self._graph.vpush(frame)
        while True:
            try:
                frame = self._graph.vpull()
            except (NothingYet, Finished):
                return
            yield frame
