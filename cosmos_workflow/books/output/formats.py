"""What a book can be written as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

BookFormat = Literal["m4b", "mp3", "opus", "flac", "wav", "epub"]

STORE_RATE = 44_100
"""Hertz at which stores want an MP3, at 192 kbit/s then."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format as libav has it. `rates` are those it can hold, in hertz; empty for any. `options` are the container's,
    `coder` the encoder's."""

    container: str
    codec: str
    rates: tuple[int, ...] = ()
    bit_rate: int = 0
    options: Mapping[str, str] = field(default_factory=dict)
    coder: Mapping[str, str] = field(default_factory=dict)
    lossless: bool = False

    def rate(self, wanted: int) -> int:
        """The nearest rate that loses nothing of `wanted`."""
        return next((rate for rate in self.rates if rate >= wanted), self.rates[-1]) if self.rates else wanted


_MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

FORMATS: Mapping[str, Format] = {
    # The brand says "audiobook" to Apple's players, which keep the place then.
    # The fast coder is nearer to the original on speech than the other one, by 2 dB at 64 kbit/s, and takes half the time.
    "m4b": Format("mp4", "aac", _MPEG_RATES, 64_000, {"movflags": "+faststart", "brand": "M4B "}, {"aac_coder": "fast"}),
    "mp3": Format("mp3", "libmp3lame", _MPEG_RATES, 64_000),
    "opus": Format("ogg", "libopus", (8000, 12000, 16000, 24000, 48000), 32_000, coder={"application": "audio"}),
    "flac": Format("flac", "flac", lossless=True),
    "wav": Format("wav", "pcm_s16le", options={"rf64": "auto"}, lossless=True),
}


def sound_format(format: BookFormat) -> str:
    """The format of a book's sound: that of an EPUB is what an M4B has."""
    return "m4b" if format == "epub" else format


def bit_rate(name: str, rate: int) -> int:
    """Bits a second of a mono voice: twice as much above 24 kHz, and what stores ask of an MP3 at their rate."""
    if name == "mp3" and rate == STORE_RATE:
        return 192_000
    return FORMATS[name].bit_rate * (2 if rate > 24_000 else 1)
