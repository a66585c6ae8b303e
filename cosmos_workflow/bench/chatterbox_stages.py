"""Where the seconds of a Chatterbox batch go, ours and the package's, and how much memory is in use meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds an item: speech tokens, mel spectrogram, waveform, and the rest (voice, watermark, file)."""

    t3: float
    flow: float
    vocoder: float
    rest: float

    @property
    def told(self) -> str:
        """In a row."""
        return ", ".join(f"{part:.2f}" for part in astuple(self))


@dataclass(slots=True)
class Spent:
    """Seconds of each stage so far; of T3 also those of each step, the first of which reads the texts."""

    t3: float = 0.0
    flow: float = 0.0
    vocoder: float = 0.0
    steps: list[float] = field(default_factory=list)

    def an_item(self, items: int, seconds: float) -> Stages:
        """Of so many items that took `seconds` in all."""
        known = self.t3 + self.flow + self.vocoder
        return Stages(self.t3 / items, self.flow / items, self.vocoder / items, (seconds - known) / items)


def clock_of(device: str, threads: int) -> Callable[[], float]:
    """Seconds: of this process on a CPU with one thread, else of the wall; on a GPU once it has done what it was given."""
    if device == "cuda":
        import torch

        def waited() -> float:
            torch.cuda.synchronize()
            return time.perf_counter()

        return waited
    return time.process_time if threads == 1 else time.perf_counter


@contextmanager
def timed(owner: Any, stages: Mapping[str, str], clock: Callable[[], float]) -> Iterator[Spent]:
    """The seconds that the methods of a class or an object take meanwhile, each a stage."""
    spent = Spent()
    with ExitStack() as patches:
        for method, stage in stages.items():
            patches.enter_context(patch.object(owner, method, _adding(getattr(owner, method), clock, spent, stage)))
        yield spent


@contextmanager
def timed_batch(clock: Callable[[], float]) -> Iterator[Spent]:
    """The seconds that a batch of ours spends in its stages meanwhile."""
    from cosmos_workflow.engines.chatterbox import production
    from cosmos_workflow.engines.chatterbox.sound import SoundModel

    decode = production.decode

    def steps(*args: Any) -> Iterator[Any]:
        each = decode(*args)
        while True:
            begun = clock()
            step = next(each, None)
            spent.t3 += clock() - begun
            if step is None:
                return
            spent.steps.append(clock() - begun)
            yield step

    stages = {"mels": "flow", "waveform": "vocoder"}
    with timed(SoundModel, stages, clock) as spent, patch.object(production, "decode", steps):
        yield spent


@contextmanager
def peak_memory(device: str) -> Iterator[list[float]]:
    """The greatest memory in use meanwhile, in bytes: of the GPU, or of this process (0 where the system doesn't tell)."""
    peak = [0.0]
    if device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
        yield peak
        peak[0] = torch.cuda.max_memory_allocated()
        return
    reset, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if reset.exists():
        reset.write_text("5", encoding="ascii")
    yield peak
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines() if ":" in line)
        peak[0] = int(lines["VmHWM"].split()[0]) * 1024


def _adding(method: Any, clock: Callable[[], float], spent: Spent, stage: str) -> Any:
    def timed_method(*args: Any, **options: Any) -> Any:
        begun = clock()
        try:
            return method(*args, **options)
        finally:
            setattr(spent, stage, getattr(spent, stage) + clock() - begun)

    return timed_method
