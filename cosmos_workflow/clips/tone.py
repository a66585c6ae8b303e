"""High dynamic range brought to standard range, as a table of colours for FFmpeg's filter `lut3d`.

Transfer functions from ITU-R BT.2100-2, the curve that keeps highlights from BT.2390-11 (5.4.1), the matrix from BT.2087-0.
"""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Transfer = Literal["PQ", "HLG"]

WHITE = 203.0
"""Nits of white paper in HDR (BT.2408-7), which becomes the white of SDR."""
PEAK = 1000.0
"""Nits up to which highlights are told apart; HLG's own, and what most PQ is graded for."""

_GRID = 33
_SDR_GAMMA = 2.4
_TO_709 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073


def to_sdr(signal: Values, transfer: Transfer, *, wide: bool = True) -> Values:
    """R'G'B' of 0 to 1 in HDR, of shape (..., 3), as R'G'B' of 0 to 1 in BT.709. `wide` says that the primaries are BT.2020's.

    What is darker than about 90 nits keeps its brightness; above, the curve flattens up to `PEAK`, and ends there.
    """
    nits = _pq_nits(signal) if transfer == "PQ" else _hlg_nits(signal)
    if wide:
        nits = np.maximum(nits @ np.array(_TO_709).T, 0.0)
    return cast("Values", np.clip(_rolled_off(nits) / WHITE, 0.0, 1.0) ** (1 / _SDR_GAMMA))


def cube(transfer: Transfer, *, wide: bool) -> str:
    """The table as the text of a .cube file."""
    steps = np.linspace(0.0, 1.0, _GRID)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    table = to_sdr(np.stack([red, green, blue], axis=-1).reshape(-1, 3), transfer, wide=wide)
    return "\n".join([f"LUT_3D_SIZE {_GRID}", *(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in table), ""])


def _pq_nits(signal: Values) -> Values:
    root = np.asarray(signal) ** (1 / _M2)
    return cast("Values", 10_000 * (np.maximum(root - _C1, 0.0) / (_C2 - _C3 * root)) ** (1 / _M1))


def _pq_signal(nits: Values | float) -> Values:
    power = (np.asarray(nits) / 10_000) ** _M1
    return cast("Values", ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


def _hlg_nits(signal: Values) -> Values:
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - _C) / _A) + _B) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    return cast("Values", PEAK * scene * luminance[..., None] ** 0.2)  # the system gamma of 1.2 at 1000 nits


def _rolled_off(nits: Values) -> Values:
    peak = float(_pq_signal(PEAK))
    place = np.clip(_pq_signal(nits) / peak, 0.0, 1.0)
    most = float(_pq_signal(WHITE)) / peak
    knee = 1.5 * most - 0.5
    t = np.clip((place - knee) / (1 - knee), 0.0, 1.0)
    hermite = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * most
    return _pq_nits(np.where(place < knee, place, hermite) * peak)
