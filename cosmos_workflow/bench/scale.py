"""One queue on 1, 2 and 4 workers, on this machine and on a Ray cluster: what a task costs beside its work.

The tasks wait instead of computing, so that more workers than cores show how the pool scales. Local and Ray run in turn for
each number of workers, round after round; the medians count.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar

from cosmos_workflow.bench.frame import Column, in_turn
from cosmos_workflow.gpu_dispatch import BaseWorker, Outcome, TaskSuccess, WorkerPool
from cosmos_workflow.gpu_dispatch.options import PREFETCH

WORKERS = (1, 2, 4)
EMPTY = 5000
ARRAY_MB = (1, 16)
ARRAY_TOTAL_MB = 64
START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class ScaleFigure:
    """One pool. `efficiency`: the share of the workers' time that was work; `overhead_ms`: the rest, for each task of a
    worker. `mb_per_second`: arrays of 1 and of 16 MB, there and back, both ways counted. `first_ms`: from nothing to the first
    result, a cluster being there already."""

    TITLE: ClassVar[str] = f"Scale: {os.cpu_count()} cores"
    executor: Annotated[str, Column("executor")]
    workers: Annotated[int, Column("workers")]
    tasks_per_second: Annotated[float, Column("tasks/s", "{:,.1f}")]
    efficiency: Annotated[float, Column("efficiency", "{:.1%}")]
    overhead_ms: Annotated[float, Column("overhead ms", "{:.2f}")]
    empty_per_second: Annotated[float, Column("empty tasks/s", "{:,.0f}")]
    mb_per_second: Annotated[tuple[float, ...], Column("1 MB MB/s", "{[0]:,.0f}"), Column("16 MB MB/s", "{[1]:,.0f}")]
    first_ms: Annotated[float, Column("first ms", "{:,.0f}")]


class NapWorker(BaseWorker):
    """Waits for as many seconds as it is told; gives back anything else."""

    def process(self, data: Any) -> Any:
        """Wait, or give back."""
        if isinstance(data, float):
            time.sleep(data)
        return data


def bench_scale(
    tasks: int = 400, nap: float = 0.02, workers: Sequence[int] | None = None, rounds: int = 3, address: str | None = None
) -> list[ScaleFigure]:
    """Measure every number of workers, locally and, where Ray is installed, on the cluster at `address`."""
    workers = workers or WORKERS
    with ExitStack() as stack:
        executors = ["local"]
        if find_spec("ray"):
            from cosmos_workflow.gpu_dispatch.ray import joined

            stack.enter_context(joined(address, max(workers)))
            executors.append("ray")
        pools = [(executor, count) for count in workers for executor in executors]
        seen = in_turn({pool: partial(_measure, *pool, tasks, nap) for pool in pools}, rounds)
    return [
        ScaleFigure(executor, count, rate, rate * nap / count, 1e3 * (count / rate - nap), empty, tuple(arrays), 1e3 * first)
        for (executor, count), (rate, empty, *arrays, first) in seen.items()
    ]


def _measure(executor: str, workers: int, tasks: int, nap: float) -> tuple[float, ...]:
    import numpy as np

    started = time.perf_counter()
    with _pool(executor, workers) as pool:
        _rate(pool, [0])
        first = time.perf_counter() - started
        pool.warm()
        deadline = time.monotonic() + START_SECONDS
        while not all(slot.state == "idle" for slot in pool.slots()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"there is no room for {workers} workers in the cluster")
            pool.events(timeout=0.1)
        _rate(pool, range(10 * workers))
        arrays = []
        for size in ARRAY_MB:
            array = np.ones(size << 17)
            _rate(pool, [array] * workers)
            arrays.append(2 * size * _rate(pool, [array] * (ARRAY_TOTAL_MB // size)))
        return _rate(pool, [nap] * tasks), _rate(pool, range(EMPTY)), *arrays, first


def _pool(executor: str, workers: int) -> WorkerPool:
    name, gpu_ids = f"{__name__}:NapWorker", [None] * workers
    if executor == "local":
        return WorkerPool(name, gpu_ids, prefetch=PREFETCH, max_retries=0)
    from cosmos_workflow.gpu_dispatch.ray import RayPool

    return RayPool(name, gpu_ids, prefetch=PREFETCH, max_retries=0)


def _rate(pool: WorkerPool, items: Iterable[Any]) -> float:
    """Tasks a second. No more than the pool asks for are handed in ahead."""
    started = time.perf_counter()
    waiting: set[Any] = set()
    count = 0
    source = iter(items)
    more = True
    while more or waiting:
        while more and len(waiting) < pool.capacity():
            try:
                waiting.add(pool.submit(next(source)))
            except StopIteration:
                more = False
        for event in pool.events() if waiting else ():
            if isinstance(event, Outcome):
                if not isinstance(event, TaskSuccess):
                    raise RuntimeError(f"a task failed: {event}")
                waiting.discard(event.task_id)
                count += 1
    return count / (time.perf_counter() - started)
