"""The flow's estimator on the package's layers, without what the package asks of the device in each of its fourteen blocks.

The package looks in every block, at every step, whether a row is masked as a whole, and waits for the answer; a row of ours
always has a frame. So the mask becomes a bias once a batch, and a step asks for nothing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_MASKED = -1.0e10
"""What the package adds to the scores of places that nobody is to look at."""


class Estimator:
    """`ConditionalDecoder.forward` of the package for one level, the only one that its S3Gen has."""

    def __init__(self, model: Any) -> None:
        self._model = model

    @staticmethod
    def bias(mask: Tensor) -> Tensor:
        """For a mask [rows, 1, frames], 1 where a row has a frame: what is added to the scores of attention."""
        return (1.0 - mask) * _MASKED

    def __call__(
        self,
        noise: Tensor,
        mask: Tensor,
        bias: Tensor,
        hidden: Tensor,
        time: Tensor,
        speaker: Tensor,
        conditions: Tensor,
        until: Tensor | None = None,
    ) -> Tensor:
        """The slope of `noise` [rows, 80, frames] at `time` [rows or 1]; of a mean flow, the mean one `until` then."""
        model = self._model
        when = model.time_mlp(model.time_embeddings(time).to(time.dtype))
        if until is not None:
            then = model.time_mlp(model.time_embeddings(until).to(time.dtype))
            when = model.time_embed_mixer(torch.cat([when, then], dim=1))
        voice = speaker[..., None].expand(-1, -1, noise.shape[-1])
        x = torch.cat([noise, hidden, voice, conditions], dim=1)
        ((first, attention, after),) = model.down_blocks
        skipped = _block(first, attention, x, mask, bias, when)
        x = after(skipped * mask)
        for resnet, attention in model.mid_blocks:
            x = _block(resnet, attention, x, mask, bias, when)
        ((last, attention, after),) = model.up_blocks
        x = after(_block(last, attention, torch.cat([x, skipped], dim=1), mask, bias, when) * mask)
        return model.final_proj(model.final_block(x, mask) * mask) * mask


def _block(resnet: Any, attention: Any, x: Tensor, mask: Tensor, bias: Tensor, when: Tensor) -> Tensor:
    x = resnet(x, mask, when).transpose(1, 2).contiguous()
    for layer in attention:
        x = layer(hidden_states=x, attention_mask=bias, timestep=when)
    return x.transpose(1, 2).contiguous()
