"""Kokoro through the queue, on one worker and on two, beside kokoro-onnx called in a bare loop: the limit."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from cosmos_workflow.bench.frame import Column, in_turn
from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.kokoro.model import read_voice, threads
from cosmos_workflow.engines.kokoro.model_files import model_file, require_kokoro, voice_file
from cosmos_workflow.engines.kokoro.voices import VOICES
from cosmos_workflow.errors import UnavailableError, command
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.queueing import Prompt, Queue

TEXTS = (
    "She sells fresh bread at the corner of the old market.",
    "A strong wind blew across the empty field before dawn, and nobody was there to hear it.",
    "My grandmother kept all her letters in a painted box.",
    "After the storm the river was higher than the bridge, so the train to London had to wait for two hours.",
)
TEN_WORDS = "I have never seen such a beautiful garden as yours."
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class KokoroFigure:
    """One way of speaking: audio seconds per second and per CPU second, and seconds to the first sound, cold and warm.

    The last two are 0 where they weren't taken.
    """

    TITLE: ClassVar[str] = "Kokoro"
    way: Annotated[str, Column("")]
    per_second: Annotated[float, Column("audio s / s", "{:.2f}")]
    per_cpu_second: Annotated[float, Column("audio s / CPU s", "{:.2f}")]
    cold: Annotated[float, Column("cold start to first sound", lambda figure: f"{figure.cold:.1f} s" if figure.cold else "")]
    warm: Annotated[float, Column("first sound, warm", lambda figure: f"{figure.warm:.1f} s" if figure.warm else "")]


def bench_kokoro(items: int = 12, rounds: int = 3) -> list[KokoroFigure]:
    """The ways in turn, round by round; medians. Raises UnavailableError without the model files."""
    _, folder = require_kokoro()
    voice = next((name for name in VOICES if voice_file(folder, name)), "")
    if not voice:
        raise UnavailableError(f"There is no voice among Kokoro's model files; run {command('weights', 'fetch', 'kokoro')}.")
    texts = [TEXTS[number % len(TEXTS)] for number in range(items)]
    cores = threads()
    ways = {f"kokoro-onnx, bare loop, {cores} threads": _bare(folder, voice, texts)}
    with tempfile.TemporaryDirectory() as scratch:
        for workers in (1, 2):
            each = max(1, cores // workers)
            name = f"ours, {workers} worker{'s' if workers > 1 else ''} x {each} thread{'s' if each > 1 else ''}"
            ways[name] = partial(_round, Path(scratch) / f"{workers}", workers, voice, texts)
        taken = in_turn(ways, rounds)
    return [KokoroFigure(way, *(round(number, 3) for number in numbers)) for way, numbers in taken.items()]


def _bare(folder: Path, voice: str, texts: Sequence[str]) -> Callable[[], tuple[float, ...]]:
    """kokoro-onnx on a session with as many threads as one worker of ours has."""
    import onnxruntime
    from kokoro_onnx import Kokoro

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    session = onnxruntime.InferenceSession(str(model_file(folder)), options, providers=["CPUExecutionProvider"])
    with tempfile.TemporaryDirectory() as scratch:
        voices = Path(scratch) / "voices.npz"
        np.savez(voices, allow_pickle=False, **{voice: read_voice(folder, voice)[:, None]})
        kokoro = Kokoro.from_session(session, str(voices))

    def call() -> tuple[float, ...]:
        started, cpu = time.perf_counter(), time.process_time()
        made = sum(len(kokoro.create(text, voice, lang="en-us")[0]) / 24_000 for text in texts)
        return made / (time.perf_counter() - started), made / (time.process_time() - cpu), 0.0, 0.0

    return call


def _round(folder: Path, workers: int, voice: str, texts: Sequence[str]) -> tuple[float, ...]:
    """Its workers are started anew, so that the rounds know a cold start too."""
    params = {"voice": voice, "language": "en-us"}
    started = time.perf_counter()
    with Operations(Workspace.open(folder), gpu_ids=(None,) * workers) as operations:
        _make(operations, [TEN_WORDS], params, 1)
        cold = time.perf_counter() - started
        _make(operations, [TEN_WORDS] * workers * 2, params, workers)
        started = time.perf_counter()
        _make(operations, [TEN_WORDS], params, 1)
        warm = time.perf_counter() - started
        cpu, started = cpu_seconds(), time.perf_counter()
        made = _make(operations, texts, params, workers)
        seconds, spent = time.perf_counter() - started, cpu_seconds() - cpu
    return made / seconds, made / spent, cold, warm


def _make(operations: Operations, texts: Sequence[str], params: dict[str, Any], workers: int) -> float:
    """Audio seconds of these texts, made in as many batches at once as there are workers."""
    shares = [texts[number::workers] for number in range(workers)]

    def make(share: Sequence[str]) -> float:
        queue = Queue()
        queue.add_to_queue([Prompt(text) for text in share], "kokoro", params)
        made = 0.0
        for result in operations.batch_inference(queue.snapshot().items):
            run = operations.store.runs.get(result.run_id)
            if result.error or run is None:
                raise UnavailableError(f"kokoro failed: {result.error or 'no run'}")
            made += float(run.metadata["seconds"])
        return made

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(make, filter(None, shares)))


def cpu_seconds() -> float:
    """CPU seconds of this process, its children, and theirs, as far as /proc tells."""
    if not Path("/proc/self/stat").exists():
        return time.process_time()
    own = os.getpid()
    parents = dict(_processes())
    wanted, found = {own}, {own}
    while found:
        found = {pid for pid, fields in parents.items() if int(fields[1]) in wanted} - wanted
        wanted |= found
    return sum(sum(int(ticks) for ticks in parents[pid][11:15]) for pid in wanted if pid in parents) / TICKS


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Each process with the fields of its stat from the state on."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            yield int(path.parent.name), path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
