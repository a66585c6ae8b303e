"""The vocoder's residual blocks with channels last, for a CPU: its convolutions take a third less time than the package's.

They stay in float32 in every mode: what the vocoder rounds is heard as noise.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor, nn


def keep_channels_last(vocoder: Any) -> None:
    """Put blocks of ours in the places of a HiFTGenerator's, with its weights."""
    for blocks in (vocoder.resblocks, vocoder.source_resblocks):
        for index, block in enumerate(blocks):
            blocks[index] = _ResidualBlock(block)


class _ResidualBlock(nn.Module):
    """`ResBlock.forward` of the package: [1, channels, samples] to the same."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self._parts = [
            (_Snake(first), _Convolution(wide), _Snake(second), _Convolution(narrow))
            for first, wide, second, narrow in zip(
                block.activations1, block.convs1, block.activations2, block.convs2, strict=True
            )
        ]

    def forward(self, x: Tensor) -> Tensor:
        """The height of 1 is there because torch keeps channels last in pictures only."""
        x = x[:, :, None].contiguous(memory_format=torch.channels_last)
        for snake, wide, next_snake, narrow in self._parts:
            x = narrow(next_snake(wide(snake(x)))).add_(x)
        return x[:, :, 0]


class _Snake:
    """`x + sin(a x)^2 / a`, with an `a` for each channel."""

    def __init__(self, layer: Any) -> None:
        alpha = torch.exp(layer.alpha) if layer.alpha_logscale else layer.alpha
        self._alpha = alpha.detach()[:, None, None]
        self._inverse = 1.0 / (self._alpha + layer.no_div_by_zero)

    def __call__(self, x: Tensor) -> Tensor:
        wave = (x * self._alpha).sin_()
        return torch.addcmul(x, wave, wave * self._inverse)


class _Convolution:
    def __init__(self, layer: Any) -> None:
        self._weight = layer.weight.detach()[:, :, None].contiguous(memory_format=torch.channels_last)
        self._bias = layer.bias.detach()
        self._padding, self._dilation = (0, *layer.padding), (1, *layer.dilation)

    def __call__(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self._weight, self._bias, padding=self._padding, dilation=self._dilation)
