"""One pass through T3's transformer on the package's own modules, each row at positions of its own.

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
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from cosmos_workflow.engines.chatterbox.cache import KeyValueCache, Shape


@dataclass(slots=True)
class Spy:
    """Attention of single heads, for the alignment analyser.

    `heads` are (layer, head); after a pass `seen[i]` is the attention of head i, [rows, queries, positions], in float32.
    """

    heads: Sequence[tuple[int, int]]
    rows: Tensor
    seen: list[Tensor] = field(default_factory=list)

    def look(self, layer: int, query: Tensor, key: Tensor, bias: Tensor, scale: float) -> None:
        """Query [rows, heads, queries, dim] and key [rows, heads, positions, dim] of a layer, before its attention."""
        for index, (own_layer, head) in enumerate(self.heads):
            if own_layer == layer:
                scores = query[self.rows, head] @ key[self.rows, head].transpose(-1, -2) * scale
                self.seen[index] = torch.softmax((scores + bias[self.rows, 0]).float(), dim=-1)


def cached_dtype(weights: torch.dtype, device: torch.device) -> torch.dtype:
    """The dtype of keys and values: float32 on a CPU, where attention in bfloat16 takes four times as long."""
    return torch.float32 if device.type == "cpu" else weights


class Backbone:
    """T3's transformer, Llama (English, multilingual) or GPT-2 (Turbo, Nano), over a `KeyValueCache`.

    `dtype` is that of its weights and states, `shape.dtype` that of keys and values.
    """

    def __init__(self, t3: Any) -> None:
        self._tfmr = t3.tfmr
        self._gpt = bool(t3.is_gpt)
        config = self._tfmr.config
        heads = int(config.num_attention_heads)
        dim = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
        weight = t3.speech_head.weight
        self.dtype = weight.dtype
        self.shape = Shape(int(config.num_hidden_layers), heads, dim, cached_dtype(weight.dtype, weight.device), weight.device)

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
        first = torch.arange(rows.start, rows.stop, device=inputs.device)[:, None]
        places = (first * cache.positions + positions).reshape(-1)
        unseen = torch.arange(end, device=inputs.device) > positions[:, None, :, None]
        bias = torch.zeros(unseen.shape, dtype=self.shape.dtype, device=inputs.device).masked_fill_(unseen, float("-inf"))
        if spy is not None:
            spy.seen = [inputs] * len(spy.heads)
        attend = _Attend(cache, places, rows, end, bias, spy)
        return self._gpt2(inputs, positions, attend) if self._gpt else self._llama(inputs, positions, attend)

    def _llama(self, x: Tensor, positions: Tensor, attend: _Attend) -> Tensor:
        cos, sin = self._tfmr.rotary_emb(x, position_ids=positions)
        split = (*x.shape[:2], self.shape.heads, self.shape.head_dim)
        for index, layer in enumerate(self._tfmr.layers):
            attention = layer.self_attn
            normed = layer.input_layernorm(x)
            query = attention.q_proj(normed).view(split).transpose(1, 2)
            key = attention.k_proj(normed).view(split).transpose(1, 2)
            value = attention.v_proj(normed).view(split)
            query, key = apply_rotary_pos_emb(query, key, cos, sin)
            mixed = attend(index, query, key.transpose(1, 2), value, attention.scaling)
            x = x + attention.o_proj(mixed)
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        return self._tfmr.norm(x)

    def _gpt2(self, x: Tensor, positions: Tensor, attend: _Attend) -> Tensor:
        split = (*x.shape[:2], self.shape.heads, self.shape.head_dim)
        x = x + self._tfmr.wpe(positions)
        for index, block in enumerate(self._tfmr.h):
            attention = block.attn
            query, key, value = (part.view(split) for part in attention.c_attn(block.ln_1(x)).split(attention.split_size, dim=2))
            mixed = attend(index, query.transpose(1, 2), key, value, attention.scaling)
            x = attention.c_proj(mixed) + x
            x = x + block.mlp(block.ln_2(x))
        return self._tfmr.ln_f(x)


@dataclass(slots=True)
class _Attend:
    """Writes a pass's keys and values into the cache, and attends to the rows' positions up to `end`."""

    cache: KeyValueCache
    places: Tensor
    rows: slice
    end: int
    bias: Tensor
    spy: Spy | None

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Query [rows, heads, steps, dim], key and value [rows, steps, heads, dim]; returns [rows, steps, width]."""
        dtype, query = query.dtype, query.to(self.cache.shape.dtype)
        keys, values = self.cache.keys[layer], self.cache.values[layer]
        keys.view(-1, *keys.shape[2:]).index_copy_(0, self.places, key.reshape(-1, *key.shape[2:]).to(query))
        values.view(-1, *values.shape[2:]).index_copy_(0, self.places, value.reshape(-1, *value.shape[2:]).to(query))
        seen_keys = keys[self.rows, : self.end].transpose(1, 2)
        seen_values = values[self.rows, : self.end].transpose(1, 2)
        if self.spy is not None:
            self.spy.look(layer, query, seen_keys, self.bias, scale)
        mixed = F.scaled_dot_product_attention(query, seen_keys, seen_values, attn_mask=self.bias, scale=scale)
        return mixed.transpose(1, 2).reshape(query.shape[0], query.shape[2], -1).to(dtype)
