"""Chatterbox in batches beside the package's own serial way, alternated in one run, and the device's limit beside both.

Random weights at full or toy size that never end by themselves, so that every item has the same number of tokens. The serial
rate of a line is that of the two items made just before and just after the batch, so that a busy machine slows both. With one
thread on the CPU the seconds are those that this process was given, which other programs don't lengthen.
"""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, ClassVar
from unittest.mock import patch

from cosmos_workflow.bench.chatterbox_stages import Spent, Stages, clock_of, peak_memory, timed, timed_batch
from cosmos_workflow.bench.frame import Column, seconds_of
from cosmos_workflow.engines.base import Device, Output
from cosmos_workflow.engines.chatterbox import SPEC
from cosmos_workflow.engines.chatterbox.params import ChatterboxParams
from cosmos_workflow.engines.chatterbox.variants import TOKENS_PER_SECOND
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.engines.testing.harness import RecordingContext, make_request
from cosmos_workflow.errors import InputError, UnavailableError

if TYPE_CHECKING:
    from cosmos_workflow.engines.chatterbox.engine import ChatterboxEngine

CPU_BATCHES = (1, 2, 4, 8, 16)
GPU_BATCHES = (*CPU_BATCHES, 32, 64)
TEXTS = (
    "The train to the coast leaves at a quarter past nine.",
    "Please bring a coat, it may rain in the afternoon.",
    "We had soup, bread, and a little cheese for lunch.",
    "Nobody expected the lights to go out at the very end.",
)
SIZES = ("tiny", "full")
DEVICES = ("cpu", "cuda")
GOALS = {("reproducible", 1): 1.8, ("fast", 1): 1.8, ("reproducible", 16): 4.0, ("fast", 16): 6.0}
"""How many times the package's serial rate, end to end, is wanted on a CPU, by mode and batch size."""


@dataclass(frozen=True, slots=True)
class ChatterboxFigure:
    """One batch size: tokens a second of T3 and end to end, the package's serial way and ours, and their ratios.

    `t3_limit` is what memory bandwidth and arithmetic of this device, as measured in this run, allow. `times_real_time` is
    seconds of sound a second. `peak_mb` is the greatest memory in use during our batch: of the process, or of the GPU.
    `serial` and `ours` are seconds an item by stage; `first_step` and `step` those of T3 for the whole batch, the first, which
    reads the texts, and the others' median.
    """

    TITLE: ClassVar[str] = (
        "Chatterbox, serial and batched ({figure.size} size, {figure.mode}, {figure.device}, {figure.threads} threads, "
        "{figure.tokens_an_item} tokens an item)"
    )
    batch: Annotated[int, Column("batch")]
    tokens_an_item: int
    t3_serial: Annotated[float, Column("T3 serial", "{:.2f}")]
    t3_ours: Annotated[float, Column("ours", "{:.2f}")]
    t3_ratio: Annotated[float, Column("x", "{:.2f}")]
    t3_limit: Annotated[float, Column("limit", "{:.1f}")]
    all_serial: Annotated[float, Column("all serial", "{:.2f}")]
    all_ours: Annotated[float, Column("ours", "{:.2f}")]
    all_ratio: Annotated[float, Column("x", "{:.2f}")]
    goal: Annotated[float | None, Column("goal", "{:g}")]
    times_real_time: Annotated[float, Column("x real time", "{:.2f}")]
    peak_mb: Annotated[float, Column("peak MB", "{:,.0f}")]
    serial: Annotated[Stages, Column("seconds an item: T3, flow, vocoder, rest: serial", lambda one: one.serial.told)]
    ours: Annotated[Stages, Column("ours", lambda one: one.ours.told)]
    first_step: float
    step: float
    size: str
    mode: str
    device: str
    threads: int


def bench_chatterbox(
    size: str = "tiny",
    device: str = "cpu",
    tokens: int = 60,
    mode: str = "reproducible",
    batch: Sequence[int] | None = None,
    threads: int | None = None,
    plot: Path | None = None,
) -> list[ChatterboxFigure]:
    """A figure for each batch size; raises InputError for a wrong size, device or mode, UnavailableError for a device that isn't
    there.

    At full size it writes 3.2 GB of weights into the temporary folder, and takes a quarter of an hour on two CPU cores. Each
    way has a model of its own. `plot` is a picture to write.
    """
    for name, value, choices in (("size", size, SIZES), ("device", device, DEVICES)):
        if value not in choices:
            raise InputError(f"bench chatterbox: {name} {value!r} isn't right; use {' or '.join(choices)}.")
    SPEC.complete_params({"mode": mode, "max_tokens": tokens}, "bench chatterbox")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise UnavailableError("There is no CUDA device here; use --device cpu.")
    torch.set_num_threads(threads or torch.get_num_threads())
    with tempfile.TemporaryDirectory(prefix="bench-chatterbox-") as temporary:
        bench = _Bench(Path(temporary), size, device, tokens, mode)
        figures = [bench.figure(size) for size in batch or (GPU_BATCHES if device == "cuda" else CPU_BATCHES)]
    if plot is not None:
        _plot(figures, plot)
    return figures


class _Bench:
    """Both ways loaded on the same weights."""

    def __init__(self, folder: Path, size: str, device: str, tokens: int, mode: str) -> None:
        import torch

        from cosmos_workflow.engines.chatterbox.engine import ChatterboxEngine, import_package
        from cosmos_workflow.engines.testing.chatterbox.serial import SerialModel
        from cosmos_workflow.engines.testing.chatterbox.toy_engine import ToyChatterboxEngine
        from cosmos_workflow.engines.testing.chatterbox.toy_weights import write_toy_weights

        import_package()
        self._clock = clock_of(device, torch.get_num_threads())
        self._folder, self._size, self._device, self._tokens, self._mode = folder, size, device, tokens, mode
        weights = write_toy_weights(folder / "weights" / "chatterbox", "english", ends=False, tiny=size == "tiny")
        # The modules that were written hold each other; their memory isn't what is measured here.
        gc.collect()
        self._engine: ChatterboxEngine = ToyChatterboxEngine() if size == "tiny" else ChatterboxEngine()
        with patch.dict(os.environ, {FOLDER_VARIABLE: str(weights.parent)}):
            self._engine.load(Device(0 if device == "cuda" else None, device))
            self._engine.max_lines = 64
            self._ours(1, "warm-up")
        self._serial = SerialModel.load("english", weights, device, self._clock)
        self._serial_item(0)
        self._bandwidth, self._flops = measure_device(device)

    def figure(self, batch: int) -> ChatterboxFigure:
        import torch

        before = self._serial_item(2 * batch)
        spent, seconds, peak = self._ours(batch, f"batch-{batch}")
        after = self._serial_item(2 * batch + 1)
        made = batch * self._tokens
        serial = Stages(*((one + other) / 2 for one, other in zip(astuple(before), astuple(after), strict=True)))
        t3_serial = self._tokens / serial.t3
        all_serial = self._tokens / sum(astuple(serial))
        return ChatterboxFigure(
            batch=batch,
            tokens_an_item=self._tokens,
            t3_serial=t3_serial,
            t3_ours=made / spent.t3,
            t3_ratio=made / spent.t3 / t3_serial,
            t3_limit=self._limit(batch),
            all_serial=all_serial,
            all_ours=made / seconds,
            all_ratio=made / seconds / all_serial,
            goal=GOALS.get((self._mode, batch)) if self._device == "cpu" else None,
            serial=serial,
            ours=spent.an_item(batch, seconds),
            first_step=spent.steps[0],
            step=median(spent.steps[1:]),
            times_real_time=made / seconds / TOKENS_PER_SECOND,
            peak_mb=peak / 1e6,
            size=self._size,
            mode=self._mode,
            device=torch.cuda.get_device_name() if self._device == "cuda" else "CPU",
            threads=torch.get_num_threads(),
        )

    def _serial_item(self, number: int) -> Stages:
        """Seconds of one item the package's own way."""
        params = ChatterboxParams(seed=number, max_tokens=self._tokens)
        stages = {"flow_inference": "flow", "hift_inference": "vocoder"}
        with timed(self._serial.upstream.s3gen, stages, self._clock) as spent:
            result = self._serial.generate(TEXTS[number % len(TEXTS)], params)
        if len(result.tokens) != self._tokens:
            raise AssertionError(f"an item has {len(result.tokens)} tokens instead of {self._tokens}")
        spent.t3 = result.t3_seconds
        return spent.an_item(1, result.seconds)

    def _ours(self, batch: int, name: str) -> tuple[Spent, float, float]:
        """Seconds by stage, and of all, for a batch of ours, and the greatest memory in use meanwhile, in bytes."""
        values = {"variant": "english", "max_tokens": self._tokens, "mode": self._mode}
        requests = [
            make_request(SPEC, self._folder / name, TEXTS[seed % len(TEXTS)], {"seed": seed, **values}, item_id=f"item-{seed}")
            for seed in range(batch)
        ]
        with timed_batch(self._clock) as spent, peak_memory(self._device) as peak:
            begun = self._clock()
            outcomes = list(self._engine.generate(requests, RecordingContext(SPEC)))
            seconds = self._clock() - begun
        if not all(isinstance(outcome, Output) and outcome.metadata["tokens"] == self._tokens for outcome in outcomes):
            raise AssertionError(f"not every item became {self._tokens} tokens: {outcomes}")
        return spent, seconds, peak[0]

    def _limit(self, batch: int) -> float:
        """Tokens a second: each step reads the weights once, and multiplies them with two rows an item."""
        t3 = self._serial.upstream.t3
        weights = sum(part.numel() for module in (t3.tfmr.layers, t3.speech_head) for part in module.parameters())
        size = 2 if self._mode == "fast" else 4
        return batch / max(weights * size / self._bandwidth, 2 * weights * 2 * batch / self._flops)


def measure_device(device: str) -> tuple[float, float]:
    """Bytes a second that it reads, and operations a second of a large float32 product."""
    import torch

    values = torch.ones(64 * 2**20, device=device)
    left, right = torch.ones(1024, 1024, device=device), torch.ones(1024, 4096, device=device)
    clock = clock_of(device, torch.get_num_threads() + 1)  # of the wall
    reading, multiplying = (min(seconds_of(work, clock) for _ in range(5)) for work in (values.sum, lambda: left @ right))
    return values.numel() * 4 / reading, 2 * 1024 * 1024 * 4096 / multiplying


def _plot(figures: Sequence[ChatterboxFigure], path: Path) -> None:
    """Tokens a second over the batch size, both ways, as a picture; needs matplotlib (the group `bench`)."""
    from matplotlib.figure import Figure

    picture = Figure(figsize=(9, 4), layout="constrained")
    batches = [figure.batch for figure in figures]
    parts = (
        ("T3", [figure.t3_serial for figure in figures], [figure.t3_ours for figure in figures]),
        ("end to end", [figure.all_serial for figure in figures], [figure.all_ours for figure in figures]),
    )
    for axes, (title, serial, ours) in zip(picture.subplots(1, 2), parts, strict=True):
        axes.plot(batches, ours, marker="o", label="batched")
        axes.plot(batches, serial, marker="o", label="serial")
        if title == "T3":
            axes.plot(batches, [figure.t3_limit for figure in figures], linestyle=":", label="limit of the device")
        axes.set(title=title, xlabel="items in a batch", ylabel="speech tokens a second", xscale="log", yscale="log")
        axes.set_xticks(batches, [str(batch) for batch in batches])
        axes.legend()
    picture.savefig(path)
