"""One decode step at fixed shapes, so that what a line gets doesn't depend on who else is in the batch; a CUDA graph on a GPU.

In bfloat16 a row's result depends a little on the shapes of the pass that it is part of. Here they are those of the cache:
all of its rows, used or not, and all of its positions. Both come in buckets, and within a bucket a line's scores are always
the same. The graph has never run on a GPU yet: only the fixed shapes are tested, on a CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cosmos_workflow.engines.chatterbox.cache import KeyValueCache

if TYPE_CHECKING:
    from cosmos_workflow.engines.chatterbox.speech_model import SpeechModel

WARM_UP = 3
"""Steps before a capture, as PyTorch's manual on CUDA graphs asks for."""


def row_bucket(rows: int) -> int:
    """The next power of two: the rows of a cache that holds at most this many at once."""
    return 1 << max(0, rows - 1).bit_length()


class StaticStep:
    """The next scores of every row of a cache, in use or not. Good as long as `fits`."""

    def __init__(self, model: SpeechModel, cache: KeyValueCache, width: int) -> None:
        shape = cache.shape
        self._model = model
        self._cache = cache
        self._end = cache.positions
        self._inputs = torch.zeros(cache.rows, 1, width, dtype=model.backbone.dtype, device=shape.device)
        self._positions = torch.zeros(cache.rows, 1, dtype=torch.long, device=shape.device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._captured = torch.empty(0)

    def fits(self) -> bool:
        """Whether the cache has the shape, and so the memory, that it had."""
        return self._cache.positions == self._end

    def scores(self, inputs: Tensor, positions: Tensor) -> Tensor:
        """Scores [rows, ids] of the rows in use, which stand first: `inputs` [rows, 1, width] at `positions` [rows].

        A row that isn't in use writes to its first position, which whoever takes it overwrites. Valid until the next call.
        """
        used = len(positions)
        self._inputs[:used] = inputs
        self._positions[used:].zero_()
        self._positions[:used, 0] = positions
        if self._inputs.device.type != "cuda":
            return self._run()[:used]
        if self._graph is None:
            self._graph, self._captured = self._capture()
        self._graph.replay()
        return self._captured[:used]

    def _run(self) -> Tensor:
        cache = self._cache
        states = self._model.backbone.run(self._inputs, self._positions, cache, slice(0, cache.rows), self._end)
        return self._model.scores(states[:, 0])

    def _capture(self) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        """A step as a graph, and where its scores will stand."""
        # A step may be run again: it writes the same keys and values to the same places.
        stream, now = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(now)
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._run()
        now.wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Other threads, as that of the watermark, may go on meanwhile.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            scores = self._run()
        return graph, scores
