"""Engine of toy Chatterbox: the real one, which loads models at the sizes that their folder states."""

from __future__ import annotations

from pathlib import Path

import torch

from cosmos_workflow.engines.chatterbox.engine import ChatterboxEngine
from cosmos_workflow.engines.chatterbox.loader import Model, load_model
from cosmos_workflow.engines.chatterbox.variants import Variant
from cosmos_workflow.engines.testing.chatterbox.sizes import sized


def load_toy_model(variant: Variant, mode: str, folder: Path, device: torch.device, finetune: Path | None = None) -> Model:
    """As `load_model`, at the sizes that the folder states."""
    with sized(folder):
        return load_model(variant, mode, folder, device, finetune)


class ToyChatterboxEngine(ChatterboxEngine):
    """Chatterbox on weights of `write_toy_weights`."""

    load_model = staticmethod(load_toy_model)
