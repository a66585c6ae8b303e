"""What a recording must be before a model sees it, checked in the app's own process: no torch, soundfile imported when needed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from cosmos_workflow.engines.chatterbox.variants import Variant
from cosmos_workflow.errors import InputError

LONGEST_VOICE = 120.0
"""Seconds; the models use at most the first 15."""

LONGEST_SPEECH = 40.0
"""Seconds of a recording to convert: the length the models are made for (1,000 tokens)."""

SHORTEST_SPEECH = 0.5
SILENCE = 1e-3
"""Peak, of full scale 1, below which a recording counts as silent (-60 dB)."""


def check_voice(path: Path, variant: Variant) -> None:
    """Raise InputError where this file can't be a voice for this variant."""
    _check(path, "voice", variant.shortest_voice, LONGEST_VOICE, "5 to 20 seconds of one person speaking")


def check_speech(path: Path) -> None:
    """Raise InputError where this file can't be converted to another voice."""
    _check(path, "speech", SHORTEST_SPEECH, LONGEST_SPEECH, "a recording of up to 40 seconds, or cut it into pieces")


def seconds_of(path: Path) -> float:
    """The length of a recording; raises InputError where it can't be read as sound."""
    stat = path.stat()
    return _measure(path, (stat.st_mtime_ns, stat.st_size))[0]


def _check(path: Path, name: str, shortest: float, longest: float, right: str) -> None:
    stat = path.stat()
    seconds, peak = _measure(path, (stat.st_mtime_ns, stat.st_size))
    where = f"chatterbox: the input {name!r} ({path.name})"
    if seconds < shortest:
        raise InputError(f"{where} is {seconds:.2f} s long, and at least {shortest:g} s are needed; use {right}.")
    if seconds > longest:
        raise InputError(f"{where} is {seconds:.0f} s long, and at most {longest:g} s can be used; use {right}.")
    if peak < SILENCE:
        raise InputError(f"{where} is silent; use {right}.")


@lru_cache(maxsize=256)
def _measure(path: Path, _state: tuple[int, int]) -> tuple[float, float]:
    """Seconds and peak of a file in this state (time of change and size); raises InputError where it can't be read as sound."""
    import numpy as np
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            seconds = len(file) / file.samplerate
            if seconds > LONGEST_VOICE:
                return seconds, 1.0
            peak = max((float(np.abs(block).max()) for block in file.blocks(65536, dtype="float32") if len(block)), default=0.0)
    except soundfile.LibsndfileError as error:
        raise InputError(f"chatterbox: {path.name} can't be read as sound; use a wav, flac, ogg or mp3 file.") from error
    if not np.isfinite(peak):
        raise InputError(f"chatterbox: {path.name} holds values that aren't numbers; save it again as a wav file.")
    return seconds, peak
