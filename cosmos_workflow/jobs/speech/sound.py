"""Sounds of pieces read and measured, a piece at a time: memory doesn't grow with the book.

Samples are float32 of shape (frames, channels), full scale is 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import soundfile

from cosmos_workflow.books.output.formats import FORMATS
from cosmos_workflow.jobs.speech.meter import LoudnessMeter, Samples, TruePeakMeter
from cosmos_workflow.media import resampled, sound_errors

_PART = 4096
_ADVICE = "make this piece again"


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
    return Shape(FORMATS[format].rate(rate), max(shape.channels for shape in shapes))


def probe(path: Path) -> Shape:
    """What a file holds; raises InputError for one that isn't there or isn't a sound."""
    with sound_errors(path, _ADVICE):
        info = soundfile.info(str(path))
    return Shape(info.samplerate, info.channels)


def read(path: Path, shape: Shape) -> Samples:
    """All samples of a piece in another shape: resampled, one channel copied to all."""
    with sound_errors(path, _ADVICE):
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    samples = resampled(cast("Samples", samples), rate, shape.rate)
    if samples.shape[1] < shape.channels:
        samples = np.repeat(samples[:, :1], shape.channels, axis=1)
    return samples


def measure(blocks: Iterable[Samples], shape: Shape) -> Levels:
    """How loud a sound is, block by block. The RMS is that of what isn't digital silence."""
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
    return Levels(meter.close(), rms, peak, max(peak, between.value))
