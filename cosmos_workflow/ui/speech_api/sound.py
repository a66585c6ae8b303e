"""Sounds joined and encoded for whoever asked, as a whole or while they are made."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cosmos_workflow.media import read_sound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """How a sound is sent: its media type, PyAV's names for container and codec, samples a second, bits a second, and what its
    encoder is told, so that a sentence is encoded in less than half of the time that it takes by itself."""

    media_type: str
    container: str
    codec: str
    rate: int = 24_000
    bit_rate: int = 0
    options: Mapping[str, str] = field(default_factory=dict)


FORMATS = {
    "mp3": SoundFormat("audio/mpeg", "mp3", "libmp3lame", bit_rate=64_000, options={"compression_level": "7"}),
    "opus": SoundFormat("audio/ogg", "ogg", "libopus", 48_000, 48_000, {"compression_level": "5"}),
    "aac": SoundFormat("audio/aac", "adts", "aac", bit_rate=64_000, options={"aac_coder": "fast"}),
    "flac": SoundFormat("audio/flac", "flac", "flac"),
    "wav": SoundFormat("audio/wav", "wav", "pcm_s16le"),
    "pcm": SoundFormat("audio/pcm", "s16le", "pcm_s16le"),
}
"""By the names of OpenAI's `response_format`; `pcm` is 24 kHz, mono, 16 bits, little-endian, as there."""


class Pipe:
    """Takes what is written and gives it out once; nothing can be written twice, so headers that hold a length say "unknown"."""

    def __init__(self) -> None:
        self._content = bytearray()

    def write(self, content: bytes) -> int:
        """For the encoder."""
        self._content += content
        return len(content)

    def take(self) -> bytes:
        """What was written since the last time."""
        content = bytes(self._content)
        self._content.clear()
        return content


class SoundEncoder:
    """Encodes sounds one behind the other into a file; what goes into a `Pipe` may be sent at once."""

    def __init__(self, file: Pipe | BinaryIO, format: SoundFormat) -> None:
        import av

        self._rate = format.rate
        self._container: Any = av.open(file, "w", format=format.container)
        self._stream: Any = self._container.add_stream(format.codec, rate=format.rate, options=dict(format.options))
        self._stream.layout = "mono"
        if format.bit_rate:
            self._stream.bit_rate = format.bit_rate

    def add(self, path: Path, silence: float) -> None:
        """A sound and the seconds of silence behind it; raises InputError where it can't be read."""
        import numpy as np

        for block in read_sound(path, self._rate):
            self._container.mux(self._stream.encode(_frame(block, self._rate)))
        if silence:
            quiet = np.zeros(round(silence * self._rate), np.int16)
            self._container.mux(self._stream.encode(_frame(quiet, self._rate)))

    def end(self) -> None:
        """Write what is left."""
        self._container.mux(self._stream.encode(None))
        self._container.close()


def encode_whole(sounds: Iterable[tuple[Path, float]], format: SoundFormat) -> bytes:
    """Sounds, each with the seconds of silence behind it, as one file whose header says how long it is."""
    file = io.BytesIO()
    encoder = SoundEncoder(file, format)
    for path, silence in sounds:
        encoder.add(path, silence)
    encoder.end()
    return file.getvalue()


def _frame(block: NDArray[np.int16], rate: int) -> Any:
    import av

    frame = av.AudioFrame.from_ndarray(block[None, :], format="s16", layout="mono")
    frame.sample_rate = rate
    return frame
