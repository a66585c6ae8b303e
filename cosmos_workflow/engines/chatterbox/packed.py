"""Linear layers whose weights oneDNN has laid out for itself once, for a CPU: torch has them laid out at every call.

The same products summed in another order: what comes out differs in the last places of float32.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor, nn

ROWS = 32
"""Rows for which the weights are laid out; other numbers of rows are multiplied with them as well."""


FEW = 3
"""Rows up to which a machine with AMX multiplies weights in float32 a quarter faster as they are."""

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


class PackedLaterLinear(nn.Module):
    """Laid out at the second pass in a row of equally many rows, more than `FEW`: a step of several lines at once.

    A worker that makes one item at a time keeps the weights as they are, which are read once a step.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self._plain: Tensor | None = weight.detach()
        self._bias = None if bias is None else bias.detach()
        self._rows = 0
        self.packed: PackedLinear | None = None

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] to [..., outputs]."""
        if self.packed is not None:
            return self.packed(x)
        rows, before = x.numel() // x.shape[-1], self._rows
        self._rows = rows
        if self._plain is not None and FEW < rows == before:
            self.packed, self._plain = PackedLinear(self._plain, self._bias), None
            return self.packed(x)
        return F.linear(x, cast("Tensor", self._plain), self._bias)


def plain_linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    """torch's own layer of these weights, on any device."""
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    made.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        made.bias = nn.Parameter(bias, requires_grad=False)
    return made


def linear(weight: Tensor, bias: Tensor | None, dtype: torch.dtype, *, gelu: bool = False) -> nn.Module:
    """The fastest layer for these weights on their device, in `dtype`, and GELU behind it."""
    weight, bias = weight.to(dtype), None if bias is None else bias.to(dtype)
    if is_packable(weight.device):
        return PackedLinear(weight, bias, gelu=gelu)
    return nn.Sequential(plain_linear(weight, bias), nn.GELU()) if gelu else plain_linear(weight, bias)


def is_packable(device: torch.device) -> bool:
    """Whether this build of torch can lay weights out for this device."""
    return device.type == "cpu" and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions of its own for products in bfloat16; others take longer than in float32."""
    return device.type == "cuda" or (device.type == "cpu" and torch.cpu._is_avx512_bf16_supported())


def pack_for_steps(model: nn.Module) -> None:
    """As `pack`, for a model that mostly sees one row or two, or as many as there are lines."""
    later = torch.cpu._is_amx_tile_supported() and next(model.parameters()).dtype == torch.float32
    pack(model, PackedLaterLinear if later else PackedLinear)


def pack(model: nn.Module, kind: Callable[[Tensor, Tensor | None], nn.Module] = PackedLinear) -> None:
    """Put a packed layer in the place of every linear layer of a model, and of GPT-2's, whose weights are transposed."""
    from transformers.pytorch_utils import Conv1D

    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KEPT)  # read at the first product
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear:
                setattr(module, name, kind(child.weight, child.bias))
            elif isinstance(child, Conv1D):
                setattr(module, name, kind(child.weight.T, child.bias))
