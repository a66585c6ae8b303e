"""Which GPUs there are and how a worker is given one, without importing a framework."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as NVML sees it. `id` is what a pool takes; memory in bytes, `utilisation` in percent,
    each None where the driver does not tell."""

    id: int
    name: str
    memory_used: int | None
    memory_total: int | None
    utilisation: int | None


def _allowed(environ: Mapping[str, str]) -> list[str] | None:
    """The devices that this process may see, or None for all."""
    value = environ.get("CUDA_VISIBLE_DEVICES", environ.get("HIP_VISIBLE_DEVICES"))
    if value is None:
        return None
    entries = [entry.strip() for entry in value.split(",")]
    # CUDA ignores everything from the first invalid entry on. Beside numbers it knows the names of GPUs and of their parts.
    valid = [entry.isdecimal() or entry.startswith(("GPU-", "MIG-")) for entry in entries]
    return entries[: valid.index(False)] if False in valid else entries


def require_gpus(gpu_ids: Iterable[int | None], environ: Mapping[str, str] | None = None) -> None:
    """Raises ValueError for the id of a GPU that isn't there, or that this process may not see, as far as that is known."""
    wanted = [gpu_id for gpu_id in gpu_ids if gpu_id is not None]
    allowed = _allowed(os.environ if environ is None else environ) if wanted else None
    count = len(discover_gpus()) if wanted and allowed is None else len(allowed or ())
    missing = [gpu_id for gpu_id in wanted if gpu_id >= count]
    if missing and (allowed is not None or count):
        why = "" if allowed is None else f" (CUDA_VISIBLE_DEVICES={','.join(allowed)})"
        there = f"{count} GPUs, numbered from 0" if count != 1 else "one GPU, number 0"
        raise ValueError(f"there is no GPU {missing[0]}: this program may see {there if count else 'none'}{why}")


def worker_environ(gpu_id: int | Sequence[int] | None, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment in which `gpu_id` is the only visible GPU, or these are; None hides them all.

    An id is a position in what this process may see, as in CUDA: with CUDA_VISIBLE_DEVICES=4,6 GPU 1 is the machine's 6.
    """
    env = dict(os.environ if environ is None else environ)
    allowed = _allowed(env)
    if gpu_id is None:
        env["CUDA_VISIBLE_DEVICES"] = ""
        env["HIP_VISIBLE_DEVICES"] = "-1"  # an empty value counts as unset there
        return env
    gpu_ids = [gpu_id] if isinstance(gpu_id, int) else gpu_id
    require_gpus(gpu_ids, env)
    devices = ",".join(str(number) if allowed is None else allowed[number] for number in gpu_ids)
    env["CUDA_VISIBLE_DEVICES"] = env["HIP_VISIBLE_DEVICES"] = devices
    # NVML counts in bus order; CUDA does so only if told.
    env.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    return env


def discover_gpus() -> list[Gpu]:
    """The NVIDIA GPUs this process may use, with their load now; empty without a driver."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [_gpu(i, handle) for i, handle in enumerate(_handles(pynvml))]
    finally:
        pynvml.nvmlShutdown()


def default_gpu_ids(workers: int | None = None) -> list[int | None]:
    """What to give a pool: every GPU, or the first `workers`; where there is none, so many CPU workers (one if not said)."""
    if workers is not None and workers < 1:
        raise ValueError(f"the number of workers must be at least 1, not {workers}")
    gpus: list[int | None] = [gpu.id for gpu in discover_gpus()]
    return gpus[:workers] or [None] * (workers or 1)


def _handles(nvml: Any) -> list[Any]:
    allowed = _allowed(os.environ)
    if allowed is None:
        return [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
    handles = []
    with suppress(nvml.NVMLError):  # as CUDA does, which ignores what comes behind
        for entry in allowed:
            by_index = entry.isdecimal()
            handles.append(nvml.nvmlDeviceGetHandleByIndex(int(entry)) if by_index else nvml.nvmlDeviceGetHandleByUUID(entry))
    return handles


def _gpu(index: int, handle: Any) -> Gpu:
    import pynvml

    def ask(what: Any) -> Any:
        try:
            return what(handle)
        except pynvml.NVMLError:  # not every device answers every question
            return None

    memory = ask(pynvml.nvmlDeviceGetMemoryInfo)
    rates = ask(pynvml.nvmlDeviceGetUtilizationRates)
    return Gpu(
        id=index,
        name=str(ask(pynvml.nvmlDeviceGetName) or "GPU"),
        memory_used=int(memory.used) if memory else None,
        memory_total=int(memory.total) if memory else None,
        utilisation=int(rates.gpu) if rates else None,
    )
