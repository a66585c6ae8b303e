"""How fast tasks go through a pool of two processes: ours, other libraries', and a bare pipe as the limit.

All run in turn in one process, round after round, with spawned workers that return what they are given. The medians of
the rounds count. Which of them get through the death of a worker is tried out as well, each in a program of its own.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from cosmos_workflow.bench.contenders import DEADLY, OURS, PIPE, WORKERS, Contender, contenders
from cosmos_workflow.bench.frame import Column, in_turn, seconds_of
from cosmos_workflow.gpu_dispatch import BaseWorker, Executor, share

ARRAY_MB = 1
ARRAYS = 200
LATENCIES = 300
SHARED_MB, SHARED_TASKS = 200, 5
REST_SECONDS = 0.002
"""Before each task of the latency's measurement, so that it meets an idle pool."""
TRIAL_TASKS = 20
TRIAL_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class DispatchFigure:
    """One contender; None where it has no such thing.

    `survives`: when a worker was killed, all other tasks came back and the run ended.
    """

    TITLE: ClassVar[str] = f"Dispatch: {WORKERS} workers, {os.cpu_count()} cores"
    name: Annotated[str, Column("")]
    tasks_per_second: Annotated[float, Column("tasks/s", "{:,.0f}")]
    array_mb_per_second: Annotated[float, Column("1 MB arrays MB/s", "{:,.0f}")]
    latency_p50_us: Annotated[float | None, Column("latency p50 us", "{:,.0f}")]
    latency_p99_us: Annotated[float | None, Column("p99 us", "{:,.0f}")]
    first_result_ms: Annotated[float, Column("first result ms", "{:,.0f}")]
    survives: Annotated[bool | None, Column("survives a kill", lambda figure: "yes" if figure.survives else "no")]


@dataclass(frozen=True, slots=True)
class SharedFigure:
    """Milliseconds of a task that is given the same large array as the others: sent with each, and shared by all."""

    TITLE: ClassVar[str] = "{figure.mb} MB in every task"
    mb: int
    sent_ms: Annotated[float, Column("sent with each, ms", "{:,.0f}")]
    shared_ms: Annotated[float, Column("shared, ms", "{:,.1f}")]


class PagesWorker(BaseWorker):
    """Reads all the pages of an array."""

    def process(self, data: Any) -> float:
        """The sum of a number in each."""
        return float(data[::512].sum())


def bench_dispatch(
    tasks: int = 10_000, rounds: int = 3, only: Collection[str] | None = None, plot: Path | None = None
) -> list[DispatchFigure | SharedFigure]:
    """Measure every contender that is installed, and what sharing an array brings, or those in `only`. Tasks are numbers, then
    arrays of 1 MB both ways. `plot` is a picture to write."""
    chosen = {name: opened for name, opened in contenders().items() if not only or name in only}
    measured = in_turn({name: partial(_measure, opened, tasks) for name, opened in chosen.items()}, rounds)
    figures: list[DispatchFigure] = []
    for name, (tasks_s, mb_s, first, *latency) in measured.items():
        p50, p99 = latency or (None, None)
        figures.append(DispatchFigure(name, tasks_s, mb_s, p50, p99, first, None if name == PIPE else _survives(name)))
    if plot is not None:
        _plot(figures, plot)
    return [*figures, *([] if only else [bench_shared()])]


def bench_shared(mb: int = SHARED_MB, rounds: int = 3) -> SharedFigure:
    """A worker reads one number in each page of an array that all its tasks are given."""
    array = np.ones(mb << 17)
    with Executor(f"{__name__}:PagesWorker", [None], max_retries=0) as executor:

        def measure(data: Any) -> list[float]:
            executor.submit(data).result()
            return [1e3 / SHARED_TASKS * seconds_of(lambda: [executor.submit(data).result() for _ in range(SHARED_TASKS)])]

        (sent,), (shared,) = in_turn({True: lambda: measure(array), False: lambda: measure(share(array))}, rounds).values()
    return SharedFigure(mb, sent, shared)


def _plot(figures: Sequence[DispatchFigure], path: Path) -> None:
    """The figures as bars, one panel a measure, ours in colour; the file's ending names its format."""
    from matplotlib.figure import Figure

    panels = [
        ("tasks/s", [figure.tasks_per_second for figure in figures]),
        ("1 MB arrays, MB/s", [figure.array_mb_per_second for figure in figures]),
        ("idle latency p50, us", [figure.latency_p50_us or 0.0 for figure in figures]),
        ("time to first result, ms", [figure.first_result_ms for figure in figures]),
    ]
    picture = Figure(figsize=(10, 5.5), layout="constrained")
    names = [figure.name for figure in figures]
    colours = ["tab:green" if name.startswith(OURS) else "tab:gray" if name == PIPE else "tab:blue" for name in names]
    for axes, (title, values) in zip(picture.subplots(2, 2).flat, panels, strict=True):
        axes.barh(names, values, color=colours)
        axes.set_title(title)
        axes.invert_yaxis()
    picture.savefig(path)


def trial(name: str) -> None:
    """Print how many of the tasks beside a deadly one have come back so far, line by line."""
    numbers = [DEADLY if number == TRIAL_TASKS // 2 else number for number in range(TRIAL_TASKS + 1)]
    with contenders()[name]() as contender:
        for count, _ in enumerate(contender.many(numbers), start=1):
            print(count, flush=True)  # noqa: T201 - its parent reads this


def _measure(opened: Callable[[], AbstractContextManager[Contender]], tasks: int) -> tuple[float, ...]:
    started = time.perf_counter()
    with opened() as contender:
        next(iter(contender.many([0])))
        first = time.perf_counter() - started
        _rate(contender, range(10 * WORKERS))  # every process is up, and warm
        tasks_s = _rate(contender, range(tasks))
        array = np.ones(ARRAY_MB << 17)
        _rate(contender, [array] * (ARRAYS // 10))
        mb_s = 2 * ARRAY_MB * _rate(contender, [array] * ARRAYS)
        latency = _latency(contender.one) if contender.one is not None else ()
    return tasks_s, mb_s, first * 1e3, *latency


def _rate(contender: Contender, items: Sequence[Any]) -> float:
    """Tasks a second."""
    started = time.perf_counter()
    count = sum(1 for _ in contender.many(items))
    if count != len(items):
        raise RuntimeError(f"{len(items) - count} of {len(items)} results are missing")
    return count / (time.perf_counter() - started)


def _latency(one: Callable[[Any], Any]) -> tuple[float, float]:
    seconds = []
    for number in range(LATENCIES):
        time.sleep(REST_SECONDS)
        seconds.append(seconds_of(partial(one, number)))
    cuts = statistics.quantiles(seconds, n=100)
    return cuts[49] * 1e6, cuts[98] * 1e6


def _survives(name: str) -> bool:
    code = f"from cosmos_workflow.bench.dispatch import trial; trial({name!r})"
    program = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    try:
        output = program.communicate(timeout=TRIAL_SECONDS)[0]
    except subprocess.TimeoutExpired:
        return False
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.communicate()
    return program.returncode == 0 and output.split()[-1:] == [str(TRIAL_TASKS)]
