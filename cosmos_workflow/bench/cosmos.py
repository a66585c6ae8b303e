"""What batching gains on Cosmos Transfer: the time per item alone and in batches, in one run.

Every item has the same clip, steps and seed, and a prompt of its own; control clips are made before the clock starts, so that
the time is that of the model. On toy weights the times say nothing of the real model's; the pipeline and the way are the same.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar
from unittest.mock import patch

import numpy as np
import torch

from cosmos_workflow.bench.frame import Column, seconds_of
from cosmos_workflow.engines.base import Device
from cosmos_workflow.engines.cosmos_transfer import SPEC
from cosmos_workflow.engines.cosmos_transfer.engine import CosmosTransferEngine
from cosmos_workflow.engines.cosmos_transfer.sampling import Prepared, make_clips
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.engines.testing.cosmos_transfer.toy_engine import ToyCosmosTransferEngine
from cosmos_workflow.engines.testing.cosmos_transfer.toy_weights import write_toy_weights
from cosmos_workflow.engines.testing.harness import RecordingContext, make_request
from cosmos_workflow.errors import is_out_of_memory
from cosmos_workflow.media import ClipWriter

BATCHES = (1, 2, 4, 8)
TOY_SIZE, REAL_SIZE = (96, 64), (1280, 704)
FPS, FRAMES = 8, 9


@dataclass(frozen=True, slots=True)
class CosmosFigure:
    """A batch size: seconds per item in the median of the rounds, and how many times as fast that is as alone.

    `device` says where and on which weights; `peak_bytes` is the GPU's memory at its fullest, 0 on a CPU. A size that doesn't
    fit has no seconds.
    """

    TITLE: ClassVar[str] = "Cosmos Transfer, {figure.device}"
    items: Annotated[int, Column("items at once")]
    seconds_per_item: Annotated[float | None, Column("seconds per item", "{:.3f}", "doesn't fit")]
    gain: Annotated[float | None, Column("times as fast", "{:.2f}")]
    device: str
    peak_bytes: Annotated[int, Column("GPU memory", lambda one: f"{one.peak_bytes / 1e9:.1f} GB" if one.peak_bytes else "")]


def bench_cosmos(
    weights: Path | None = None,
    gpu: int | None = None,
    batch: Sequence[int] | None = None,
    rounds: int = 3,
    steps: int = 10,
) -> list[CosmosFigure]:
    """Times the pipeline on weights in this folder (as COSMOS_WORKFLOW_WEIGHTS takes it), or on toy weights without one.

    The clip is small on toy weights, 720p on others. `gpu` is its number, None the CPU. The first call of each batch size isn't
    counted. Raises UnavailableError where the weights can't be used.
    """
    with tempfile.TemporaryDirectory(prefix="bench-cosmos-") as scratch:
        folder = weights or write_toy_weights(Path(scratch) / "weights", annotators=False)
        made = CosmosTransferEngine() if weights else ToyCosmosTransferEngine()
        with patch.dict(os.environ, {FOLDER_VARIABLE: str(folder)}), closing(made) as engine:
            engine.load(Device(gpu))
            clip = _write_clip(Path(scratch) / "clip.mp4", REAL_SIZE if weights else TOY_SIZE)
            items = _items(engine, clip, max(batch or BATCHES), steps)
            return _figures(engine, items, batch or BATCHES, rounds, "toy weights" if weights is None else folder.name)


def _items(engine: CosmosTransferEngine, clip: Path, count: int, steps: int) -> list[Prepared]:
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
    gpu = engine.model.device.type == "cuda"
    device = f"{torch.cuda.get_device_name() if gpu else 'CPU'}, {weights}"
    figures: list[CosmosFigure] = []
    for count in batches:
        if gpu:
            torch.cuda.reset_peak_memory_stats()
        seconds = _median(lambda count=count: make_clips(engine.model, items[:count], lambda *_: None), rounds)
        peak = torch.cuda.max_memory_allocated() if gpu else 0
        per_item = None if seconds is None else seconds / count
        alone = figures[0].seconds_per_item if figures else per_item
        figures.append(CosmosFigure(count, per_item, alone / per_item if alone and per_item else None, device, peak))
    return figures


def _median(call: Callable[[], object], rounds: int) -> float | None:
    """Seconds of a call in the median of the rounds, after one that isn't counted; None where memory runs out."""
    try:
        call()
        return statistics.median(seconds_of(call) for _ in range(rounds))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return None


def _write_clip(path: Path, size: tuple[int, int]) -> Path:
    width, height = size
    with ClipWriter(path, width, height, FPS) as clip:
        for number in range(FRAMES):
            picture = np.full((height, width, 3), 60, np.uint8)
            left = (8 + 2 * number) % (width // 2)
            picture[height // 4 : 3 * height // 4, left : left + width // 2] = (200, 120, 40)
            clip.write(picture)
    return path
