"""A small clip that is a huge picture costs the app nothing."""

from __future__ import annotations

from pathlib import Path

import av
import psutil
import pytest
from page_support import Server
from visitors import Visitor, as_file

SIDE = 15_000
SMALL = b"\xff\xc0\x00\x11\x08\x00\x40\x00\x40"
"""How a JPEG says that it is 64 x 64."""


@pytest.fixture
def bomb(tmp_path: Path) -> bytes:
    """A clip of a few kilobytes whose pictures say that they are as wide and high as SIDE."""
    path = tmp_path / "bomb.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        frame = av.VideoFrame(64, 64, "yuvj420p")
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        for number in range(3):
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    assert SMALL in content
    return content.replace(SMALL, SMALL[:5] + SIDE.to_bytes(2, "big") * 2)


def test_a_clip_is_looked_at_outside_the_app(ann: Visitor, server: Server, bomb: bytes) -> None:
    status = Path(f"/proc/{server.process.pid}/status")

    def most_memory() -> int:
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))

    path = ann.upload(bomb, "bomb.mkv")
    assert ann.trigger("run/predict", ann.event("prompt-file", "upload"), as_file(path), "", None).status_code == 200
    ann.call("get_queue_display", "")
    before = most_memory()
    said = ann.call("add_to_queue", "", [{"text": "", "inputs": {"video": "bomb.mkv"}}], "control-preview", {}, {"edge": 1.0})
    assert "bomb" in str(said["error"]) or "mkv" in str(said["error"])
    assert most_memory() - before < 60_000
    assert psutil.Process(server.process.pid).is_running()


def test_a_usual_clip_is_taken(ann: Visitor) -> None:
    clip = Path(__file__).parents[2] / "assets" / "samples" / "street.mp4"
    path = ann.upload(clip.read_bytes(), "street.mp4")
    assert ann.trigger("run/predict", ann.event("prompt-file", "upload"), as_file(path), "", None).status_code == 200
    said = ann.call("add_to_queue", "", [{"text": "", "inputs": {"video": "street.mp4"}}], "control-preview", {}, {"edge": 1.0})
    assert said["complete"][0]["queued"] == 1
