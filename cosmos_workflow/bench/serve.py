"""The speech API as many callers use it: requests a second, and the time to the first byte and to the end of an answer.

A real server in a process of its own, on a temporary workspace; beside it the engine called in a loop in this process, a text at
a time: what an answer takes without queue, records, worker and HTTP.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, ClassVar

import httpx

from cosmos_workflow.bench.frame import Column, quantiles
from cosmos_workflow.bench.serving import served
from cosmos_workflow.engines.base import Device, Output, Request
from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.engines.testing.harness import RecordingContext
from cosmos_workflow.errors import UnavailableError

CALLERS = (4, 16, 64)
"""At once, beside the one that takes turns with the bare loop."""
FEWEST = 4
"""Requests of each of many callers: by its first one a caller only shows where in the line it stood."""
TEXT = "Sentence {} has exactly ten words that somebody speaks aloud."


@dataclass(frozen=True, slots=True)
class ServeFigure:
    """One number of callers, 0 for the bare loop: requests a second, and milliseconds to the first byte and to the end.

    `unfair` is the slowest caller's median beside the quickest one's; `added` is what one caller's answer takes longer than the
    same sentence just before it in the bare loop, in the median.
    """

    TITLE: ClassVar[str] = "The speech API"
    callers: Annotated[int, Column("callers", lambda one: str(one.callers or "bare loop"))]
    per_second: Annotated[float, Column("requests/s", "{:.1f}")]
    first_p50: Annotated[
        float,
        Column("first byte p50 / p95 ms", lambda one: f"{one.first_p50:.0f} / {one.first_p95:.0f}" if one.callers else ""),
    ]
    first_p95: float
    end_p50: Annotated[float, Column("end p50 / p95 ms", "{:.0f} / {figure.end_p95:.0f}")]
    end_p95: float
    unfair: Annotated[float, Column("slowest / quickest caller", lambda one: f"{one.unfair:.2f}" if one.callers else "")]
    added: Annotated[float, Column("added ms", lambda one: f"{one.added:.1f}" if one.callers == 1 else "")] = 0.0


def bench_serve(requests: int = 128, engine: str = "espeak", callers: Sequence[int] = CALLERS) -> list[ServeFigure]:
    """The bare loop and one caller in turns, so that a busy machine is as busy for both; then each number of callers.

    Every text is another one.
    """
    with (
        tempfile.TemporaryDirectory(prefix="cosmos-bench-") as folder,
        served(Path(folder) / "workspace", "--api") as (_, url),
        httpx.Client(base_url=url, timeout=300, limits=httpx.Limits(max_connections=None)) as client,
        _bare(engine, Path(folder)) as bare,
    ):
        _say(client, engine, "The engine is loaded.")
        bare("The engine is loaded.")
        pairs = [(bare(TEXT.format(number)), _say(client, engine, TEXT.format(number))) for number in range(requests)]
        alone = [taken for taken, _ in pairs]
        first, end = zip(*(answer for _, answer in pairs), strict=True)
        added = statistics.median(answer - taken for taken, answer in zip(alone, end, strict=True))
        return [
            ServeFigure(0, requests / (sum(alone) / 1000), 0.0, 0.0, *quantiles(alone), 1.0),
            ServeFigure(1, requests / (sum(end) / 1000), *quantiles(first), *quantiles(end), 1.0, added),
            *(_served(client, engine, number, max(FEWEST, requests // number)) for number in callers),
        ]


@contextmanager
def _bare(engine: str, folder: Path) -> Iterator[Callable[[str], float]]:
    """The engine itself, loaded here: what is given says a text and returns the milliseconds that it took."""
    spec = find_engine(engine)
    context = RecordingContext(spec)
    count = itertools.count()

    def say(text: str) -> float:
        place = folder / f"bare-{next(count)}"
        place.mkdir()
        recipe = spec.recipe(text, spec.complete_params({}), {}, {})
        started = time.perf_counter()
        (outcome,) = made.generate([Request.of(recipe, place.name, place)], context)
        taken = (time.perf_counter() - started) * 1000
        if not isinstance(outcome, Output):
            raise UnavailableError(f"{engine} failed: {getattr(outcome, 'error', outcome)}")
        return taken

    with closing(resolve_name(spec.implementation)()) as made:
        made.load(Device())
        yield say


def _served(client: httpx.Client, engine: str, callers: int, each: int) -> ServeFigure:
    def call(caller: int) -> list[tuple[float, float]]:
        return [_say(client, engine, TEXT.format(f"{callers} {caller} {number}")) for number in range(each)]

    started = time.perf_counter()
    with ThreadPoolExecutor(callers) as threads:
        answers = list(threads.map(call, range(callers)))
    seconds = time.perf_counter() - started
    whole = [one for caller in answers for one in caller]
    medians = [statistics.median(end for _, end in caller) for caller in answers]
    first, end = quantiles([one for one, _ in whole]), quantiles([one for _, one in whole])
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
