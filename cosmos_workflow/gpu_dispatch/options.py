"""What every way of dispatching can be told about its workers, the pool that comes of it, and the order of what that gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from .arguments import PoolOptions
from .events import Outcome
from .pool import WorkerPool
from .worker import BaseWorker


class WorkerOptions(PoolOptions, total=False):
    """How workers are treated, and where they are.

    prefetch: small quick tasks that a worker may be sent at once (64), while all of them are a few milliseconds of work.
    executor, address, gpus_per_worker: "ray" for a cluster (see `ray.RayPool`, which then also says what `gpu_ids` means).
    """

    prefetch: int
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


class Line:
    """Lets outcomes through as they come or, if `ordered`, each after all before it. Tasks are numbered from 0 on."""

    def __init__(self, ordered: bool) -> None:
        self._ordered = ordered
        self._waiting: dict[int, Outcome] = {}
        self._due = 0

    def take(self, number: int, outcome: Outcome) -> list[Outcome]:
        """What may go on, now that task `number` has its outcome."""
        if not self._ordered:
            return [outcome]
        self._waiting[number] = outcome
        ready: list[Outcome] = []
        while self._due in self._waiting:
            ready.append(self._waiting.pop(self._due))
            self._due += 1
        return ready

    def __len__(self) -> int:
        """How many wait for one before them."""
        return len(self._waiting)
