"""A text read by eSpeak NG as a job, beside the library called in a bare loop in one process: the limit."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from cosmos_workflow.bench.frame import Column, medians
from cosmos_workflow.config import assets_dir
from cosmos_workflow.engines.espeak import speak
from cosmos_workflow.engines.espeak.voices import library_path
from cosmos_workflow.errors import UnavailableError, install

_VOICE, _RATE = "en+f3", 165
_CHILD_SUBREAPER = 36
"""Of Linux' prctl."""
_JOB = f"""job: bench
engine: espeak
params: {{voice: {_VOICE}, rate: {_RATE}}}
audio: {{normalize: {{method: lufs, target: -21}}, format: flac}}
tasks:
  - name: chapter
    text_file: chapter.txt
"""
_BARE = """
import ctypes, importlib.util, json, os, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("speak", sys.argv[1])
speak = importlib.util.module_from_spec(spec)
spec.loader.exec_module(speak)
task = json.load(sys.stdin)
library, rate = speak._load(task["library"], str(Path(task["library"]).parent))
library.espeak_SetVoiceByName(task["voice"].encode())
library.espeak_SetParameter(1, task["rate"], 0)
with open(os.devnull, "wb") as nowhere:
    for text in task["texts"]:
        keep = lambda sound, samples, events: 0 * nowhere.write(ctypes.string_at(sound, 2 * samples) if sound else b"")
        take = speak._Callback(keep)
        library.espeak_SetSynthCallback(take)
        data = text.encode() + b"\\0"
        library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 1, 0, 1, None, None)
"""


@dataclass(frozen=True, slots=True)
class EspeakFigure:
    """One way of reading the text, in so many pieces: CPU seconds in the median of the rounds, and how many times the bare loop's
    they are."""

    TITLE: ClassVar[str] = "eSpeak NG, a chapter of 20,000 characters in {figure.pieces} pieces"
    way: Annotated[str, Column("")]
    pieces: int
    cpu_seconds: Annotated[float, Column("CPU s", "{:.1f}")]
    ratio: Annotated[float, Column("ratio", "{:.1f}")]


def bench_espeak(rounds: int = 3) -> list[EspeakFigure]:
    """The ways in turn, round by round. What the command takes to start is measured by a job that has nothing left to do."""
    library = library_path()
    if library is None:
        raise UnavailableError(f"The speech library isn't installed. Run {install('espeakng-loader')}.")
    text = (assets_dir() / "jobs" / "book.txt").read_text(encoding="utf-8")
    pieces: list[str] = []

    def measure() -> tuple[float, float, float]:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            (folder / "chapter.txt").write_text(text, encoding="utf-8")
            (folder / "bench.yaml").write_text(_JOB, encoding="utf-8")
            job, again = _job(folder), _job(folder)
            pieces[:] = _pieces(folder)
            return _bare(library, pieces), job, again

    bare, job, again = medians(measure() for _ in range(rounds))
    ways = {"bare loop": bare, "job, from start to end": job, "of it, to start and find all made": again}
    return [EspeakFigure(way, len(pieces), seconds, seconds / bare) for way, seconds in ways.items()]


def _job(folder: Path) -> float:
    command = [sys.executable, "-m", "cosmos_workflow", "run", str(folder / "bench.yaml"), "--workspace", str(folder / "work")]
    return _cpu_seconds(command, "")


def _pieces(folder: Path) -> list[str]:
    """The texts of the job's runs: what the bare loop is to speak."""
    runs = sorted((folder / "work" / "runs").rglob("run.json"))
    return [json.loads(run.read_text(encoding="utf-8"))["prompt"]["text"] for run in runs]


def _bare(library: Path, texts: Sequence[str]) -> float:
    task = {"library": str(library), "voice": _VOICE, "rate": _RATE, "texts": texts}
    return _cpu_seconds([sys.executable, "-I", "-S", "-c", _BARE, speak.__file__], json.dumps(task))


def _cpu_seconds(command: Sequence[str], given: str) -> float:
    """CPU seconds of a command and all that it starts; raises UnavailableError where it fails."""
    if sys.platform == "linux":  # what a process that was killed leaves behind becomes ours, else its time is nobody's
        ctypes.CDLL(None).prctl(_CHILD_SUBREAPER, 1)
    before = os.times()
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    with suppress(ChildProcessError):  # until none is left
        while sys.platform == "linux":
            os.wait()
    after = os.times()
    if done.returncode:
        raise UnavailableError(f"The command {command[0]} failed: {done.stderr.strip()[-300:]}")
    return after.children_user + after.children_system - before.children_user - before.children_system
