"""The flow's estimator beside the package's own, on rows of different lengths."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.slow

LENGTHS = (29, 17, 40)


@pytest.fixture
def package() -> Any:
    """The package's estimator at toy size, its weights far from the ones that leave everything as it is."""
    import torch
    from chatterbox.models.s3gen.decoder import ConditionalDecoder

    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"channels": [32], "attention_head_dim": 16, "num_heads": 2, "n_blocks": 2, "num_mid_blocks": 2}
        return ConditionalDecoder(in_channels=320, out_channels=80, causal=True, **sizes).eval()


@pytest.mark.parametrize(("kind", "close"), [("float32", 1e-5), ("bfloat16", 0.1)])
def test_a_slope_is_the_packages(package: Any, kind: str, close: float) -> None:
    import torch

    from cosmos_workflow.engines.chatterbox.estimator import Estimator

    with torch.inference_mode(), torch.random.fork_rng():
        torch.manual_seed(1)
        estimator = Estimator(package, getattr(torch, kind))
        frames = estimator.frames(max(LENGTHS), torch.device("cpu"))
        noise, given = torch.randn(len(LENGTHS), frames, 80), torch.randn(len(LENGTHS), frames, 240)
        # A voice is the same in every frame.
        given[:, :, 80:160] = given[:, :1, 80:160]
        mask = torch.arange(frames) < torch.tensor(LENGTHS)[:, None]
        time = torch.tensor([0.3])
        ours = estimator(noise, given, estimator.bias(mask), time)
        for row, length in enumerate(LENGTHS):
            part = [x[row : row + 1, :length].transpose(1, 2) for x in (noise, given)]
            hidden, voice, conditions = part[1].split(80, dim=1)
            theirs = package(part[0], torch.ones(1, 1, length), hidden, time, spks=voice[..., 0], cond=conditions)
            error = (ours[row, :length].T - theirs[0]).square().mean().sqrt() / theirs.square().mean().sqrt()
            assert error < close
            assert ours.dtype == torch.float32
