"""Where one word ends and the next begins: a recogniser tells it within a few tenths of a second, the sound more exactly."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from cosmos_workflow.checking.sound import Sound, levels, threshold

_FRAME = 0.01
_REACH = 0.25
"""Seconds around a border in which the quietest place is looked for, never beyond the middle of either word."""

Aligned = tuple[int, int, float, float]


def settled(aligned: Sequence[Aligned], sound: Sound, rate: int) -> tuple[Aligned, ...]:
    """Words with each border between two moved to the quietest place nearby; where that is silence, it belongs to neither."""
    level = levels(sound, rate, _FRAME)
    if len(level) < 3:
        return tuple(aligned)
    quiet = level < threshold(level)
    smooth = np.convolve(level, np.ones(3) / 3, "same")
    words = [list(word) for word in aligned]
    for before, after in itertools.pairwise(words):
        border = (before[3] + after[2]) / 2
        low = max(border - _REACH, (before[2] + before[3]) / 2)
        high = min(border + _REACH, (after[2] + after[3]) / 2, len(level) * _FRAME)
        first, last = round(low / _FRAME), round(high / _FRAME)
        if last - first < 2:
            continue
        left = right = first + int(np.argmin(smooth[first:last]))
        while quiet[left] and left > first and quiet[left - 1]:
            left -= 1
        while quiet[right] and right < last - 1 and quiet[right + 1]:
            right += 1
        before[3] = round(left * _FRAME, 3)
        after[2] = round((right + 1 if quiet[right] else right) * _FRAME, 3)
    return tuple((int(first), int(last), float(start), float(max(start, end))) for first, last, start, end in words)
