"""Sounds of pieces read, measured and written, a piece at a time: memory doesn't grow with the book.

Samples are float32 of shape (frames, channels), full scale is 1. numpy, soundfile and PyAV are imported where they are
used, so that importing this module costs nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.media import resampled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
SILENT = -70.0
"""LUFS below which BS.1770 gates everything away: there was nothing to measure."""
FADE = 0.03
"""Seconds over which a sound that is cut is let out."""
MAX_WAV_BYTES = 4_000_000_000
_PEAK_RATE = 4
_PEAK_NEAR = 0.7
"""Share of the highest peak below which no samples are looked between: a peak between two is at most 3 dB higher than both."""
_PEAK_WINDOW = 1024
_PEAK_KEPT = 1000
"""Windows that are kept, to be looked at once it is known how high the peak is."""
_PART = 4096
_PEAK_REACH = 12
"""Samples on each side that a value between depends on."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sample rate in hertz and number of channels."""

    rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class Levels:
    """How loud a sound is: integrated loudness in LUFS (BS.1770-4), RMS in dBFS, sample and true peak as fractions of 1.

    `loudness` is None for a sound that is too short (0.4 s) or too quiet to be measured.
    """

    loudness: float | None
    rms: float
    peak: float
    true_peak: float


def layout_of(shape: Shape) -> str:
    """FFmpeg's name for so many channels."""
    return {1: "mono", 2: "stereo"}.get(shape.channels, f"{shape.channels}c")


def common_shape(paths: Iterable[Path], format: str) -> Shape:
    """The shape that loses nothing of these files, and that the format can hold; raises InputError for what isn't a sound."""
    shapes = [probe(path) for path in paths]
    rate = max(shape.rate for shape in shapes)
    if format == "mp3":
        rate = next((known for known in MP3_RATES if known >= rate), MP3_RATES[-1])
    return Shape(rate, max(shape.channels for shape in shapes))


def probe(path: Path) -> Shape:
    """What a file holds; raises InputError for one that isn't there or isn't a sound."""
    import soundfile

    try:
        info = soundfile.info(str(path))
    except (OSError, soundfile.SoundFileError) as error:
        raise InputError(f"{path.name} isn't a sound that can be read; make this piece again.") from error
    return Shape(info.samplerate, info.channels)


def read(path: Path, shape: Shape) -> Samples:
    """All samples of a piece in another shape: resampled, one channel copied to all."""
    import numpy as np
    import soundfile

    try:
        read, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise InputError(f"{path.name} isn't a sound that can be read; make this piece again.") from error
    samples = cast("Samples", read)
    if rate != shape.rate:
        samples = resampled(samples, rate, shape.rate)
    if samples.shape[1] < shape.channels:
        samples = np.repeat(samples[:, :1], shape.channels, axis=1)
    return samples


def silence(seconds: float, shape: Shape) -> Samples:
    """A pause."""
    import numpy as np

    return np.zeros((round(seconds * shape.rate), shape.channels), dtype=np.float32)


def measure(blocks: Iterable[Samples], shape: Shape) -> Levels:
    """How loud a sound is, by FFmpeg's meter, block by block. The RMS is that of what isn't digital silence."""
    import numpy as np

    meter, between = _Meter(shape), _TruePeak()
    squares, count, peak = 0.0, 0, 0.0
    for block in blocks:
        meter.push(block)
        flat = block.reshape(-1)
        # Summed in parts, so that nothing is lost of small values beside a large sum.
        squares += sum(float(np.dot(part, part)) for part in np.split(flat, range(_PART, len(flat), _PART)))
        count += shape.channels * int(np.count_nonzero(block.any(axis=1) if shape.channels > 1 else flat))
        peak = max(peak, float(flat.max(initial=0.0)), -float(flat.min(initial=0.0)))
        between.push(block)
    loudness = meter.close()
    rms = 10 * math.log10(squares / count) if squares else -math.inf
    return Levels(loudness if loudness > SILENT else None, rms, peak, max(peak, between.close()))


def write(path: Path, blocks: Iterable[Samples], shape: Shape, format: str) -> int:
    """Write blocks as 16-bit WAV or FLAC, or as MP3; returns the number of frames. Left by an exception, the file is deleted.

    Raises UnavailableError where it can't be written, InputError where a WAV would pass its 4 GB.
    """
    import soundfile

    frames = 0
    subtype = "MPEG_LAYER_III" if format == "mp3" else "PCM_16"
    try:
        with soundfile.SoundFile(
            str(path), "w", samplerate=shape.rate, channels=shape.channels, format=format.upper(), subtype=subtype
        ) as file:
            for block in blocks:
                file.write(block)
                frames += len(block)
                if format == "wav" and frames * shape.channels * 2 > MAX_WAV_BYTES:
                    raise InputError("The sound is longer than a WAV can hold (4 GB); set audio: {format: flac} in the job.")
    except soundfile.SoundFileError as error:
        path.unlink(missing_ok=True)
        raise UnavailableError(f"{path.name} can't be written ({error}); check the free space of the disk.") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return frames


class _TruePeak:
    """The peak between the samples, at four times their rate (BS.1770-4, annex 2).

    Only where the samples come near the highest peak so far: FFmpeg's meter, which looks everywhere, takes five times as long for
    it as for the loudness.
    """

    def __init__(self) -> None:
        import numpy as np

        taps = np.arange(-_PEAK_REACH, _PEAK_REACH + 1)
        self.value = 0.0
        self._kept: list[tuple[float, Samples]] = []
        self._between: list[Any] = []
        for share in range(1, _PEAK_RATE):  # the way to the next sample: a sinc in a Kaiser window
            places = taps + share / _PEAK_RATE
            window = np.i0(6.0 * np.sqrt(np.maximum(1 - (places / (_PEAK_REACH + 1)) ** 2, 0.0))) / np.i0(6.0)
            self._between.append((np.sinc(places) * window).astype(np.float32))

    def push(self, block: Samples) -> None:
        import numpy as np

        windows = np.arange(0, len(block), _PEAK_WINDOW)
        if not len(windows):
            return
        sizes = np.abs(block[:, 0]) if block.shape[1] == 1 else np.abs(block).max(axis=1)
        peaks = np.maximum.reduceat(sizes, windows)
        self.value = max(self.value, float(peaks.max()))
        near = np.flatnonzero(peaks >= max(self.value * _PEAK_NEAR, 1e-9))
        padded = np.pad(block, ((_PEAK_REACH, _PEAK_REACH), (0, 0))) if len(near) else block
        for window in near:
            start = int(windows[window])
            part = padded[start : start + _PEAK_WINDOW + 2 * _PEAK_REACH].copy()  # not a view, which would keep all of the block
            self._kept.append((float(peaks[window]), part))
        if len(self._kept) > _PEAK_KEPT:
            self._look()

    def close(self) -> float:
        """The peak, once all was pushed."""
        self._look()
        return self.value

    def _look(self) -> None:
        """At what was kept, the loudest first; what can't be higher by then is let go."""
        import numpy as np

        kept, self._kept = sorted(self._kept, key=lambda one: one[0], reverse=True), []
        for peak, part in kept:
            if peak < self.value * _PEAK_NEAR:
                return
            for channel in part.T:
                for weights in self._between:
                    self.value = max(self.value, float(np.abs(np.convolve(channel, weights, "valid")).max()))


class _Meter:
    """FFmpeg's ebur128 filter."""

    def __init__(self, shape: Shape) -> None:
        from av.filter import Graph

        self._layout = layout_of(shape)
        self._shape = shape
        self._graph: Any = Graph()
        self._source = self._graph.add_abuffer(
            sample_rate=shape.rate, format="flt", layout=self._layout, time_base=f"1/{shape.rate}"
        )
        filter_ = self._graph.add("ebur128", "metadata=1:framelog=quiet")
        sink = self._graph.add("abuffersink")
        self._source.link_to(filter_)
        filter_.link_to(sink)
        self._graph.configure()
        self._frames = 0
        self._last: deque[Any] = deque(maxlen=4)  # the very last one may be too short to say anything

    def push(self, block: Samples) -> None:
        import av

        for start in range(0, len(block), self._shape.rate):
            part = block[start : start + self._shape.rate]
            frame = av.AudioFrame.from_ndarray(part.reshape(1, -1), format="flt", layout=self._layout)
            frame.sample_rate = self._shape.rate
            frame.pts = self._frames
            self._frames += len(part)
            self._source.push(frame)
            self._drain()

    def close(self) -> float:
        self._source.push(None)
        self._drain()
        told = (frame.metadata.get("lavfi.r128.I") for frame in reversed(self._last))
        return float(next((value for value in told if value is not None), SILENT))

    def _drain(self) -> None:
        from av.error import BlockingIOError as NothingYet
        from av.error import EOFError as Finished

        while True:
            try:
                self._last.append(self._graph.pull())
            except (NothingYet, Finished):
                return


def _faded(samples: Samples, shape: Shape) -> Samples:
    """The sound with its end let out, so that a cut makes no click."""
    import numpy as np

    size = min(round(FADE * shape.rate), len(samples))
    faded = samples.copy()
    faded[len(samples) - size :] *= np.linspace(1, 0, size, dtype=np.float32)[:, None]
    return faded


def joined(
    paths: Sequence[Path],
    pauses: Sequence[float],
    shape: Shape,
    gains: Sequence[float] = (),
    spans: list[tuple[int, int]] | None = None,
    ends: Sequence[float | None] = (),
) -> Iterator[Samples]:
    """The pieces one after another, with the pause behind each; each times its gain, 1 where none is given.

    `spans` gets each piece's first frame and the one behind its last. `ends` has the second at which each is cut, None for whole.
    """
    at = 0
    whole = [None] * len(paths)
    for path, pause, gain, end in zip(paths, pauses, gains or [1.0] * len(paths), ends or whole, strict=True):
        samples = read(path, shape)
        if end is not None:
            samples = _faded(samples[: round(end * shape.rate)], shape)
        if spans is not None:
            spans.append((at, at + len(samples)))
        at += len(samples)
        yield samples * gain
        if pause:
            quiet = silence(pause, shape)
            at += len(quiet)
            yield quiet
