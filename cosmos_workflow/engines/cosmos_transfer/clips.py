"""Which clips can be used."""

from __future__ import annotations

from pathlib import Path

from cosmos_workflow.engines.cosmos_transfer.shapes import SIDE_MULTIPLE
from cosmos_workflow.engines.video import Clips
from cosmos_workflow.errors import InputError

MAX_FRAMES = 1440
"""A minute at 24 frames a second: the pipeline keeps controls and result in memory, 8 to 16 GB each at this length in 720p."""

CLIPS = Clips("cosmos-transfer", min_side=SIDE_MULTIPLE, max_side=8192)


def check_length(path: Path, frames: int) -> None:
    """Raise InputError where a clip makes more than `MAX_FRAMES` frames."""
    if frames > MAX_FRAMES:
        raise InputError(
            f"cosmos-transfer: {path.name} makes {frames:,} frames or more, and {MAX_FRAMES:,} is the most; "
            "use a shorter clip or a lower fps."
        )
