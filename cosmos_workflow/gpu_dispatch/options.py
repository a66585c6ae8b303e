"""What every way of dispatching can be told about its workers, and the pool that comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from .pool import WorkerPool
from .worker import BaseWorker


class WorkerOptions(TypedDict, total=False):
    """How workers are treated; seconds are None for no limit.

    max_retries: how often a task is run again whose worker died under it (1).
    setup_retries: how often a setup is tried again that had gone well before, see `WorkerPool` (2).
    setup_timeout, cleanup_timeout, cancel_grace: seconds until a worker is killed (None, 10, 5).
    prefetch: small quick tasks that a worker may be sent at once (64), while all of them are a few milliseconds of work.
    env: added to the workers' environment.
    executor, address, gpus_per_worker: "ray" for a cluster (see `ray.RayPool`, which then also says what `gpu_ids` means).
    """

    max_retries: int
    setup_retries: int
    setup_timeout: float | None
    cleanup_timeout: float | None
    cancel_grace: float | None
    prefetch: int
    env: Mapping[str, str] | None
    executor: Literal["local", "ray"]
    address: str | None
    gpus_per_worker: float


PREFETCH = 64
"""Tasks that a dispatcher's worker may have ahead, where nobody says how many; see `WorkerPool`."""


def open_pool(
    worker_cls: type[BaseWorker] | str, gpu_ids: Sequence[int | None] | None, base_seed: int, quiet: bool, options: WorkerOptions
) -> WorkerPool:
    """A pool in which a worker that can't be set up leaves its tasks to the others; raises what its class raises."""
    told: dict[str, Any] = {"setup_retries": 2, "prefetch": PREFETCH, **options}
    told |= {"retire_failed_slots": True, "base_seed": base_seed, "suppress_worker_output": quiet}
    executor, address = told.pop("executor", "local"), told.pop("address", None)
    if executor not in ("local", "ray"):
        raise ValueError(f"executor must be 'local' or 'ray', not {executor!r}")
    if executor == "ray":
        from .ray import RayPool

        return RayPool(worker_cls, gpu_ids, address=address, **told)
    if address is not None or "gpus_per_worker" in told:
        what = "an address is a Ray cluster's" if address is not None else "gpus_per_worker is for a Ray cluster"
        raise ValueError(f"{what}; it needs executor='ray'")
    return WorkerPool(worker_cls, gpu_ids or (), **told)
