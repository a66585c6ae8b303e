"""What a clip states of its picture beside it: crops, views of two eyes, pictures all around."""

from __future__ import annotations

import re
from pathlib import Path
from struct import pack

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext

from cosmos_workflow.clips.looking import probe_clip
from cosmos_workflow.clips.reading import read_frames

from .conftest import Write, corners, quarters

WAY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1")
HEADERS = {b"stsd": 8, b"avc1": 78}


def box(kind: bytes, content: bytes) -> bytes:
    return pack(">I4s", 8 + len(content), kind) + content


def with_box(path: Path, added: bytes) -> Path:
    """An MP4 of one track with a box more in the description of its video; its index is at its end, so nothing else moves."""
    data = bytearray(path.read_bytes())
    start, end, opened = 0, len(data), []
    for wanted in WAY:
        at = start
        while data[at + 4 : at + 8] != wanted:
            at += int.from_bytes(data[at : at + 4])
            assert at < end
        opened.append(at)
        start, end = at + 8 + HEADERS.get(wanted, 0), at + int.from_bytes(data[at : at + 4])
    data[end:end] = added
    for at in opened:
        data[at : at + 4] = (int.from_bytes(data[at : at + 4]) + len(added)).to_bytes(4)
    path.write_bytes(data)
    return path


def clap(width: int, height: int) -> bytes:
    return box(b"clap", pack(">8I", width, 1, height, 1, 0, 1, 0, 1))


def spherical(projection: bytes) -> bytes:
    head = box(b"svhd", bytes(4) + b"a camera\0") + box(b"proj", box(b"prhd", bytes(16)) + projection)
    return box(b"sv3d", head)


STATED = {
    "clap": (clap(48, 40), "states a crop for players"),
    "side by side": (box(b"st3d", bytes(4) + b"\2"), "stereoscopic.*side by side"),
    "above": (box(b"st3d", bytes(4) + b"\1"), "stereoscopic.*one above the other"),
    "all around": (spherical(box(b"equi", bytes(20))), r"all around \(equirectangular\)"),
    "cube": (spherical(box(b"cbmp", bytes(12))), r"all around \(cube map\)"),
}


@pytest.mark.parametrize(("added", "says"), STATED.values(), ids=list(STATED))
def test_what_an_mp4_states_of_its_picture_is_told(write: Write, added: bytes, says: str) -> None:
    clip = probe_clip(with_box(write("a.mp4", [quarters()] * 3), added))
    (note,) = clip.notes
    assert re.search(says, note), note
    assert (clip.width, clip.height) == (64, 48)


@pytest.mark.parametrize("added", [clap(64, 48), box(b"st3d", bytes(5))], ids=["whole", "flat"])
def test_what_changes_nothing_is_not_told(write: Write, added: bytes) -> None:
    assert probe_clip(with_box(write("a.mp4", [quarters()] * 3), added)).notes == ()


def test_a_matroska_clip_tells_of_its_views_and_of_its_crop(write: Write, tmp_path: Path) -> None:
    def prepare(stream: av.VideoStream) -> None:
        stream.metadata["stereo_mode"] = "left_right"

    path = write("a.mkv", [quarters()] * 3, prepare=prepare)
    (note,) = probe_clip(path).notes
    assert "side by side" in note
    data = path.read_bytes()
    # PixelCropTop of 4 instead of the stereo mode, in as many bytes.
    mode = b"\x53\xb8\x81\x01"
    assert data.count(mode) == 1
    path.write_bytes(data.replace(mode, b"\x54\xbb\x81\x04"))
    (note,) = probe_clip(path).notes
    assert "states a crop" in note


def test_a_crop_inside_the_track_is_applied_to_the_pixel(write: Write, tmp_path: Path) -> None:
    inner = quarters(64, 48)
    whole = np.full((64, 128, 3), 128, np.uint8)
    whole[8:56, 34:98] = inner
    source, path = write("whole.mp4", [whole] * 3, options={"crf": "1"}), tmp_path / "cropped.mp4"
    with av.open(str(source)) as read, av.open(str(path), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        crop = "h264_metadata=crop_left=34:crop_right=30:crop_top=8:crop_bottom=8"
        rewrite = BitStreamFilterContext(crop, read.streams.video[0], stream)
        for packet in read.demux(video=0):
            for made in rewrite.filter(packet if packet.size else None):
                made.stream = stream
                written.mux(made)
    clip = probe_clip(path)
    assert (clip.width, clip.height) == (64, 48)
    pictures = [frame for frame, _, _ in read_frames(path, clip)]
    assert len(pictures) == 3
    assert corners(pictures[0]) == ["red", "green", "blue", "white"]


def test_a_file_that_ends_in_its_index_states_no_crop(write: Write, tmp_path: Path) -> None:
    from cosmos_workflow.clips.crops import states_a_crop

    data = with_box(write("a.mp4", [quarters()] * 3), clap(48, 40)).read_bytes()
    matroska = write("a.mkv", [quarters()] * 3).read_bytes()
    path = tmp_path / "cut"
    for content in (data, matroska):
        for end in range(0, len(content), 7):
            path.write_bytes(content[:end])
            states_a_crop(path)
    path.write_bytes(np.random.default_rng(3).bytes(5000))
    assert not states_a_crop(path)
