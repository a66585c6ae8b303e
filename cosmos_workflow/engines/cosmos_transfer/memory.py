"""Where the model's parts go, and what says that they don't fit. Pure."""

from __future__ import annotations

from typing import Literal

Placement = Literal["whole", "parts", "layers"]
"""whole: everything on the device. parts: the part that works is on the GPU, the others wait in the machine's memory.
layers: likewise, layer by layer; the slowest, for the smallest GPUs."""

RESERVE = 8_000_000_000
"""Bytes kept for what one item needs beside the weights. An estimate for 93 frames of 720p: 84,480 tokens of 2,048 values and
the four times as wide layer between, and the VAE's pictures of 96 channels. Not measured."""


def place(free: int, parts: list[int]) -> Placement | None:
    """Where a model of these `parts` (bytes each) goes on a GPU with `free` bytes; None where it can't."""
    if sum(parts) + RESERVE <= free:
        return "whole"
    if max(parts) + RESERVE <= free:
        return "parts"
    return "layers" if free >= RESERVE else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device, or the machine, has no memory left."""
    out = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return out or "can't allocate memory" in str(error)
