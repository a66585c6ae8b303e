"""T3's transformer as few, large operations: made of the package's own layers, once their weights are loaded.

Query, key and value come of one product, gate and up of another; what a layer adds to its rows is added by the product itself;
norms and activations are one operation each. A step is then short enough for a GPU, whose time it is to start an operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor, nn

from cosmos_workflow.engines.chatterbox.packed import plain_linear

POSITIONS = 8192
"""Positions that rotary embeddings are prepared for: more than voice, longest text and most tokens together."""


Attend = Callable[[int, Tensor], Tensor]
"""Attention of a layer, given query, key and value [rows * steps, 3, heads, dim]; returns [rows * steps, width]."""


class Residual(nn.Module):
    """`rows + linear(x)`, which takes the place of `rows`."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, rows: Tensor, x: Tensor) -> Tensor:
        linear = self.linear
        if type(linear) is not nn.Linear:  # laid out for a CPU
            return rows.add_(linear(x))
        rows.addmm_(x, linear.weight.t())
        return rows if linear.bias is None else rows.add_(linear.bias)


class Layer(nn.Module):
    """One layer, of either architecture."""

    def __init__(
        self,
        norms: tuple[nn.Module, nn.Module],
        attention: tuple[nn.Linear, nn.Linear],
        mlp: tuple[nn.Linear, nn.Linear],
        activate: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.norm, self.mlp_norm = norms
        self.mixed, self.out = attention[0], Residual(attention[1])
        self.wide, self.down = mlp[0], Residual(mlp[1])
        self._activate = activate

    def forward(self, index: int, rows: Tensor, attend: Attend) -> Tensor:
        """The rows [rows * steps, width] after this layer, in their own place."""
        rows = self.out(rows, attend(index, self.mixed(self.norm(rows))))
        return self.down(rows, self._activate(self.wide(self.mlp_norm(rows))))


class Transformer(nn.Module):
    """The layers and the last norm. `turns` [positions, dim / 2, ...] are rotary embeddings as `turn` takes them; `places`, those
    that are added to a row's input; a model has the one or the other."""

    def __init__(self, layers: Sequence[Layer], norm: nn.Module, turns: Tensor | None, places: nn.Module | None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = norm
        self.places = places
        # No buffer: what turns a module into bfloat16 would turn these into it as well.
        self.turns = turns

    def forward(self, rows: Tensor, attend: Attend) -> Tensor:
        """States [rows * steps, width] of inputs of that shape, whose place they take."""
        for index, layer in enumerate(self.layers):
            rows = layer(index, rows, attend)
        return self.norm(rows)


def fused(tfmr: Any, heads: int, device: torch.device) -> Transformer:
    """Of the package's transformer, Llama or GPT-2, whose layers are taken out of it one by one, so that no weight is there
    twice for long."""
    gpt = hasattr(tfmr, "h")
    layers, taken = [], tfmr.h if gpt else tfmr.layers
    for index in range(len(taken)):
        layers.append(_gpt2_layer(taken[index]) if gpt else _llama_layer(taken[index], heads))
        taken[index] = nn.Identity()
    if gpt:
        return Transformer(layers, tfmr.ln_f, None, tfmr.wpe)
    return Transformer(layers, _rms_norm(tfmr.norm), _turns(tfmr.rotary_emb, device), None)


def turn(part: Tensor, turns: Tensor) -> None:
    """Rotary embedding of [rows, parts, heads, dim] in place, computed in float32: two neighbours are a pair.

    `turns` [rows, dim / 2] is complex, or has their matrices (`as_matrices`), which another dtype needs.
    """
    pairs = part.unflatten(-1, (-1, 2))
    if turns.is_complex():
        torch.view_as_complex(pairs).mul_(turns[:, None, None])
    else:
        products = pairs[..., None] * turns[:, None, None]
        torch.add(products[..., 0, :], products[..., 1, :], out=pairs)


def as_matrices(turns: Tensor) -> Tensor:
    """[..., 2, 2] that a pair is multiplied with from the left."""
    cos, sin = turns.real, turns.imag
    return torch.stack([torch.stack([cos, sin], dim=-1), torch.stack([-sin, cos], dim=-1)], dim=-2)


def _llama_layer(layer: Any, heads: int) -> Layer:
    attention, mlp = layer.self_attn, layer.mlp
    # The package pairs the first half of a head's numbers with the second: scores are the same in any order.
    query, key = (_paired(linear.weight, heads) for linear in (attention.q_proj, attention.k_proj))
    return Layer(
        (_rms_norm(layer.input_layernorm), _rms_norm(layer.post_attention_layernorm)),
        (plain_linear(torch.cat([query, key, attention.v_proj.weight])), attention.o_proj),
        (plain_linear(torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])), mlp.down_proj),
        _gated,
    )


def _gpt2_layer(block: Any) -> Layer:
    attention, mlp = block.attn, block.mlp
    return Layer(
        (block.ln_1, block.ln_2),
        (_transposed(attention.c_attn), _transposed(attention.c_proj)),
        (_transposed(mlp.c_fc), _transposed(mlp.c_proj)),
        partial(F.gelu, approximate="tanh"),
    )


def _gated(wide: Tensor) -> Tensor:
    gate, up = wide.chunk(2, dim=-1)
    return F.silu(gate).mul_(up)


def _paired(weight: Tensor, heads: int) -> Tensor:
    return weight.view(heads, 2, -1, weight.shape[-1]).transpose(1, 2).reshape(weight.shape)


def _transposed(layer: Any) -> nn.Linear:
    """GPT-2 keeps the weights of its linear layers the other way round."""
    return plain_linear(layer.weight.t().contiguous(), layer.bias)


def _rms_norm(norm: Any) -> nn.RMSNorm:
    made = nn.RMSNorm(norm.weight.shape, norm.variance_epsilon, device="meta")
    made.weight = norm.weight
    return made


def _turns(rotary: Any, device: torch.device) -> Tensor:
    """By the package's own frequencies, which are those of the layers' first half."""
    cos, sin = rotary(torch.empty(0, device=device), torch.arange(POSITIONS, device=device)[None])
    half = cos.shape[-1] // 2
    return torch.complex(cos[0, :, :half], sin[0, :, :half])
