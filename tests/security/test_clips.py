"""A small clip that is a huge picture costs the app nothing."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import psutil
import pytest
from page_support import Server
from visitors import Visitor, as_file

pytestmark = pytest.mark.slow

SIDE = 12_000


def picture(side: int) -> bytes:
    """A black PNG: a few kilobytes for each hundred megabytes that it takes to look at."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    squeeze = zlib.compressobj(9)
    rows = b"".join([*(squeeze.compress(bytes(1 + side)) for _ in range(side)), squeeze.flush()])
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture
def bomb(tmp_path: Path) -> bytes:
    """A clip of half a megabyte whose pictures are SIDE pixels wide and high."""
    path = tmp_path / "bomb.mov"
    content = picture(SIDE)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("png", rate=1)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "gray"
        for number in range(3):
            packet = av.Packet(content)
            packet.stream, packet.pts, packet.dts, packet.time_base, packet.is_keyframe = (
                stream,
                number,
                number,
                Fraction(1),
                True,
            )
            container.mux(packet)
    return path.read_bytes()


def test_a_clip_is_looked_at_outside_the_app(ann: Visitor, server: Server, bomb: bytes) -> None:
    status = Path(f"/proc/{server.process.pid}/status")

    def most_memory() -> int:
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))

    path = ann.upload(bomb, "bomb.mov")
    assert ann.trigger("run/predict", ann.event("prompt-file", "upload"), [as_file(path)], "", None).status_code == 200
    ann.call("get_queue_display", "")
    before = most_memory()
    said = ann.call("add_to_queue", "", [{"text": "", "inputs": {"video": "bomb.mov"}}], "control-preview", {}, {"edge": 1.0})
    assert f"{SIDE}x{SIDE} pixels" in str(said["error"]) or "too much memory or time" in str(said["error"])
    assert most_memory() - before < 60_000
    assert psutil.Process(server.process.pid).is_running()


def test_a_usual_clip_is_taken(ann: Visitor) -> None:
    clip = Path(__file__).parents[2] / "assets" / "samples" / "street.mp4"
    path = ann.upload(clip.read_bytes(), "street.mp4")
    assert ann.trigger("run/predict", ann.event("prompt-file", "upload"), [as_file(path)], "", None).status_code == 200
    said = ann.call("add_to_queue", "", [{"text": "", "inputs": {"video": "street.mp4"}}], "control-preview", {}, {"edge": 1.0})
    assert said["complete"][0]["queued"] == 1
