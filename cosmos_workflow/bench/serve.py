"""The speech API as many callers use it: requests a second, and the time to the first byte and to the end of an answer.

A real server in a process of its own, on a temporary workspace; beside it the engine called in a loop in this process, a text at
a time: what an answer takes without queue, records, worker and HTTP.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import httpx
from rich.table import Table

from cosmos_workflow.bench.serving import served
from cosmos_workflow.engines.base import Device, Output, Request
from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.engines.testing.harness import RecordingContext
from cosmos_workflow.errors import UnavailableError

CALLERS = (1, 4, 16, 64)
TEXT = "Sentence {} has exactly ten words that somebody speaks aloud."


@dataclass(frozen=True, slots=True)
class ServeFigure:
    """One number of callers, 0 for the bare loop: requests a second, and milliseconds to the first byte and to the end.

    `unfair` is the slowest caller's median beside the quickest one's.
    """

    callers: int
    per_second: float
    first_p50: float
    first_p95: float
    end_p50: float
    end_p95: float
    unfair: float


def bench_serve(requests: int = 128, engine: str = "espeak", callers: Sequence[int] = CALLERS) -> list[ServeFigure]:
    """The bare loop, then the server with each number of callers; every text is another one."""
    figures = [_bare(requests, engine)]
    with (
        tempfile.TemporaryDirectory(prefix="cosmos-bench-") as folder,
        served(Path(folder) / "workspace", "--api") as (_, url),
        httpx.Client(base_url=url, timeout=300, limits=httpx.Limits(max_connections=None)) as client,
    ):
        _say(client, engine, "The engine is loaded.")
        figures += [_served(client, engine, number, max(1, requests // number)) for number in callers]
    return figures


def table(figures: Sequence[ServeFigure]) -> Table:
    """The figures as a table for a terminal."""
    shown = Table(title="The speech API")
    for column in ("callers", "requests/s", "first byte p50 / p95 ms", "end p50 / p95 ms", "slowest / quickest caller"):
        shown.add_column(column, justify="right")
    for figure in figures:
        shown.add_row(
            str(figure.callers) if figure.callers else "bare loop",
            f"{figure.per_second:.1f}",
            f"{figure.first_p50:.0f} / {figure.first_p95:.0f}" if figure.callers else "",
            f"{figure.end_p50:.0f} / {figure.end_p95:.0f}",
            f"{figure.unfair:.2f}" if figure.callers else "",
        )
    return shown


def _bare(requests: int, engine: str) -> ServeFigure:
    spec = find_engine(engine)
    module, _, name = spec.implementation.partition(":")
    made = getattr(import_module(module), name)()
    made.load(Device())
    context = RecordingContext(spec)
    taken: list[float] = []
    with tempfile.TemporaryDirectory(prefix="cosmos-bench-") as folder:
        for number in range(requests):
            place = Path(folder) / str(number)
            place.mkdir()
            recipe = spec.recipe(TEXT.format(number), spec.complete_params({}), {}, {})
            started = time.perf_counter()
            (outcome,) = made.generate([Request.of(recipe, str(number), place)], context)
            taken.append((time.perf_counter() - started) * 1000)
            if not isinstance(outcome, Output):
                raise UnavailableError(f"{engine} failed: {getattr(outcome, 'error', outcome)}")
    made.close()
    return ServeFigure(0, requests / (sum(taken) / 1000), 0.0, 0.0, *_quantiles(taken), 1.0)


def _served(client: httpx.Client, engine: str, callers: int, each: int) -> ServeFigure:
    def call(caller: int) -> list[tuple[float, float]]:
        return [_say(client, engine, TEXT.format(f"{callers} {caller} {number}")) for number in range(each)]

    started = time.perf_counter()
    with ThreadPoolExecutor(callers) as threads:
        answers = list(threads.map(call, range(callers)))
    seconds = time.perf_counter() - started
    whole = [one for caller in answers for one in caller]
    medians = [statistics.median(end for _, end in caller) for caller in answers]
    first, end = _quantiles([one for one, _ in whole]), _quantiles([one for _, one in whole])
    return ServeFigure(callers, len(whole) / seconds, *first, *end, max(medians) / min(medians))


def _say(client: httpx.Client, engine: str, text: str) -> tuple[float, float]:
    """Milliseconds to the first byte of an answer, and to its end."""
    body = {"model": engine, "input": text, "response_format": "pcm", "stream": True}
    started = time.perf_counter()
    with client.stream("POST", "/v1/audio/speech", json=body) as answer:
        if answer.status_code != httpx.codes.OK:
            raise UnavailableError(f"The server refused a text: {answer.read().decode()}")
        chunks: Iterator[bytes] = answer.iter_raw()
        next(chunks)
        first = time.perf_counter() - started
        for _ in chunks:
            pass
    return first * 1000, (time.perf_counter() - started) * 1000


def _quantiles(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    return statistics.median(values), statistics.quantiles(values, n=20)[-1]
