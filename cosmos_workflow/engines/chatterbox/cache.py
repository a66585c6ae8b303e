"""Keys and values of every row of a batch, in one block of memory a layer that grows in steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch

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

    `keys[layer]` and `values[layer]` have the shape [rows, positions, heads, head_dim]; positions come in steps of `growth`.
    """

    def __init__(self, shape: Shape, rows: int, positions: int, growth: int = GROWTH) -> None:
        self.shape = shape
        self.rows = rows
        self._growth = growth
        self.positions = self._rounded(positions)
        size = (rows, self.positions, shape.heads, shape.head_dim)
        self.keys = [torch.zeros(size, dtype=shape.dtype, device=shape.device) for _ in range(shape.layers)]
        self.values = [torch.zeros(size, dtype=shape.dtype, device=shape.device) for _ in range(shape.layers)]

    def reserve(self, positions: int) -> None:
        """Make room for `positions` in every row, keeping what is there; one layer at a time, to need little beside it."""
        if positions <= self.positions:
            return
        self.positions = self._rounded(positions)
        for blocks in (self.keys, self.values):
            for layer, block in enumerate(blocks):
                larger = block.new_zeros(self.rows, self.positions, *block.shape[2:])
                larger[:, : block.shape[1]] = block
                blocks[layer] = larger

    def reserve_rows(self, rows: int) -> None:
        """Make room for `rows` rows, keeping what is there."""
        if rows <= self.rows:
            return
        for blocks in (self.keys, self.values):
            for layer, block in enumerate(blocks):
                larger = block.new_zeros(rows, *block.shape[1:])
                larger[: self.rows] = block
                blocks[layer] = larger
        self.rows = rows

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` positions of a row into another."""
        for block in (*self.keys, *self.values):
            block[target, :length] = block[source, :length]

    def put(self, row: int, prefix: KeyValueCache, length: int) -> None:
        """Copy the first `length` positions of another cache's first row into `row`."""
        for own, other in zip((*self.keys, *self.values), (*prefix.keys, *prefix.values), strict=True):
            own[row, :length] = other[0, :length]

    def _rounded(self, positions: int) -> int:
        return -(-positions // self._growth) * self._growth
