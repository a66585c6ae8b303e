"""Sizes and lengths: which clips can be used, and what the model makes of a clip's. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from cosmos_workflow.engines.video import Clips
from cosmos_workflow.errors import InputError

SIDE_MULTIPLE = 16
"""Sides must be multiples of this: the VAE shrinks by 8, the transformer takes patches of 2 x 2 (the pipeline's check)."""

MODEL_PIXELS = 1280 * 720
"""The model was made for 720p; larger clips are scaled down to as many pixels, smaller ones keep their size."""

MODEL_CHUNK_FRAMES = 93
"""Frames that the model makes at a time."""

FRAMES_PER_LATENT = 4
"""The VAE makes one latent frame of 4, and one of the first alone: a chunk has 4n + 1 frames."""

MAX_FRAMES = 1440
"""A minute at 24 frames a second: the pipeline keeps controls and result in memory, 8 to 16 GB each at this length in 720p."""

CLIPS = Clips("cosmos-transfer", min_side=SIDE_MULTIPLE, max_side=8192)


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture is brought to the model's size: scaled to `scaled`, then cut evenly to `size`; each (width, height)."""

    source: tuple[int, int]
    scaled: tuple[int, int]
    size: tuple[int, int]

    def __str__(self) -> str:
        """What is done, as a sentence; empty where nothing is."""
        parts = []
        if self.scaled != self.source:
            parts.append(f"scaled from {_words(self.source)} to {_words(self.scaled)} (the model was made for 720p)")
        if self.size != self.scaled:
            parts.append(f"cut from {_words(self.scaled)} to {_words(self.size)} (sides must be multiples of {SIDE_MULTIPLE})")
        return f"The clip was {' and '.join(parts)}." if parts else ""


def fit_clip(width: int, height: int, max_side: int) -> Fit:
    """The size in which the model makes a clip; each side of the clip must have at least `SIDE_MULTIPLE` pixels."""
    shrink = max(1.0, math.sqrt(width * height / MODEL_PIXELS), width / max_side, height / max_side)
    scaled = (max(SIDE_MULTIPLE, round(width / shrink)), max(SIDE_MULTIPLE, round(height / shrink)))
    cut = (scaled[0] - scaled[0] % SIDE_MULTIPLE, scaled[1] - scaled[1] % SIDE_MULTIPLE)
    return Fit((width, height), scaled, cut)


def chunk_frames(positions: int) -> int:
    """Frames of a chunk, for a transformer with `positions` in time: 4n + 1, at most `MODEL_CHUNK_FRAMES`."""
    most = min(MODEL_CHUNK_FRAMES, positions)
    return most - (most - 1) % FRAMES_PER_LATENT


def count_chunks(frames: int, chunk: int) -> int:
    """How many chunks a clip takes: each starts with the last frame of the one before."""
    return max(1, math.ceil((frames - 1) / (chunk - 1)))


def check_length(path: Path, frames: int) -> None:
    """Raise InputError where a clip makes more than `MAX_FRAMES` frames."""
    if frames > MAX_FRAMES:
        raise InputError(
            f"cosmos-transfer: {path.name} makes {frames:,} frames or more, and {MAX_FRAMES:,} is the most; "
            "use a shorter clip or a lower fps."
        )


def _words(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
