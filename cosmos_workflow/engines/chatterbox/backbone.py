"""One pass through T3's transformer, each row at positions of its own.

Rows are padded on the right and written into the cache at their own place, so a row's positions equal those it would have
alone. What stands behind a row's last valid position is overwritten before anything attends to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor

from cosmos_workflow.engines.chatterbox.cache import KeyValueCache, Shape
from cosmos_workflow.engines.chatterbox.fused import as_matrices, fused, turn


@dataclass(slots=True)
class Spy:
    """Attention of single heads, for the alignment analyser.

    `heads` are (layer, head); after a pass `seen[i]` is the attention of head i, [rows, queries, positions], in float32.
    """

    heads: Sequence[tuple[int, int]]
    rows: Tensor
    seen: list[Tensor] = field(default_factory=list)

    def look(self, layer: int, query: Tensor, key: Tensor, bias: Tensor) -> None:
        """Query [rows, heads, queries, dim] and key [rows, heads, positions, dim] of a layer, before its attention."""
        for index, (own_layer, head) in enumerate(self.heads):
            if own_layer == layer:
                scores = query[self.rows, head] @ key[self.rows, head].transpose(-1, -2) * query.shape[-1] ** -0.5
                self.seen[index] = torch.softmax((scores + bias[self.rows, 0]).float(), dim=-1)


def cached_dtype(weights: torch.dtype, device: torch.device) -> torch.dtype:
    """The dtype of keys and values: float32 on a CPU, where attention in bfloat16 takes four times as long."""
    return torch.float32 if device.type == "cpu" else weights


class Backbone:
    """T3's transformer, Llama (English, multilingual) or GPT-2 (Turbo, Nano), over a `KeyValueCache`.

    The package's own is taken apart for it. `dtype` is that of its weights and states, `shape.dtype` that of keys and values.
    """

    def __init__(self, t3: Any, dtype: torch.dtype) -> None:
        config, device = t3.tfmr.config, t3.speech_head.weight.device
        heads = int(config.num_attention_heads)
        dim = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
        self.transformer = fused(t3.tfmr, heads, device).to(dtype)
        self.dtype = dtype
        self.shape = Shape(int(config.num_hidden_layers), heads, dim, cached_dtype(dtype, device), device)
        turns = self.transformer.turns
        if turns is not None and self.shape.dtype != torch.float32:
            self.transformer.turns = as_matrices(turns)

    def forward(
        self, inputs: Tensor, starts: Sequence[int], cache: KeyValueCache, first_row: int = 0, spy: Spy | None = None
    ) -> Tensor:
        """Hidden states [rows, steps, width] of `inputs` of that shape.

        Row i is row `first_row + i` of the cache, its first step stands at position `starts[i]`, and it attends to all of its
        own positions up to each step's.
        """
        rows, steps, _ = inputs.shape
        positions = torch.tensor(starts, device=inputs.device)[:, None] + torch.arange(steps, device=inputs.device)
        end = max(starts) + steps
        cache.reserve(end)
        return self.run(inputs, positions, cache, slice(first_row, first_row + rows), end, spy)

    def run(
        self, inputs: Tensor, positions: Tensor, cache: KeyValueCache, rows: slice, end: int, spy: Spy | None = None
    ) -> Tensor:
        """As `forward`, with positions [rows, steps] that the cache has room for; attends to those before `end`.

        Asks the device for nothing, so that it can be captured.
        """
        room = cache.positions
        places = (torch.arange(rows.start * room, rows.stop * room, room, device=inputs.device)[:, None] + positions).reshape(-1)
        unseen = torch.arange(end, device=inputs.device) > positions[:, None, :, None]
        bias = torch.zeros(unseen.shape, dtype=self.shape.dtype, device=inputs.device).masked_fill_(unseen, float("-inf"))
        if spy is not None:
            spy.seen = [inputs] * len(spy.heads)
        attend = _Attend(cache, places, rows, end, bias, spy, self._turns(positions))
        return self.transformer(self._with_places(inputs, positions).flatten(0, 1), attend).view(inputs.shape)

    def _turns(self, positions: Tensor) -> Tensor | None:
        """The rotary embeddings of each step, [rows * steps, dim / 2, ...]."""
        turns = self.transformer.turns
        return None if turns is None else turns[positions.reshape(-1)]

    def _with_places(self, inputs: Tensor, positions: Tensor) -> Tensor:
        """A copy of the inputs, as the layers change it in place."""
        places = self.transformer.places
        return inputs.clone() if places is None else inputs + places(positions)


@dataclass(slots=True)
class _Attend:
    """Writes a pass's keys and values into the cache, and attends to the rows' positions up to `end`."""

    cache: KeyValueCache
    places: Tensor
    rows: slice
    end: int
    bias: Tensor
    spy: Spy | None
    turns: Tensor | None

    def __call__(self, layer: int, mixed: Tensor) -> Tensor:
        """Query, key and value [rows * steps, 3 * width] of a layer; returns [rows * steps, width]."""
        dtype, shape, rows = mixed.dtype, self.cache.shape, self.bias.shape[0]
        mixed = mixed.to(shape.dtype).view(-1, 3, shape.heads, shape.head_dim)
        if self.turns is not None:
            turn(mixed[:, :2], self.turns)
        block = self.cache.blocks[layer]
        block.view(-1, *block.shape[2:]).index_copy_(0, self.places, mixed[:, 1:])
        query = mixed[:, 0].unflatten(0, (rows, -1)).transpose(1, 2)
        keys, values = (part.transpose(1, 2) for part in block[self.rows, : self.end].unbind(2))
        if self.spy is not None:
            self.spy.look(layer, query, keys, self.bias)
        seen = F.scaled_dot_product_attention(query, keys, values, attn_mask=self.bias)
        return seen.transpose(1, 2).reshape(-1, shape.heads * shape.head_dim).to(dtype)
