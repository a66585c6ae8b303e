"""Clips as somebody sent them, read as a player shows them: upright, with square pixels, in SDR, whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What a clip is: the largest `width` and `height` in pixels as shown, and `seconds` and `frames` as measured.

    `notes` are sentences that whoever uses the clip should know.
    """

    width: int
    height: int
    fps: float
    seconds: float
    frames: int
    codec: str
    has_sound: bool
    notes: tuple[str, ...] = ()
