"""Weights that are laid out once give what they gave before, at any number of rows."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_a_packed_model_gives_what_it_gave_before(kind: str) -> None:
    import torch
    from transformers.pytorch_utils import Conv1D

    from cosmos_workflow.engines.chatterbox.packed import PackedLinear, is_packable, pack

    device, dtype = torch.device("cpu"), getattr(torch, kind)
    if not is_packable(device):
        pytest.skip("this build of torch has no oneDNN")
    close = 1e-5 if kind == "float32" else 2e-2
    with torch.inference_mode(), torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [torch.nn.Linear(24, 40), torch.nn.GELU(), torch.nn.Linear(40, 24, bias=False), Conv1D(16, 24)]
        model = torch.nn.Sequential(*layers).to(dtype)
        inputs = [torch.randn(*shape, 24, dtype=dtype) for shape in ((1,), (2, 1), (3, 7), (40, 5))]
        before = [model(x) for x in inputs]
        pack(model)
        assert sum(isinstance(layer, PackedLinear) for layer in model) == 3
        for x, expected in zip(inputs, before, strict=True):
            torch.testing.assert_close(model(x), expected, atol=close, rtol=close)


def test_weights_stay_as_they_are_until_several_lines_are_spoken_at_once() -> None:
    import torch

    from cosmos_workflow.engines.chatterbox.packed import PackedLaterLinear, is_packable

    if not is_packable(torch.device("cpu")):
        pytest.skip("this build of torch has no oneDNN")
    with torch.inference_mode(), torch.random.fork_rng():
        torch.manual_seed(0)
        layer = torch.nn.Linear(24, 40)
        later = PackedLaterLinear(layer.weight, layer.bias)
        packed = []
        # One line: two texts are read, and each followed by two steps. Then eight lines.
        for rows in (34, 12, 2, 2, 34, 11, 2, 2, 60, 16, 16, 2, 16):
            x = torch.randn(rows, 24)
            torch.testing.assert_close(later(x), layer(x), atol=1e-5, rtol=1e-5)
            packed.append(later.packed is not None)
    assert packed == [False] * 10 + [True] * 3
