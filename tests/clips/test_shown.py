"""What somebody sees who plays a clip is what an engine gets: upright, with square pixels, in the right colours, and whole."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.clips.looking import probe_clip
from cosmos_workflow.clips.pictures import square_size
from cosmos_workflow.clips.reading import read_frames
from cosmos_workflow.clips.tone import WHITE, to_sdr
from cosmos_workflow.config import assets_dir
from cosmos_workflow.errors import InputError

from .conftest import Write, corners, encode, quarters

if TYPE_CHECKING:
    from cosmos_workflow.clips.pictures import Frame

ONE = 1 << 16


def pictures_of(path: Path) -> list[Frame]:
    return [picture for picture, _, _ in read_frames(path)]


def seconds_of(path: Path) -> float:
    return [end for _, _, end in read_frames(path)][-1]


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), ["red", "green", "blue", "white"]),
        ((-1, 0, 0, 1), ["green", "red", "white", "blue"]),  # a selfie camera
        ((1, 0, 0, -1), ["blue", "white", "red", "green"]),
        ((-1, 0, 0, -1), ["white", "blue", "green", "red"]),
        ((0, 1, -1, 0), ["blue", "red", "white", "green"]),  # an upright phone
        ((0, -1, 1, 0), ["green", "white", "red", "blue"]),
        ((0, 1, 1, 0), ["red", "blue", "green", "white"]),  # an upright phone's selfie
        ((0, -1, -1, 0), ["white", "green", "blue", "red"]),
    ],
)
def test_a_clip_is_turned_and_mirrored_as_its_display_matrix_says(
    write: Write, matrix: tuple[int, int, int, int], shown: list[str]
) -> None:
    a, b, c, d = (value * ONE for value in matrix)
    path = write(
        "turned.mp4", [quarters()] * 3, prepare=lambda stream: stream.set_display_matrix((a, b, 0, c, d, 0, 0, 0, 1 << 30))
    )
    size = (64, 48) if matrix[0] else (48, 64)
    info = probe_clip(path)
    assert (info.width, info.height) == size
    for picture in pictures_of(path):
        assert picture.shape == (*size[::-1], 3)
        assert corners(picture) == shown


def test_a_clip_that_is_to_be_shown_at_an_angle_is_refused(write: Write) -> None:
    path = write("askew.mp4", [quarters()] * 3, prepare=lambda stream: stream.set_display_rotation(30))
    with pytest.raises(InputError, match=r"askew\.mp4 is to be shown at an angle"):
        probe_clip(path)


@pytest.mark.parametrize(
    ("ratio", "size"), [(Fraction(4, 3), (85, 48)), (Fraction(64, 45), (91, 48)), (Fraction(3, 4), (64, 64))]
)
def test_pixels_that_are_not_square_become_square(write: Write, ratio: Fraction, size: tuple[int, int]) -> None:
    def prepare(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = ratio

    path = write("wide.mp4", [quarters()] * 3, prepare=prepare)
    info = probe_clip(path)
    assert (info.width, info.height) == size
    for picture in pictures_of(path):
        assert picture.shape == (*size[::-1], 3)
        assert corners(picture) == ["red", "green", "blue", "white"]


def test_pixels_that_are_not_square_are_turned_with_the_picture(write: Write) -> None:
    def prepare(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_matrix((0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30))

    path = write("wide.mp4", [quarters(48, 48)] * 3, prepare=prepare)
    assert (probe_clip(path).width, probe_clip(path).height) == (48, 64)
    assert corners(pictures_of(path)[0]) == ["blue", "red", "white", "green"]


@given(width=st.integers(1, 4096), height=st.integers(1, 4096), ratio=st.fractions(0, 100))
def test_no_side_gets_smaller_when_pixels_become_square(width: int, height: int, ratio: Fraction) -> None:
    wide, high = square_size(width, height, ratio)
    assert wide >= width
    assert high >= height
    assert (wide, high) <= (16 * width, 16 * height)


@pytest.mark.parametrize(("codec", "name"), [("libvpx", "call.webm"), ("libvpx-vp9", "call.mkv")])
def test_a_clip_that_grows_on_the_way_is_shown_whole(tmp_path: Path, codec: str, name: str) -> None:
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        encode(container, [quarters()] * 12, codec, "yuv420p", lambda _: None, {})
        stream = container.streams.video[0]
        grown = _encoder(codec, 128, 96)
        for number in (*range(12, 24), None):
            frame = None
            if number is not None:
                frame = av.VideoFrame.from_ndarray(quarters(128, 96), format="rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, 24)
            for packet in grown.encode(frame):
                packet.stream, packet.time_base = stream, Fraction(1, 24)
                container.mux(packet)
    info = probe_clip(path)
    assert (info.width, info.height, info.frames) == (128, 96, 24)
    assert info.notes == ("The clip changes its size on the way (64x48, 128x96); all of it is shown at 128x96.",)
    pictures = pictures_of(path)
    assert len(pictures) == 24
    for picture in pictures:
        assert picture.shape == (96, 128, 3)
        assert corners(picture) == ["red", "green", "blue", "white"]


def _encoder(codec: str, width: int, height: int) -> Any:
    encoder: Any = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 24), Fraction(24)
    return encoder


def test_a_clip_that_is_turned_on_the_way_stands_between_bars(tmp_path: Path) -> None:
    path = tmp_path / "call.webm"
    with av.open(str(path), "w") as container:
        encode(container, [quarters(96, 48)] * 6, "libvpx", "yuv420p", lambda _: None, {})
        upright = _encoder("libvpx", 48, 96)
        frame = av.VideoFrame.from_ndarray(quarters(48, 96), format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = 6, Fraction(1, 24)
        for packet in (*upright.encode(frame), *upright.encode(None)):
            packet.stream, packet.time_base = container.streams.video[0], Fraction(1, 24)
            container.mux(packet)
    last = pictures_of(path)[-1]
    assert last.shape == (48, 96, 3)
    assert last[:, :34].max() < 40
    assert last[:, -34:].max() < 40
    assert corners(last[:, 36:60]) == ["red", "green", "blue", "white"]


def _pq(nits: Any) -> Any:
    power = (nits / 10_000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def _hlg(light: Any) -> Any:
    upper = 0.17883277 * np.log(np.maximum(12 * light - 0.28466892, 1e-9)) + 0.55991073
    return np.where(light <= 1 / 12, np.sqrt(3 * light), upper)


HDR: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "PQ": (16, _pq),
    "HLG": (18, lambda nits: _hlg((nits / 1000) ** (1 / 1.2))),
}


def _as_hdr(grey: Any, transfer: str) -> av.VideoFrame:
    """A grey picture of SDR (0 to 255, BT.1886) as a camera would film a screen that shows it, in 10 bits of BT.2020."""
    code, curve = HDR[transfer]
    signal = curve(WHITE * (grey / 255.0) ** 2.4)
    frame = av.VideoFrame(grey.shape[1], grey.shape[0], "yuv420p10le")
    padded = np.zeros((grey.shape[0], frame.planes[0].line_size // 2), np.uint16)
    padded[:, : grey.shape[1]] = np.round(64 + signal * 876)
    frame.planes[0].update(padded.tobytes())
    for plane in (1, 2):
        frame.planes[plane].update(np.full(frame.planes[plane].buffer_size // 2, 512, np.uint16).tobytes())
    frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range = 9, 9, code, 1
    return frame


def _tagged(transfer: str) -> Callable[[Any], None]:
    def prepare(stream: Any) -> None:
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, HDR[transfer][0], 1

    return prepare


@pytest.mark.parametrize("transfer", ["PQ", "HLG"])
@pytest.mark.parametrize(("name", "codec"), [("film.mkv", "ffv1"), ("phone.mov", "libx265")])
def test_a_clip_in_hdr_keeps_its_contrast_and_says_so(write: Write, transfer: str, name: str, codec: str) -> None:
    scene = cv2.cvtColor(_street(), cv2.COLOR_RGB2GRAY)
    options = {"x265-params": "log-level=none:crf=8"} if codec == "libx265" else {}
    path = write(name, [_as_hdr(scene, transfer)] * 3, codec, "yuv420p10le", _tagged(transfer), options)
    (note,) = probe_clip(path).notes
    assert f"HDR ({transfer})" in note
    shown = cv2.cvtColor(pictures_of(path)[1], cv2.COLOR_RGB2GRAY)
    dark = scene < 180  # what is brighter is flatter, to leave room for highlights
    assert np.abs(shown[dark].astype(int) - scene[dark]).mean() < 3
    assert shown.std() == pytest.approx(scene.std(), rel=0.1)
    edges = [int((cv2.Canny(picture, 100, 200) > 0).sum()) for picture in (scene, shown)]
    assert edges[1] == pytest.approx(edges[0], rel=0.1)


def _street() -> Frame:
    return pictures_of(assets_dir() / "samples" / "street.mp4")[30]


@pytest.mark.parametrize("transfer", ["PQ", "HLG"])
def test_highlights_stay_apart_and_darker_tones_as_they_are(transfer: Any) -> None:
    nits = np.array([0.0, 5.0, 20.0, 50.0, 90.0, 203.0, 400.0, 800.0])
    signal = np.repeat(HDR[transfer][1](nits)[:, None], 3, axis=1)
    shown = to_sdr(signal, transfer)
    assert np.allclose(shown[:, 0], shown[:, 2], atol=0.005)
    assert np.allclose(shown[:5, 0], (nits[:5] / WHITE) ** (1 / 2.4), atol=0.01)
    assert np.all(np.diff(shown[:, 0]) > 0.002)


def test_the_red_of_hdr_is_red(write: Write) -> None:
    # BT.709's red in BT.2020's primaries (BT.2087), at 100 nits.
    signal = HDR["PQ"][1](100 * np.array([0.6274, 0.0691, 0.0164]))
    assert np.allclose(to_sdr(signal[None], "PQ")[0], [(100 / WHITE) ** (1 / 2.4), 0, 0], atol=0.06)


@pytest.mark.parametrize(("name", "codec"), [("recorded.webm", "libvpx"), ("recorded.mkv", "libx264")])
def test_a_clip_without_a_duration_is_measured(write: Write, name: str, codec: str) -> None:
    path = write(name, [quarters()] * 96, codec, muxing={"live": "1"})
    with av.open(str(path)) as container:
        assert container.duration is None
    info = probe_clip(path)
    assert (info.frames, info.fps, info.notes) == (96, 24.0, ())
    assert info.seconds == pytest.approx(4.0, abs=0.01)
    assert seconds_of(path) == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("name", ["phone.mp4", "phone.mkv"])
def test_what_is_cut_out_by_an_edit_list_is_not_shown(tmp_path: Path, name: str) -> None:
    greys = [np.full((48, 64, 3), 5 * number, np.uint8) for number in range(48)]
    path = tmp_path / name
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as container:
        stream: Any = container.add_stream("libx264", rate=24, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        early = 24 if name.endswith("mp4") else 0  # Matroska has none: nothing is cut out
        for number, grey in enumerate([*greys, None]):
            frame = None
            if grey is not None:
                frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 24)
            for packet in stream.encode(frame):
                packet.pts, packet.dts = packet.pts - early, packet.dts - early
                container.mux(packet)
    shown = pictures_of(path)
    assert len(shown) == probe_clip(path).frames == 48 - early
    assert abs(int(shown[0][9, 9, 0]) - 5 * early) < 4
    assert seconds_of(path) == pytest.approx(probe_clip(path).seconds, abs=0.005)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [("camera.mp4", "libx264", {"x264-params": "tff=1"}), ("disc.mpg", "mpeg2video", {"flags": "+ildct+ilme", "top": "1"})],
)
def test_an_interlaced_clip_has_no_combs(write: Write, name: str, codec: str, options: dict[str, str]) -> None:
    def woven(number: int) -> Frame:
        picture = np.zeros((96, 128, 3), np.uint8)
        picture[0::2, 8 + 4 * number : 40 + 4 * number] = 255
        picture[1::2, 10 + 4 * number : 42 + 4 * number] = 255  # half a frame later
        return picture

    path = write(name, [woven(number) for number in range(12)], codec, options=options)
    info = probe_clip(path)
    assert info.notes == ("The clip is interlaced; its pictures were made whole again from their lines.",)
    shown = pictures_of(path)
    assert len(shown) == info.frames == 12
    for number, picture in enumerate(shown):
        combs = np.abs(np.diff(picture[..., 0].astype(int), axis=0)).mean()
        assert combs < 1.5  # woven they are 8
        assert np.abs(picture[48, 14 + 4 * number : 36 + 4 * number].astype(int) - 255).max() < 40


@pytest.mark.parametrize(("codec", "pixels"), [("qtrle", "argb"), ("png", "rgba")])
def test_what_is_transparent_is_black_and_it_says_so(write: Write, codec: str, pixels: str) -> None:
    picture = np.dstack([quarters(), np.full((48, 64), 255, np.uint8)])
    picture[:, :32, 3] = 0
    frames = [av.VideoFrame.from_ndarray(picture, format="rgba") for _ in range(3)]
    path = write("logo.mov", frames, codec, pixels)
    assert probe_clip(path).notes == ("What is transparent in the clip is shown black.",)
    shown = pictures_of(path)[0]
    assert shown[:, :32].max() == 0
    assert tuple(shown[4, -5]) == (0, 255, 0)


def test_of_several_tracks_the_one_that_players_begin_with_is_used(tmp_path: Path) -> None:
    from av.stream import Disposition

    def main(stream: Any) -> None:
        stream.disposition = Disposition.default

    def aside(stream: Any) -> None:
        stream.disposition = Disposition(0)

    path = tmp_path / "both.mkv"
    with av.open(str(path), "w") as container:
        streams: list[Any] = [container.add_stream("libx264", rate=24) for _ in range(2)]
        for stream, (width, height), prepare in zip(streams, ((64, 48), (96, 64)), (aside, main), strict=True):
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            prepare(stream)
        for stream in streams:
            for number in range(5):
                frame = av.VideoFrame.from_ndarray(quarters(stream.width, stream.height), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 24)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    info = probe_clip(path)
    assert (info.width, info.height, info.frames) == (96, 64, 5)
    assert info.notes == ("The clip has 2 video tracks; the main one is used.",)


def test_a_large_clip_that_names_no_colours_is_taken_for_high_definition(write: Write) -> None:
    frame = av.VideoFrame.from_ndarray(quarters(1280, 720), format="rgb24")
    frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
    frame.colorspace = frame.color_range = frame.color_primaries = frame.color_trc = 2
    path = write("untagged.mp4", [frame], options={"crf": "4"})
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).colorspace == 2
    green = pictures_of(path)[0][100, 1000].astype(int)
    assert np.abs(green - (0, 255, 0)).max() < 8  # the other matrix makes 60 of 255 red of it


def _damaged(path: Path, target: Path, wrong: set[int]) -> Path:
    """The same clip with some packets (from 0) full of noise."""
    noise = np.random.default_rng(1)
    with av.open(str(path)) as source, av.open(str(target), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.dts is None:
                continue
            made = packet
            if number in wrong:
                made = av.Packet(noise.bytes(packet.size))
                made.pts, made.dts, made.time_base, made.duration = packet.pts, packet.dts, packet.time_base, packet.duration
                made.is_keyframe = packet.is_keyframe
            made.stream = stream
            copy.mux(made)
    return target


@pytest.mark.parametrize(("name", "codec"), [("clip.mp4", "libx264"), ("clip.webm", "libvpx-vp9"), ("clip.mov", "mjpeg")])
@pytest.mark.parametrize("place", [0, 40, 95])
def test_a_damaged_packet_costs_its_picture_and_no_more(write: Write, tmp_path: Path, name: str, codec: str, place: int) -> None:
    # Each picture stands alone, so that the damage doesn't spread.
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    good = write(name, [np.full((48, 64, 3), 2 * number, np.uint8) for number in range(96)], codec, pixels, options={"g": "1"})
    path = _damaged(good, tmp_path / f"damaged-{name}", {place})
    info = probe_clip(path)
    assert info.frames == 96
    notes: list[str] = []
    frames = list(read_frames(path, info, notes))
    assert len(frames) in (95, 96)  # a decoder may show what it made of it
    if len(frames) == 95:
        assert notes == [f"1 of 96 pictures of {path.name} can't be decoded; the picture before is shown instead."]
    assert frames[-1][2] + (1 / 24 if place == 0 else 0) == pytest.approx(4.0, abs=0.06)
    for picture, start, _ in frames:
        number = round(start * 24) + (1 if place == 0 and len(frames) == 95 else 0)
        assert number == place or abs(int(picture[9, 9, 0]) - 2 * number) < 6


def test_a_clip_that_is_mostly_damaged_is_refused(write: Write, tmp_path: Path) -> None:
    good = write("clip.mov", [quarters()] * 40, "mjpeg", "yuvj420p")
    some = _damaged(good, tmp_path / "some.mov", set(range(3, 40, 5)))
    with pytest.raises(InputError, match=r"8 of 40 pictures of some\.mov can't be decoded"):
        list(read_frames(some))
    every = _damaged(good, tmp_path / "every.mov", set(range(40)))
    with pytest.raises(InputError, match=r"every\.mov can't be decoded"):
        probe_clip(every)
