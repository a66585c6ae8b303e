"""Several control signals through a pipeline that knows one.

`Cosmos2_5_TransferPipeline` takes one control clip, encodes it chunk by chunk with its VAE and hands the latents to its
controlnet. Two modules at its edges make that several: the clips come in stacked along the channels, `ControlAutoencoder`
encodes each and puts the latents one after another along time, and `ControlSum` takes them apart again, asks each signal's own
controlnet, and adds up their blocks. With one control both do exactly what diffusers' classes do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.models.controlnets.controlnet_cosmos import CosmosControlNetModel
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn


class ControlAutoencoder(AutoencoderKLWan):
    """diffusers' VAE, which also encodes n clips that are stacked along the channels: (B, 3n, T, H, W)."""

    def encode(self, x: Tensor, return_dict: bool = True) -> Any:
        """The posterior of each clip, one after another along time: (B, 16, n x T', H', W')."""
        colours = cast("Any", self.config).in_channels
        if x.shape[1] == colours:
            return super().encode(x, return_dict=return_dict)
        parts = [super(ControlAutoencoder, self).encode(clip, return_dict=False)[0] for clip in x.split(colours, dim=1)]
        posterior = DiagonalGaussianDistribution(torch.cat([part.parameters for part in parts], dim=2))
        return AutoencoderKLOutput(latent_dist=posterior) if return_dict else (posterior,)


class ControlSum(ModelMixin):
    """The controlnets of several signals as one: the sum of their blocks, each times its weight for each item."""

    def __init__(self, nets: Mapping[str, CosmosControlNetModel]) -> None:
        super().__init__()
        self.nets = nn.ModuleDict(nets)

    def forward(
        self,
        controls_latents: Tensor,
        latents: Tensor,
        conditioning_scale: Mapping[str, Tensor],
        return_dict: bool = True,
        **others: Any,
    ) -> tuple[list[Tensor]]:
        """The summed block outputs.

        `controls_latents` (B, C, n x T', H', W') holds the signals in the order of `conditioning_scale`, whose values are
        (B, 1, 1): a weight for each item.
        """
        signals = controls_latents.split(latents.shape[2], dim=2)
        total: list[Tensor] = []
        for (name, weights), signal in zip(conditioning_scale.items(), signals, strict=True):
            (blocks,) = self.nets[name](
                controls_latents=signal, latents=latents, conditioning_scale=weights, return_dict=False, **others
            )
            total = [one + other for one, other in zip(total, blocks, strict=True)] if total else blocks
        return (total,)
