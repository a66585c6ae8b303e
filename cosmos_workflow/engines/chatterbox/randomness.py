"""Random numbers of one item: the same ones that the package's serial code takes from torch's global generators."""

from __future__ import annotations

import math

import torch


class Randomness:
    """Generators seeded as `torch.manual_seed(seed)` would seed the global ones: one for the device, one for the CPU.

    On the CPU they are one and the same.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        self._cpu = torch.Generator().manual_seed(seed)
        self.generator = self._cpu if device.type == "cpu" else torch.Generator(device).manual_seed(seed)

    def normal(self, *shape: int) -> torch.Tensor:
        """Standard normal numbers on the device, in float32."""
        return torch.randn(*shape, generator=self.generator, device=self._device)

    def phases(self, tones: int) -> torch.Tensor:
        """Angles [1, tones, 1] from -pi to pi, the first 0; drawn on the CPU, as the package does it, and not waited for."""
        angles = torch.rand(1, tones, 1, generator=self._cpu) * (2 * math.pi) - math.pi
        angles[:, :1].zero_()
        if self._device.type == "cuda":
            angles = angles.pin_memory()
        return angles.to(self._device, non_blocking=True)
