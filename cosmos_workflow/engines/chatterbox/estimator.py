"""The flow's estimator with the package's weights, laid out for as few and as large products as they make.

The package keeps channels before frames and turns them round fourteen times a step, asks in every block whether a row is masked
as a whole, and masks rows before every convolution. Here frames stand before channels, convolutions are products of three
frames side by side, query, key and value are one product, and the mask is a bias of attention alone: every convolution looks
back only, so what stands behind a row's end never reaches the row.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor

from cosmos_workflow.engines.chatterbox.packed import linear

_MASKED = -1.0e10
"""What the package adds to the scores of places that nobody is to look at."""

_FRAMES = 32
"""On a CPU frames come in steps of this: attention there takes a quarter less time than with a rest."""

_LINEAR = 20.0
"""Mish of more than this is the number itself, in float32."""


class Estimator:
    """`ConditionalDecoder.forward` of the package for one level, the only one that its S3Gen has.

    Products are made in `dtype`, all else in float32.
    """

    def __init__(self, model: Any, dtype: torch.dtype = torch.float32) -> None:
        self._embed, self._time = model.time_embeddings, model.time_mlp
        self._mixer = model.time_embed_mixer
        self._dtype = dtype
        ((first, attention, after),) = model.down_blocks
        ((last, last_attention, last_after),) = model.up_blocks
        middle = [(resnet, layers) for resnet, layers in model.mid_blocks]
        stages = [(first, attention), *middle, (last, last_attention)]
        self._stages = [_Stage(resnet, layers, dtype) for resnet, layers in stages]
        self._after_first, self._after_last = _Convolution(after, dtype), _Convolution(last_after, dtype)
        self._end = _ConvolutionBlock(model.final_block, dtype)
        self._project = linear(model.final_proj.weight[:, :, 0], model.final_proj.bias, dtype)
        # What the time says to every stage, in one product.
        moved = [resnet.mlp[1] for resnet, _ in stages]
        self._moved = linear(torch.cat([part.weight for part in moved]), torch.cat([part.bias for part in moved]), torch.float32)

    @staticmethod
    def frames(longest: int, device: torch.device) -> int:
        """Frames of a batch whose longest row has so many."""
        return _FRAMES * math.ceil(longest / _FRAMES) if device.type == "cpu" else longest

    def bias(self, mask: Tensor) -> Tensor:
        """For a mask [rows, frames], true where a row has a frame: what is added to the scores of attention."""
        return ((~mask).to(self._dtype) * _MASKED)[:, None, None]

    def __call__(self, noise: Tensor, given: Tensor, bias: Tensor, time: Tensor, until: Tensor | None = None) -> Tensor:
        """The slope of `noise` [rows, frames, 80] at `time` [1]; of a mean flow, the mean one `until` then.

        `given` [rows, frames, 240] are the encoder's states, the voice and the prompt's mel, side by side.
        """
        when = self._time(self._embed(time))
        if until is not None:
            when = self._mixer(torch.cat([when, self._time(self._embed(until))], dim=1))
        moved = self._moved(F.mish(when)).chunk(len(self._stages), dim=1)
        first, *middle, last = self._stages
        skipped = x = first(torch.cat([noise, given], dim=2), moved[0], bias)
        x = self._after_first(x.to(self._dtype)).float()
        for stage, move in zip(middle, moved[1:-1], strict=True):
            x = stage(x, move, bias)
        x = last(torch.cat([x, skipped], dim=2), moved[-1], bias)
        x = self._end(self._after_last(x.to(self._dtype)))
        return self._project(x.to(self._dtype)).float()


class _Convolution:
    """A convolution over a frame and the two before it."""

    def __init__(self, layer: Any, dtype: torch.dtype) -> None:
        weight = layer.weight
        self._reach = weight.shape[2]
        self._product = linear(weight.transpose(1, 2).reshape(len(weight), -1), layer.bias, dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """[rows, frames, channels] to [rows, frames, channels]."""
        frames = x.shape[1]
        padded = F.pad(x, (0, 0, self._reach - 1, 0))
        return self._product(torch.cat([padded[:, start : start + frames] for start in range(self._reach)], dim=2))


class _ConvolutionBlock:
    """A convolution, its norm, and Mish."""

    def __init__(self, block: Any, dtype: torch.dtype) -> None:
        convolution, _, self._norm, _, _ = block.block
        self._convolution = _Convolution(convolution, dtype)

    def __call__(self, x: Tensor) -> Tensor:
        return _mish(self._norm(self._convolution(x).float()))


class _Stage:
    """A resnet and its layers of attention."""

    def __init__(self, resnet: Any, layers: Any, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._before, self._behind = _ConvolutionBlock(resnet.block1, dtype), _ConvolutionBlock(resnet.block2, dtype)
        self._past = linear(resnet.res_conv.weight[:, :, 0], resnet.res_conv.bias, dtype)
        self._layers = [_Layer(layer, dtype) for layer in layers]

    def __call__(self, x: Tensor, moved: Tensor, bias: Tensor) -> Tensor:
        """[rows, frames, channels] to [rows, frames, 256], in float32; `moved` [1, 256] is added half way."""
        x = x.to(self._dtype)
        inner = self._before(x).add_(moved)
        x = self._behind(inner.to(self._dtype)).add_(self._past(x).float())
        for layer in self._layers:
            x = layer(x, bias)
        return x


class _Layer:
    """Attention over all frames of a row, and a feed-forward layer."""

    def __init__(self, layer: Any, dtype: torch.dtype) -> None:
        attention, forward = layer.attn1, layer.ff.net
        self._dtype, self._heads = dtype, int(attention.heads)
        self._norm, self._next_norm = layer.norm1, layer.norm3
        parts = (attention.to_q, attention.to_k, attention.to_v)
        biases = [part.bias for part in parts if part.bias is not None]
        self._split = linear(torch.cat([part.weight for part in parts]), torch.cat(biases) if biases else None, dtype)
        self._join = linear(attention.to_out[0].weight, attention.to_out[0].bias, dtype)
        self._widen = linear(forward[0].proj.weight, forward[0].proj.bias, dtype, gelu=True)
        self._narrow = linear(forward[2].weight, forward[2].bias, dtype)

    def __call__(self, x: Tensor, bias: Tensor) -> Tensor:
        rows, frames, _ = x.shape
        split = self._split(self._norm(x).to(self._dtype)).view(rows, frames, 3, self._heads, -1)
        query, key, value = (part.transpose(1, 2) for part in split.unbind(2))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias).transpose(1, 2).reshape(rows, frames, -1)
        x = x + self._join(mixed).float()
        return x.add_(self._narrow(self._widen(self._next_norm(x).to(self._dtype))).float())


def _mish(x: Tensor) -> Tensor:
    """`x * tanh(softplus(x))`; torch's own takes four times as long on a CPU."""
    if x.device.type != "cpu":
        return F.mish(x)
    grown = x.clamp(max=_LINEAR).exp_()
    part = grown.square().add_(grown, alpha=2)
    return torch.add(part, 2, out=grown).reciprocal_().mul_(part).mul_(x)
