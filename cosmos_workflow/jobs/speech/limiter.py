"""Peaks brought under a ceiling without anybody hearing it: FFmpeg's look-ahead limiter, at four times the rate.

What is never above the ceiling comes out as it went in, bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import av
import numpy as np
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as Finished
from av.filter import Graph

from cosmos_workflow.jobs.speech.meter import Samples
from cosmos_workflow.jobs.speech.sound import Shape
from cosmos_workflow.media import layout_of

OVERSAMPLING = 4
"""A peak between two samples is up to 3 dB higher than both; at four times the rate at most 0.2 dB (BS.1770-4, annex 2)."""
ATTACK, RELEASE = 5, 80
"""Milliseconds: how far it looks ahead, and in which it lets go."""
_BETWEEN = 0.7
"""Share of the ceiling below which no peak between samples reaches it."""


def limited(blocks: Iterable[Samples], shape: Shape, ceiling: float | None) -> Iterator[Samples]:
    """The blocks, each as long as before, with true peaks at most `ceiling`, give or take 0.2 dB; None changes nothing."""
    for block in blocks:
        if ceiling is None or not len(block) or float(np.max(np.abs(block))) < _BETWEEN * ceiling:
            yield block
        else:
            yield _limit(block, shape, ceiling)


def _limit(block: Samples, shape: Shape, ceiling: float) -> Samples:
    graph: Any = Graph()
    layout = layout_of(shape.channels)
    graph.link_nodes(
        graph.add_abuffer(sample_rate=shape.rate, format="flt", layout=layout, time_base=f"1/{shape.rate}"),
        graph.add("aresample", str(shape.rate * OVERSAMPLING)),
        graph.add("alimiter", f"limit={ceiling}:attack={ATTACK}:release={RELEASE}:level=0:latency=1"),
        graph.add("aresample", str(shape.rate)),
        graph.add("aformat", "sample_fmts=flt"),
        graph.add("abuffersink"),
    ).configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block, dtype=np.float32).reshape(1, -1), format="flt", layout=layout)
    frame.sample_rate, frame.pts = shape.rate, 0
    graph.push(frame)
    graph.push(None)
    made: list[Samples] = []
    while True:
        try:
            made.append(cast("Samples", graph.pull().to_ndarray()).reshape(-1, shape.channels))
        except (NothingYet, Finished):
            break
    sound = np.concatenate(made)[: len(block)]
    return np.pad(sound, ((0, len(block) - len(sound)), (0, 0)))
