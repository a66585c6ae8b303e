"""The work of the espeak engine: each item is spoken by a fresh process, and its sound written as a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import soundfile  # noqa: F401 - loaded with the engine, so that no item waits for it

from cosmos_workflow.engines.base import Context, Device, Output, Request, SerialEngine
from cosmos_workflow.engines.espeak import SPEC, EspeakParams, speak, spoken_text
from cosmos_workflow.engines.espeak.clauses import first_missed
from cosmos_workflow.engines.espeak.voices import NO_LIBRARY, library_path
from cosmos_workflow.engines.talking import Lines
from cosmos_workflow.errors import InputError, UnavailableError, WorkflowError, shorten
from cosmos_workflow.gpu_dispatch import platform
from cosmos_workflow.gpu_dispatch.process import describe_exit
from cosmos_workflow.media import resample_sound, write_sound

SILENT_LIMIT = 60.0
"""Seconds a voice may say nothing of itself before it counts as hung; it speaks 400 times faster than a person."""
MAX_SECONDS = 4 * 3600
"""An SSML break, or digits read out, could fill the disk."""
Samples = np.ndarray[Any, np.dtype[np.int16]]

_BLOCK = 1 << 18
_LOWEST_AUDIBLE_VOLUME = 4


class EspeakEngine(SerialEngine):
    """Speaks texts one by one, each in a process of its own: the same item gives the same bytes in any batch."""

    def load(self, device: Device) -> None:
        self._speaker = Speaker(SPEC.name)

    def generate_one(self, request: Request, context: Context) -> Output:
        params = cast("EspeakParams", request.params)
        context.report(request.id, "starting")
        text = spoken_text(request.text, params)
        name = f"audio.{params.format}"
        pcm = request.folder / "speech.pcm"
        try:
            native = self._speak(text, params, pcm, lambda done: context.report(request.id, "speaking", done))
            _require_sound(pcm, params)
            rate = native if params.sample_rate == "native" else int(params.sample_rate)
            blocks = _blocks(pcm, lambda done: context.report(request.id, "encoding", done))
            samples = write_sound(request.folder / name, resample_sound(blocks, native, rate), rate, params.format)
        finally:
            pcm.unlink(missing_ok=True)
        context.report(request.id, "completed")
        described = {"seconds": round(samples / rate, 3), "sample_rate": rate, "characters": len(request.text)}
        return Output(request.id, {"audio": name}, {**described, "voice": params.voice})

    def close(self) -> None:
        """No process stays behind: until then the one that has the library loaded waits for the next item."""
        self._speaker.end()

    def _speak(self, text: str, params: EspeakParams, pcm: Path, report: Callable[[float], None]) -> int:
        """Speak `text` into the raw file `pcm` in a process of its own; its sample rate. `report` gets the share spoken."""
        task = {
            **params.model_dump(include={"voice", "rate", "pitch", "volume", "ssml"}),
            "text": text,
            "pcm": str(pcm),
            "max_seconds": MAX_SECONDS,
        }
        words, rate = self._speaker.speak(task, lambda spoken: report(spoken / len(text)))
        missed = first_missed(text, words, params.ssml)
        if missed is not None:  # the library drops what it can't hold without a word
            began = shorten(text[missed : missed + 40].strip())
            raise WorkflowError(f"espeak: the text wasn't spoken whole; from {began} on a part is missing.")
        return rate


class Speaker:
    """The process that `speak` describes, started when it is needed, and again when it died or was ended.

    `engine` stands in front of what goes wrong. Raises UnavailableError where the library isn't installed.
    """

    def __init__(self, engine: str) -> None:
        library = library_path()
        if library is None:
            raise UnavailableError(str(NO_LIBRARY))
        # -I and -S: nothing of the user's environment gets in, and it starts in half the time.
        self._command = [sys.executable, "-I", "-S", speak.__file__, str(library), str(library.parent)]
        self._once = platform.portable()
        if self._once:
            self._command.append(speak.ONCE)
        self._engine = engine
        self._process: subprocess.Popen[bytes] | None = None

    def speak(self, task: Mapping[str, Any], report: Callable[[int], None]) -> tuple[list[tuple[int, int]], int]:
        """Speak as a task asks; the words with their places, and the sample rate.

        `report` gets the characters spoken so far; when it raises, the process is ended.
        """
        words: list[tuple[int, int]] = []
        rate = 0

        def hear(line: Mapping[str, Any]) -> None:
            nonlocal rate
            rate = line.get("sample_rate", rate)
            words.extend((start, length) for start, length in line.get("words", ()))
            if not rate:  # the last line needs no report of its own
                report(words[-1][0] if words else 0)

        self._ask(task, hear)
        return words, rate

    def phonemes(self, texts: list[str], voice: str) -> list[str]:
        """The IPA of each text, as a voice says it."""
        found: list[str] = []
        self._ask({"texts": texts, "voice": voice}, lambda line: found.extend(line.get("phonemes", ())))
        return found

    def end(self) -> None:
        """End the process and the one that speaks now, if there are any."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):  # it is gone, and what it was asked last never reached it
            cast("IO[bytes]", process.stdin).close()
        platform.kill_family(process)
        process.wait()

    def _ask(self, task: Mapping[str, Any], hear: Callable[[Mapping[str, Any]], None]) -> None:
        """Hand over a task, and listen until it is done; `hear` gets an empty line while nothing is said."""
        goes_on = False
        try:
            if self._process is None or self._process.poll() is not None:
                self._process = platform.start_family(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, "LC_ALL": "C.UTF-8"},
                )
                self._lines = Lines(cast("IO[bytes]", self._process.stdout))
            self._follow(self._process, task, hear)
            goes_on = not self._once
        finally:
            if not goes_on:
                self.end()

    def _follow(
        self, process: subprocess.Popen[bytes], task: Mapping[str, Any], hear: Callable[[Mapping[str, Any]], None]
    ) -> None:
        stdin, heard, error, code = cast("IO[bytes]", process.stdin), time.monotonic(), "", None
        with suppress(OSError):  # it died: its end is read below
            stdin.write(json.dumps(task, ensure_ascii=False).encode() + b"\n")  # less than the pipe holds: it can't hang here
            stdin.flush()
        for line in self._lines:
            if line is not None:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENT_LIMIT:
                raise WorkflowError(
                    f"{self._engine}: the voice process hung for {SILENT_LIMIT:g} seconds and was ended; try again."
                )
            code = (line or {}).get("ended")
            if code == 0:
                return
            error = (line or {}).get("error", error)
            if code is not None:
                break
            hear(line or {})
        if error:
            raise WorkflowError(f"{self._engine}: {error}.")
        what = describe_exit(process.wait() if code is None else code, "the voice process")
        raise WorkflowError(f"{self._engine}: {what} before the text was spoken; try again.")


def _blocks(pcm: Path, report: Callable[[float], None]) -> Iterator[Samples]:
    """The raw file block by block; `report` gets the share read so far."""
    done, total = 0, max(1, pcm.stat().st_size)
    with pcm.open("rb") as file:
        while data := file.read(2 * _BLOCK):
            if done:  # most pieces are one block
                report(done / total)
            done += len(data)
            yield np.frombuffer(data, dtype=np.int16)


def _require_sound(pcm: Path, params: EspeakParams) -> None:
    """Raise InputError where there is nothing to hear, unless the volume asks for silence."""
    if params.volume < _LOWEST_AUDIBLE_VOLUME:
        return
    if not any(block.any() for block in _blocks(pcm, lambda _: None)):
        raise InputError("espeak: the text holds nothing that can be spoken; write words.")
