"""What batching gains on Cosmos Transfer: the time per item alone and in batches, in one run.

Every item has the same clip, steps and seed, and a prompt of its own; control clips are made before the clock starts, so that
the time is that of the model. On toy weights the times say nothing of the real model's; the pipeline and the way are the same.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.errors import is_out_of_memory

if TYPE_CHECKING:
    from cosmos_workflow.engines.cosmos_transfer.engine import CosmosTransferEngine
    from cosmos_workflow.engines.cosmos_transfer.sampling import Prepared

BATCHES = (1, 2, 4, 8)
TOY_SIZE, REAL_SIZE = (96, 64), (1280, 704)
FPS = 8


@dataclass(frozen=True, slots=True)
class CosmosFigure:
    """A batch size: seconds per item in the median of the rounds, and how many times as fast that is as alone.

    `device` says where and on which weights; `peak_bytes` is the GPU's memory at its fullest, 0 on a CPU. A size that doesn't
    fit has no seconds.
    """

    items: int
    seconds_per_item: float | None
    gain: float | None
    device: str
    peak_bytes: int


def bench_cosmos(
    weights: Path | None = None,
    *,
    batches: Sequence[int] = BATCHES,
    rounds: int = 3,
    steps: int = 10,
    frames: int = 9,
    size: tuple[int, int] | None = None,
    gpu: int | None = None,
) -> list[CosmosFigure]:
    """Times the pipeline on weights in this folder (as COSMOS_WORKFLOW_WEIGHTS takes it), or on toy weights without one.

    `size` is the clip's (width, height): small on toy weights, 720p on others. `gpu` is its number, None the CPU. The first call
    of each size isn't counted. Raises UnavailableError where the weights can't be used.
    """
    from cosmos_workflow.engines.base import Device
    from cosmos_workflow.engines.cosmos_transfer.engine import CosmosTransferEngine
    from cosmos_workflow.engines.testing.cosmos_transfer.toy_engine import ToyCosmosTransferEngine
    from cosmos_workflow.engines.testing.cosmos_transfer.toy_weights import write_toy_weights

    with tempfile.TemporaryDirectory(prefix="bench-cosmos-") as scratch:
        folder = weights or write_toy_weights(Path(scratch) / "weights", annotators=False)
        before = os.environ.get(FOLDER_VARIABLE)
        os.environ[FOLDER_VARIABLE] = str(folder)
        engine = CosmosTransferEngine() if weights else ToyCosmosTransferEngine()
        try:
            engine.load(Device(gpu))
            clip = _write_clip(Path(scratch) / "clip.mp4", frames, size or (REAL_SIZE if weights else TOY_SIZE))
            items = _items(engine, clip, max(batches), steps)
            return _figures(engine, items, batches, rounds, "toy weights" if weights is None else folder.name)
        finally:
            engine.close()
            _restore(before)


def table(figures: list[CosmosFigure]) -> Table:
    """The figures as a table for a terminal."""
    shown = Table(title=f"Cosmos Transfer, {figures[0].device}" if figures else "Cosmos Transfer")
    for column in ("items at once", "seconds per item", "times as fast", "GPU memory"):
        shown.add_column(column, justify="right")
    for figure in figures:
        seconds = "doesn't fit" if figure.seconds_per_item is None else f"{figure.seconds_per_item:.3f}"
        gain = "" if figure.gain is None else f"{figure.gain:.2f}"
        memory = f"{figure.peak_bytes / 1e9:.1f} GB" if figure.peak_bytes else ""
        shown.add_row(str(figure.items), seconds, gain, memory)
    return shown


def _items(engine: CosmosTransferEngine, clip: Path, count: int, steps: int) -> list[Prepared]:
    from cosmos_workflow.engines.cosmos_transfer import SPEC
    from cosmos_workflow.engines.cosmos_transfer.sampling import Prepared
    from cosmos_workflow.engines.testing.harness import RecordingContext, make_request

    params = {"num_steps": steps, "fps": FPS}
    weights = {"vis": 0.5, "edge": 0.5, "depth": 0.0, "seg": 0.0}
    context = RecordingContext(SPEC)
    items = []
    for number in range(count):
        request = make_request(SPEC, clip.parent, f"A street, take {number}", params, weights, {"video": clip}, f"qi_{number}")
        prepared = engine.prepare(request, context)
        if not isinstance(prepared, Prepared):
            raise TypeError(f"an item of the bench can't be made: {prepared}")
        items.append(prepared)
    return items


def _figures(
    engine: CosmosTransferEngine, items: list[Prepared], batches: Sequence[int], rounds: int, weights: str
) -> list[CosmosFigure]:
    import torch

    from cosmos_workflow.engines.cosmos_transfer.sampling import make_clips

    gpu = engine.model.device.type == "cuda"
    device = f"{torch.cuda.get_device_name() if gpu else 'CPU'}, {weights}"
    figures: list[CosmosFigure] = []
    for count in batches:
        if gpu:
            torch.cuda.reset_peak_memory_stats()
        seconds = _median(lambda count=count: make_clips(engine.model, items[:count], _ignore), rounds)
        peak = torch.cuda.max_memory_allocated() if gpu else 0
        per_item = None if seconds is None else seconds / count
        alone = figures[0].seconds_per_item if figures else per_item
        figures.append(CosmosFigure(count, per_item, alone / per_item if alone and per_item else None, device, peak))
    return figures


def _median(call: Callable[[], object], rounds: int) -> float | None:
    """Seconds of a call in the median of the rounds, after one that isn't counted; None where memory runs out."""
    times = []
    try:
        call()
        for _ in range(rounds):
            started = time.perf_counter()
            call()
            times.append(time.perf_counter() - started)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return None
    return statistics.median(times)


def _ignore(_chunk: int, _chunks: int, _done: int) -> None:
    """Nobody looks at the progress of a bench."""


def _write_clip(path: Path, frames: int, size: tuple[int, int]) -> Path:
    import numpy as np

    from cosmos_workflow.media import ClipWriter

    width, height = size
    with ClipWriter(path, width, height, FPS) as clip:
        for number in range(frames):
            picture = np.full((height, width, 3), 60, np.uint8)
            left = (8 + 2 * number) % (width // 2)
            picture[height // 4 : 3 * height // 4, left : left + width // 2] = (200, 120, 40)
            clip.write(picture)
    return path


def _restore(before: str | None) -> None:
    if before is None:
        os.environ.pop(FOLDER_VARIABLE, None)
    else:
        os.environ[FOLDER_VARIABLE] = before
