"""What a piece of code would ask of a GPU, counted on a CPU: kernels started, and times that Python waits for the device."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

_ONE_KERNEL = {"aten::rms_norm", "aten::scaled_dot_product_attention"}
"""On a GPU each is one kernel; on a CPU the first is taken apart."""

_TENSORS_A_KERNEL = 64
"""How many pairs of tensors PyTorch copies by one."""

_NO_KERNEL = {"_unsafe_view", "empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "lift_fresh", "detach"}
_ANSWERS = {"_local_scalar_dense", "is_nonzero", "equal", "nonzero"}
_WAITING_METHODS = {torch.Tensor.tolist, torch.Tensor.cpu, torch.Tensor.numpy}


class Counting:
    """While it is entered, `kernels` are counted by name, and `waits`: answers, and copies of Python's numbers, which PyTorch
    waits for as well."""

    def __init__(self) -> None:
        self.kernels: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self._modes = (_Operations(self), _Methods(self))

    def __enter__(self) -> Counting:
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(kind, error, trace)


class _Operations(TorchDispatchMode):
    def __init__(self, counting: Counting) -> None:
        super().__init__()
        self._counting = counting

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = function.overloadpacket.__name__
        composite = torch._C._dispatch_has_kernel_for_dispatch_key(function.name(), "CompositeImplicitAutograd")
        if composite and function.overloadpacket._qualified_op_name not in _ONE_KERNEL:
            with self:
                found = function.decompose(*args, **kwargs)
            if found is not NotImplemented:
                return found
        if name in _ANSWERS or name == "lift_fresh":
            self._counting.waits[name] += 1
        if not function.is_view and name not in _NO_KERNEL:
            self._counting.kernels[name] += -(-len(args[0]) // _TENSORS_A_KERNEL) if name.startswith("_foreach") else 1
        return function(*args, **kwargs)


class _Methods(TorchFunctionMode):
    def __init__(self, counting: Counting) -> None:
        super().__init__()
        self._counting = counting

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in _WAITING_METHODS:
            self._counting.waits[function.__name__] += 1
        return function(*args, **(kwargs or {}))
