"""What tests of several folders use."""

from __future__ import annotations

import hashlib
import io
import subprocess
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest

Command = Callable[..., "subprocess.CompletedProcess[str]"]
"""What the fixture `command` of the command line's tests gives."""

DEADLINE = 120.0
"""Seconds for what takes one or two; on a busy machine many more."""


def digest(content: Path | bytes) -> str:
    """What large files are compared by: pytest takes hours to show where two of them differ."""
    return hashlib.sha256(content if isinstance(content, bytes) else content.read_bytes()).hexdigest()


@cache
def media_bytes(format: str = "wav", seconds: float = 0.2) -> bytes:
    """A small file as its format's own muxer writes it ("mov", "ipod" for an M4A, "matroska" ...): a tone, or a grey clip."""
    import av
    import numpy as np

    target = io.BytesIO()
    sounds = {"wav": "pcm_s16le", "flac": "flac", "ogg": "libopus", "mp3": "libmp3lame", "ipod": "aac"}
    with av.open(target, "w", format=format) as container:
        if format in sounds:
            stream: Any = container.add_stream(sounds[format], rate=48_000, layout="mono")
            tone = (8000 * np.sin(np.arange(round(48_000 * seconds)) / 20)).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(tone[None], "s16", "mono")
            frame.sample_rate = 48_000
            frames: list[Any] = []
            fifo = av.AudioFifo()
            fifo.write(frame)
            while (part := fifo.read(960, partial=True)) is not None:
                frames.append(part)
        else:
            stream = container.add_stream("libvpx" if format == "webm" else "mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            picture = np.full((48, 64, 3), 128, np.uint8)
            frames = [av.VideoFrame.from_ndarray(picture, format="rgb24") for _ in range(round(10 * seconds))]
        for made in (*frames, None):
            container.mux(stream.encode(made))
    return target.getvalue()


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait for something another process does; fails with `what` when it doesn't happen in time."""
    deadline = time.monotonic() + DEADLINE
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"never happened: {what}")
        pause.wait(0.02)


def marked_processes(name: str, mark: str) -> list[psutil.Process]:
    """The living processes whose environment has this mark, whoever their parent is."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(name) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
