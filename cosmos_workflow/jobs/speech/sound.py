"""Sounds of pieces read, measured and written, a piece at a time: memory doesn't grow with the book.

Samples are float32 of shape (frames, channels), full scale is 1. numpy, soundfile and PyAV are imported where they are
used, so that importing this module costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.jobs.speech.meter import LoudnessMeter, TruePeakMeter
from cosmos_workflow.media import resampled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
FADE = 0.03
"""Seconds over which a sound that is cut is let out."""
MAX_WAV_BYTES = 4_000_000_000
_PART = 4096


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
    """How loud a sound is, block by block. The RMS is that of what isn't digital silence."""
    import numpy as np

    meter, between = LoudnessMeter(shape.rate, shape.channels), TruePeakMeter()
    squares, count, peak = 0.0, 0, 0.0
    for block in blocks:
        meter.push(block)
        flat = block.reshape(-1)
        # Summed in parts, so that nothing is lost of small values beside a large sum.
        squares += sum(float(np.dot(part, part)) for part in np.split(flat, range(_PART, len(flat), _PART)))
        count += shape.channels * int(np.count_nonzero(block.any(axis=1) if shape.channels > 1 else flat))
        peak = max(peak, float(flat.max(initial=0.0)), -float(flat.min(initial=0.0)))
        between.push(block)
    rms = 10 * math.log10(squares / count) if squares else -math.inf
    return Levels(meter.close(), rms, peak, max(peak, between.close()))


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
