"""Keys and values of every row of a batch, in one block of memory a layer that grows in steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

GROWTH = 128
"""Positions by which a full cache grows; copying them is cheap against filling them."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a backbone caches: `layers` blocks of `heads` x `head_dim` a position, for keys and again for values."""

    layers: int
    heads: int
    head_dim: int
    dtype: torch.dtype
    device: torch.device

    @property
    def bytes_a_position(self) -> int:
        return 2 * self.layers * self.heads * self.head_dim * self.dtype.itemsize


class KeyValueCache:
    """Rows of keys and values; row r is valid up to its own length, which the caller keeps.

    `blocks[layer]` has the shape [rows, positions, 2, heads, head_dim], keys before values; positions come in steps of `growth`.
    A cache that never grows (`growth` 0) is one block of memory.
    """

    def __init__(self, shape: Shape, rows: int, positions: int, growth: int = GROWTH) -> None:
        self.shape = shape
        self.rows = rows
        self._growth = growth
        self.positions = rounded(positions, growth) if growth else positions
        size = (rows, self.positions, 2, shape.heads, shape.head_dim)
        if growth:
            self.blocks = [torch.zeros(size, dtype=shape.dtype, device=shape.device) for _ in range(shape.layers)]
        else:
            self.blocks = list(torch.zeros(shape.layers, *size, dtype=shape.dtype, device=shape.device).unbind())

    def reserve(self, positions: int) -> None:
        """Make room for `positions` in every row, keeping what is there; one layer at a time, to need little beside it."""
        if positions > self.positions:
            self.positions = rounded(positions, self._growth)
            self._enlarge()

    def reserve_rows(self, rows: int) -> None:
        """Make room for `rows` rows, keeping what is there."""
        if rows > self.rows:
            self.rows = rows
            self._enlarge()

    def _enlarge(self) -> None:
        for layer, block in enumerate(self.blocks):
            larger = block.new_zeros(self.rows, self.positions, *block.shape[2:])
            larger[: block.shape[0], : block.shape[1]] = block
            self.blocks[layer] = larger

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` positions of a row into another."""
        self.put([target], [[block[source, :length] for block in self.blocks]])

    def put(self, rows: Sequence[int], beginnings: Sequence[Sequence[Tensor]]) -> None:
        """Copy into each row what it begins with: of every layer [positions, 2, heads, head_dim]. All in one operation."""
        pairs = [
            (block[row, : len(part)], part)
            for row, parts in zip(rows, beginnings, strict=True)
            for block, part in zip(self.blocks, parts, strict=True)
        ]
        places, parts = [place for place, _ in pairs], [part for _, part in pairs]
        torch._foreach_copy_(places, parts)  # pyright: ignore[reportPrivateImportUsage]


def rounded(positions: float, step: int) -> int:
    """The next multiple of `step`."""
    return int(-(-positions // step)) * step
