"""Torch tensors between processes as plain memory, by the pool's channel and without importing torch.

Torch's own pickling writes a tensor into an archive and reads it back; this refers to its memory.
Only the values travel: what arrives is a CPU tensor that needs no gradient.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from pickle import PickleBuffer
from typing import Any


def reducers() -> dict[type, Callable[[Any], Any]]:
    """How to reduce a tensor, if this process has torch; nothing otherwise."""
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)
    return {} if tensor is None else {tensor: _reduce}


def _reduce(tensor: Any) -> Any:
    if tensor.is_quantized or not str(tensor.layout).endswith("strided"):
        return tensor.__reduce_ex__(5)
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    dtype = str(plain.dtype).removeprefix("torch.")
    # As bytes, since numpy doesn't know every type of torch's.
    memory = plain.reshape(-1).view(sys.modules["torch"].uint8).numpy()
    return _rebuild, (PickleBuffer(memory), dtype, tuple(plain.shape))


def _rebuild(memory: Any, dtype: str, shape: tuple[int, ...]) -> Any:
    torch = import_module("torch")
    view = memoryview(memory)
    if view.nbytes == 0:
        return torch.empty(shape, dtype=getattr(torch, dtype))
    with warnings.catch_warnings():
        if isinstance(memory, memoryview):  # shared, and not to be written to; torch has no such tensor
            warnings.filterwarnings("ignore", "The given buffer is not writable")
        elif view.readonly:  # it came inside the pickle; a tensor must be writable
            view = memoryview(bytearray(view))
        return torch.frombuffer(view, dtype=getattr(torch, dtype)).reshape(shape)
