"""Linear layers whose weights oneDNN has laid out for itself once, for a CPU: torch has them laid out at every call.

The same products summed in another order: what comes out differs in the last places of float32.
"""

from __future__ import annotations

import os
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor, nn

ROWS = 32
"""Rows for which the weights are laid out; other numbers of rows are multiplied with them as well."""


KEPT = "64"
"""Products of other sizes whose code oneDNN keeps (its own rule: 1,024): each new length of a text is one for every layer."""


class PackedLinear(nn.Module):
    """`x @ weight.T + bias`, for weight [outputs, inputs] on a CPU, and GELU of it; only for inference."""

    def __init__(self, weight: Tensor, bias: Tensor | None, *, gelu: bool = False) -> None:
        super().__init__()
        operations: Any = torch.ops.mkldnn
        self._linear = operations._linear_pointwise
        self._packed = operations._reorder_linear_weight(weight.detach().contiguous(), ROWS)
        self._bias = None if bias is None else bias.detach()
        self._after = "gelu" if gelu else "none"

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] to [..., outputs]."""
        return self._linear(x, self._packed, self._bias, self._after, [], "none")


class PlainLinear(nn.Module):
    """The same, as torch does it on any device."""

    def __init__(self, weight: Tensor, bias: Tensor | None, *, gelu: bool = False) -> None:
        super().__init__()
        self._weight, self._bias, self._gelu = weight.detach(), None if bias is None else bias.detach(), gelu

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] to [..., outputs]."""
        product = F.linear(x, self._weight, self._bias)
        return F.gelu(product) if self._gelu else product


def linear(weight: Tensor, bias: Tensor | None, dtype: torch.dtype, *, gelu: bool = False) -> PackedLinear | PlainLinear:
    """The fastest layer for these weights on their device, in `dtype`."""
    kind = PackedLinear if is_packable(weight.device) else PlainLinear
    return kind(weight.to(dtype), None if bias is None else bias.to(dtype), gelu=gelu)


def is_packable(device: torch.device) -> bool:
    """Whether this build of torch can lay weights out for this device."""
    return device.type == "cpu" and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions of its own for products in bfloat16; others take longer than in float32."""
    return device.type == "cuda" or (device.type == "cpu" and torch.cpu._is_avx512_bf16_supported())


def pack(model: nn.Module) -> None:
    """Put a packed layer in the place of every linear layer of a model, and of GPT-2's, whose weights are transposed."""
    from transformers.pytorch_utils import Conv1D

    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KEPT)  # read at the first product
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear:
                setattr(module, name, PackedLinear(child.weight, child.bias))
            elif isinstance(child, Conv1D):
                setattr(module, name, PackedLinear(child.weight.T, child.bias))
