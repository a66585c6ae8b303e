"""Random numbers of one item: the same ones that the package's serial code takes from torch's global generators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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

    @contextmanager
    def as_global(self) -> Iterator[None]:
        """While this lasts, code that draws from the global generators draws from these; the global ones go on unchanged."""
        kept = torch.get_rng_state(), self._device_state()
        torch.set_rng_state(self._cpu.get_state())
        if self.generator is not self._cpu:
            self._set_device_state(self.generator.get_state())
        try:
            yield
        finally:
            self._cpu.set_state(torch.get_rng_state())
            if self.generator is not self._cpu:
                self.generator.set_state(self._device_state())
                self._set_device_state(kept[1])
            torch.set_rng_state(kept[0])

    def _device_state(self) -> torch.Tensor:
        if self._device.type == "cuda":
            return torch.cuda.get_rng_state(self._device)
        return torch.mps.get_rng_state() if self._device.type == "mps" else torch.get_rng_state()

    def _set_device_state(self, state: torch.Tensor) -> None:
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(state, self._device)
        elif self._device.type == "mps":
            torch.mps.set_rng_state(state)
