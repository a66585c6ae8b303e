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
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from cosmos_workflow.bench.contenders import DEADLY, OURS, PIPE, WORKERS, Contender, contenders
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

    name: str
    tasks_per_second: float
    array_mb_per_second: float
    latency_p50_us: float | None
    latency_p99_us: float | None
    first_result_ms: float
    survives: bool | None


@dataclass(frozen=True, slots=True)
class SharedFigure:
    """Milliseconds of a task that is given the same large array as the others: sent with each, and shared by all."""

    mb: int
    sent_ms: float
    shared_ms: float


class PagesWorker(BaseWorker):
    """Reads all the pages of an array."""

    def process(self, data: Any) -> float:
        """The sum of a number in each."""
        return float(data[::512].sum())


def bench_dispatch(tasks: int = 10_000, rounds: int = 3, only: Collection[str] = ()) -> list[DispatchFigure]:
    """Measure every contender that is installed, or those in `only`. Tasks are numbers, then arrays of 1 MB both ways."""
    chosen = {name: opened for name, opened in contenders().items() if not only or name in only}
    seen: dict[str, list[tuple[float | None, ...]]] = {name: [] for name in chosen}
    for _ in range(rounds):
        for name, opened in chosen.items():
            seen[name].append(_measure(opened, tasks))
    figures = []
    for name, measured in seen.items():
        tasks_s, mb_s, p50, p99, first = (_median(column) for column in zip(*measured, strict=True))
        survives = None if name == PIPE else _survives(name)
        figures.append(DispatchFigure(name, tasks_s or 0.0, mb_s or 0.0, p50, p99, first or 0.0, survives))
    return figures


def bench_shared(mb: int = SHARED_MB, rounds: int = 3) -> SharedFigure:
    """A worker reads one number in each page of an array that all its tasks are given."""
    import numpy as np

    array = np.ones(mb << 17)
    seen: dict[bool, list[float]] = {False: [], True: []}
    with Executor(f"{__name__}:PagesWorker", [None], max_retries=0) as executor:
        for _ in range(rounds):
            for is_shared, data in ((False, array), (True, share(array))):
                executor.submit(data).result()
                started = time.perf_counter()
                for _ in range(SHARED_TASKS):
                    executor.submit(data).result()
                seen[is_shared].append((time.perf_counter() - started) / SHARED_TASKS * 1e3)
    return SharedFigure(mb, statistics.median(seen[False]), statistics.median(seen[True]))


def table(figures: Sequence[DispatchFigure], shared: SharedFigure | None = None) -> Table:
    """The figures as a table for a terminal."""
    told = f"{shared.mb} MB in every task: {shared.sent_ms:,.0f} ms each, shared {shared.shared_ms:,.1f} ms" if shared else None
    shown = Table(caption=told, title=f"Dispatch: {WORKERS} workers, {os.cpu_count()} cores")
    for column in ("", "tasks/s", "1 MB arrays MB/s", "latency p50 us", "p99 us", "first result ms", "survives a kill"):
        shown.add_column(column, justify="right" if column else "left")
    for figure in figures:
        shown.add_row(
            figure.name,
            f"{figure.tasks_per_second:,.0f}",
            f"{figure.array_mb_per_second:,.0f}",
            _number(figure.latency_p50_us),
            _number(figure.latency_p99_us),
            f"{figure.first_result_ms:,.0f}",
            "" if figure.survives is None else "yes" if figure.survives else "no",
        )
    return shown


def plot(figures: Sequence[DispatchFigure], path: Path) -> None:
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


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _measure(opened: Callable[[], AbstractContextManager[Contender]], tasks: int) -> tuple[float | None, ...]:
    import numpy as np

    started = time.perf_counter()
    with opened() as contender:
        next(iter(contender.many([0])))
        first = time.perf_counter() - started
        _rate(contender, range(10 * WORKERS))  # every process is up, and warm
        tasks_s = _rate(contender, range(tasks))
        array = np.ones(ARRAY_MB << 17)
        _rate(contender, [array] * (ARRAYS // 10))
        mb_s = 2 * ARRAY_MB * _rate(contender, [array] * ARRAYS)
        p50, p99 = _latency(contender.one) if contender.one is not None else (None, None)
    return tasks_s, mb_s, p50, p99, first * 1e3


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
        started = time.perf_counter()
        one(number)
        seconds.append(time.perf_counter() - started)
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
