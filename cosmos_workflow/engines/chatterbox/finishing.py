"""What is done to a waveform before it is watermarked: noise behind it cut off, the speed; and how many at once."""

from __future__ import annotations

import os
from contextlib import suppress
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Wave = NDArray[Any]
    """Samples of one channel, float32, full scale 1."""

WINDOW = 0.02
"""Seconds of which the loudness is taken."""

QUIET = 0.01
"""What is 40 dB below the loud windows of a waveform is no speech."""

REST = 0.1
"""Seconds that stay behind the end of speech; they fade out."""

GAP, BURST = 0.25, 0.12
"""A sound of at most `BURST` seconds after at least `GAP` seconds of quiet, at the very end, is a click: a word's last plosive
comes sooner."""


MOST_THREADS = 8


def finishing_threads(device: torch.device) -> int:
    """How many waveforms are finished and watermarked at once, on the processor's cores.

    A core watermarks 64 to 76 times as fast as real time, which a GPU speaks faster than; without one the models themselves need
    the cores.
    """
    return max(1, min(MOST_THREADS, os.cpu_count() or 1)) if device.type == "cuda" else 1


def without_tail(wave: Wave, rate: int) -> Wave:
    """A waveform that ends `REST` seconds after its speech; as it is where it is silent or speaks to its end."""
    import numpy as np

    size = round(rate * WINDOW)
    windows = len(wave) // size
    if not windows:
        return wave
    loudness = np.sqrt(np.square(wave[: windows * size].reshape(windows, size)).mean(axis=1))
    heard = np.flatnonzero(loudness > QUIET * np.quantile(loudness, 0.95))
    if not len(heard):
        return wave
    # Where a stretch that is heard begins after a gap.
    begins = [place for place in range(1, len(heard)) if (heard[place] - heard[place - 1] - 1) * WINDOW >= GAP]
    if begins and (len(heard) - begins[-1]) * WINDOW <= BURST:
        heard = heard[: begins[-1]]
    end = (int(heard[-1]) + 1) * size
    rest = round(rate * REST)
    if end + rest >= len(wave):
        return wave
    kept = wave[: end + rest].copy()
    kept[end:] *= np.linspace(1, 0, rest, dtype=kept.dtype)
    return kept


def at_speed(wave: Wave, rate: int, speed: float) -> Wave:
    """A waveform said `speed` times as fast, from 0.5 to 2, at the same pitch: FFmpeg's atempo."""
    if speed == 1 or not len(wave):
        return wave
    import numpy as np
    from av import AudioFrame
    from av.error import BlockingIOError as NothingYet
    from av.error import EOFError as Ended
    from av.filter import Graph

    graph = Graph()
    source: Any = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono", time_base=Fraction(1, rate))
    tempo: Any = graph.add("atempo", f"{speed}")
    sink: Any = graph.add("abuffersink")
    source.link_to(tempo)
    tempo.link_to(sink)
    graph.configure()
    frame = AudioFrame.from_ndarray(wave[None].astype("float32"), format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    source.push(frame)
    source.push(None)
    pieces: list[Wave] = []
    with suppress(NothingYet, Ended):
        while True:
            pieces.append(sink.pull().to_ndarray()[0])
    return np.concatenate(pieces)
