"""Which clips can be used."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from cosmos_workflow.engines.control_preview import LENGTH_TOLERANCE, given_controls
from cosmos_workflow.engines.cosmos_transfer.shapes import SIDE_MULTIPLE
from cosmos_workflow.errors import InputError
from cosmos_workflow.media import ClipInfo, probe_clip

MAX_FRAMES = 1440
"""A minute at 24 frames a second: the pipeline keeps controls and result in memory, 8 to 16 GB each at this length in 720p."""

MAX_SIDE = 8192


def check_clips(weights: Mapping[str, float], inputs: Mapping[str, Path], fps: int) -> None:
    """Raise InputError where the clip, or a given control clip that is used, can't be used."""
    clip = usable_clip(inputs["video"])
    if (frames := output_frames(clip, fps)) > MAX_FRAMES:
        raise too_long(inputs["video"], frames)
    for name in given_controls(weights, inputs):
        control = usable_clip(inputs[name])
        if abs(control.seconds - clip.seconds) > LENGTH_TOLERANCE:
            raise InputError(
                f"cosmos-transfer: the {name} clip {inputs[name].name} lasts {control.seconds:.2f} s and the clip "
                f"{clip.seconds:.2f} s; use one that is as long as the clip."
            )


def usable_clip(path: Path) -> ClipInfo:
    """What a clip is; raises InputError where it isn't one, or is too small or too large."""
    try:
        stat = path.stat()
    except OSError as error:
        raise InputError(f"cosmos-transfer: {path.name} isn't there; choose the file again.") from error
    return _usable_clip(path, (stat.st_mtime_ns, stat.st_size))


def output_frames(clip: ClipInfo, fps: int) -> int:
    """How many frames a result has, going by the clip's header."""
    return max(1, round(clip.seconds * fps))


def too_long(path: Path, frames: int) -> InputError:
    """The sentence for a clip of more than `MAX_FRAMES` frames."""
    return InputError(
        f"cosmos-transfer: {path.name} makes {frames:,} frames or more, and {MAX_FRAMES:,} is the most; "
        "use a shorter clip or a lower fps."
    )


@lru_cache(maxsize=1024)
def _usable_clip(path: Path, version: tuple[int, int]) -> ClipInfo:  # noqa: ARG001 - part of the cache's key
    clip = probe_clip(path)
    if min(clip.width, clip.height) < SIDE_MULTIPLE or max(clip.width, clip.height) > MAX_SIDE:
        raise InputError(
            f"cosmos-transfer: {path.name} is {clip.width}x{clip.height} pixels; "
            f"each side must have {SIDE_MULTIPLE} to {MAX_SIDE}."
        )
    return clip
