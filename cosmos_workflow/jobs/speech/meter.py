"""Meters of ITU-R BS.1770: integrated loudness and true peak, fed block by block.

Samples are float32 of shape (frames, channels), full scale is 1.
"""

from __future__ import annotations

import math
from typing import Any

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from cosmos_workflow.media import layout_of

Samples = NDArray[np.float32]

_GATE = -70.0
"""LUFS below which a stretch counts as silence."""
_RELATIVE_GATE = -10.0
"""LU that a stretch may be below the loudness of the rest and still count."""
_OFFSET = -0.691
_STRETCH = 4
"""A stretch is 400 ms, and one begins every 100."""
_PEAK_RATE = 4
_PEAK_NEAR = 0.7
"""Share of the highest peak below which no samples are looked between: a peak between two is at most 3 dB higher than both."""
_PEAK_WINDOW = 1024
_PEAK_REACH = 12
"""Samples on each side that a value between depends on."""


class LoudnessMeter:
    """Integrated loudness of BS.1770-4, in LUFS; each channel counts alike, as in mono and stereo.

    FFmpeg's biquads weight the samples; its own meter tells a line of figures every 100 ms, which takes twice as long.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._rate, self._layout = rate, layout_of(channels)
        self._hop = round(rate / 10)
        self._graph: Any = Graph()
        source = self._graph.add_abuffer(sample_rate=rate, format="fltp", layout=self._layout, time_base=f"1/{rate}")
        names = ("b0", "b1", "b2", "a0", "a1", "a2")
        written = [dict(zip(names, map(repr, weights), strict=True)) for weights in _weighting(rate)]
        # Small poles near 1 (38 Hz at 48 kHz) need double precision.
        filters = [self._graph.add("biquad", precision="f64", **weights) for weights in written]
        self._graph.link_nodes(source, *filters, self._graph.add("abuffersink")).configure()
        self._frames = 0
        self._rest: NDArray[Any] = np.zeros((channels, 0))
        self._energies: list[NDArray[Any]] = []

    def push(self, block: Samples) -> None:
        """The next frames."""
        if not len(block):
            return
        planes = np.ascontiguousarray(block.T, dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=self._layout)
        frame.sample_rate, frame.pts = self._rate, self._frames
        self._frames += len(block)
        self._graph.push(frame)
        weighted = np.concatenate([self._rest, self._graph.pull().to_ndarray()], axis=1)
        whole = weighted.shape[1] // self._hop * self._hop
        hops = weighted[:, :whole].reshape(len(weighted), -1, self._hop)
        self._energies.append(np.einsum("ijk,ijk->j", hops, hops, dtype=np.float64))
        self._rest = weighted[:, whole:].copy()

    def close(self) -> float | None:
        """The loudness of all that was pushed; None where it is shorter than 400 ms, or silent."""
        hops = np.concatenate([*self._energies, np.zeros(0)])
        if len(hops) < _STRETCH:
            return None
        stretches = np.convolve(hops, np.ones(_STRETCH), "valid") / (_STRETCH * self._hop)
        loud = stretches[stretches > 10 ** ((_GATE - _OFFSET) / 10)]
        if not len(loud):
            return None
        kept = loud[loud > loud.mean() * 10 ** (_RELATIVE_GATE / 10)]
        return _OFFSET + 10 * math.log10(kept.mean())


def _weighting(rate: int) -> list[tuple[float, ...]]:
    """BS.1770's K-weighting, a shelf for the head and a high-pass, as b0, b1, b2, a0, a1, a2 at any sample rate.

    The recommendation gives the coefficients at 48 kHz only; these are the analogue filters behind them.
    """
    k, q, high = math.tan(math.pi * 1681.974450955533 / rate), 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    shelf = (high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k, 1 + k / q + k * k)
    head = (*shelf, 2 * (k * k - 1), 1 - k / q + k * k)
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    scale = 1 + k / q + k * k  # its gain above isn't quite 1, as in the recommendation's own figures
    return [head, (scale, -2 * scale, scale, scale, 2 * (k * k - 1), 1 - k / q + k * k)]


class TruePeakMeter:
    """The peak between the samples, at four times their rate (BS.1770-4, annex 2); `value` is that of all that was pushed.

    Only where the samples come near the highest peak so far: FFmpeg's meter, which looks everywhere, takes several times as long.
    """

    def __init__(self) -> None:
        taps = np.arange(-_PEAK_REACH, _PEAK_REACH + 1)
        self.value = 0.0
        self._between: list[Any] = []
        for share in range(1, _PEAK_RATE):  # the way to the next sample: a sinc in a Kaiser window
            places = taps + share / _PEAK_RATE
            window = np.i0(6.0 * np.sqrt(np.maximum(1 - (places / (_PEAK_REACH + 1)) ** 2, 0.0))) / np.i0(6.0)
            self._between.append((np.sinc(places) * window).astype(np.float32))

    def push(self, block: Samples) -> None:
        """The next frames."""
        if not len(block):
            return
        peaks = np.maximum.reduceat(np.abs(block).max(axis=1), np.arange(0, len(block), _PEAK_WINDOW))
        self.value = max(self.value, float(peaks.max()))
        padded = np.pad(block, ((_PEAK_REACH, _PEAK_REACH), (0, 0)))
        for window in np.argsort(-peaks):  # the loudest first: what can't be higher by then is left out
            if peaks[window] < max(self.value * _PEAK_NEAR, 1e-9):
                return
            start = window * _PEAK_WINDOW
            for channel in padded[start : start + _PEAK_WINDOW + 2 * _PEAK_REACH].T:
                for weights in self._between:
                    self.value = max(self.value, float(np.abs(np.convolve(channel, weights, "valid")).max()))
