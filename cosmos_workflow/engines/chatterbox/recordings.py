"""Recordings as Chatterbox takes them: checked in the app's own process, and handed to the package as files that it can read.

No torch is imported here; soundfile and numpy when they are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cosmos_workflow.engines.chatterbox.variants import Variant
from cosmos_workflow.engines.probing import look_at_sound
from cosmos_workflow.errors import InputError
from cosmos_workflow.media import read_sound, write_sound

LONGEST_VOICE = 120.0
"""Seconds; the models use at most the first 15."""

LONGEST_SPEECH = 40.0
"""Seconds of a recording to convert: the length the models are made for (1,000 tokens)."""

SHORTEST_SPEECH = 0.5
SILENCE = 1e-3
"""Peak, of full scale 1, below which a recording counts as silent (-60 dB)."""

HEARD = 0.5
"""Seconds that must be heard in the part of a voice that the model uses."""

BELOW_VOICE = 0.1
"""What is 20 dB below the loudest of a recording is its room, not its voice."""

_WINDOW = 0.05
"""Seconds of which the peak is taken."""


def check_voice(path: Path, variant: Variant) -> None:
    """Raise InputError where this file can't be a voice for this variant, or the part of it that is used has none."""
    right = "5 to 20 seconds of one person speaking"
    _check(path, "voice", variant.shortest_voice, LONGEST_VOICE, right)
    recording = _recording(path)
    silence = recording.silence_before(variant.used_voice)
    if silence:
        raise InputError(
            f"{_where(path, 'voice')} begins with {silence:.0f} s without a voice, and the model uses only the first "
            f"{variant.used_voice:g} s; cut the silence away, or use {right}."
        )


def check_speech(path: Path) -> None:
    """Raise InputError where this file can't be converted to another voice."""
    _check(path, "speech", SHORTEST_SPEECH, LONGEST_SPEECH, "a recording of up to 40 seconds, or cut it into pieces")


def seconds_of(path: Path) -> float:
    """The length of a recording; raises InputError where it can't be read as sound."""
    return _recording(path).seconds


@contextmanager
def as_package_reads(path: Path) -> Iterator[Path]:
    """The file itself where soundfile reads it, as the package does; else a WAV with its sound (of an .m4a or .webm)."""
    if _by_soundfile(path):
        yield path
        return
    with TemporaryDirectory() as folder:
        wav = Path(folder) / "sound.wav"
        rate = look_at_sound(path).sample_rate
        write_sound(wav, read_sound(path, rate, LONGEST_VOICE), rate, "wav")
        yield wav


@dataclass(frozen=True, slots=True)
class _Recording:
    """`peaks` of each `_WINDOW` of the sound, of full scale 1."""

    seconds: float
    peaks: tuple[float, ...]

    @property
    def peak(self) -> float:
        return max(self.peaks, default=0.0)

    def silence_before(self, used: float) -> float:
        """Seconds before the voice begins, where next to nothing of it is heard in the first `used` seconds; else 0."""
        usual = sorted(self.peaks)[-1 - len(self.peaks) // 100]  # not a click
        audible = [peak >= max(SILENCE, usual * BELOW_VOICE) for peak in self.peaks]
        if sum(audible[: round(used / _WINDOW)]) * _WINDOW >= min(HEARD, sum(audible) * _WINDOW):
            return 0.0
        return _WINDOW * next(number for number in range(round(used / _WINDOW), len(audible)) if audible[number])


def _check(path: Path, name: str, shortest: float, longest: float, right: str) -> None:
    recording = _recording(path)
    where = _where(path, name)
    if recording.seconds < shortest:
        raise InputError(f"{where} is {recording.seconds:.2f} s long, and at least {shortest:g} s are needed; use {right}.")
    if recording.seconds > longest:
        raise InputError(f"{where} is {recording.seconds:.0f} s long, and at most {longest:g} s can be used; use {right}.")
    if recording.peak < SILENCE:
        raise InputError(f"{where} is silent; use {right}.")


def _where(path: Path, name: str) -> str:
    return f"chatterbox: the input {name!r} ({path.name})"


def _recording(path: Path) -> _Recording:
    stat = path.stat()
    return _measure(path, (stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=256)
def _measure(path: Path, _state: tuple[int, int]) -> _Recording:
    """A file in this state (time of change and size) as it is decoded; raises InputError where it can't be read as sound."""
    import numpy as np

    peaks: list[float] = []
    seconds = 0.0
    for rate, block in _blocks(path):
        window = max(1, round(rate * _WINDOW))
        peaks += np.maximum.reduceat(np.abs(block), np.arange(0, len(block), window)).tolist()
        seconds += len(block) / rate
        if seconds > LONGEST_VOICE + 10:
            break
    if not np.isfinite(peaks).all():
        raise InputError(f"chatterbox: {path.name} holds values that aren't numbers; save it again as a wav file.")
    return _Recording(seconds, tuple(peaks))


def _blocks(path: Path) -> Iterator[tuple[int, Any]]:
    """The sound in pieces of a second, as (sample rate, the loudest channel's samples of full scale 1)."""
    import numpy as np
    import soundfile

    if not _by_soundfile(path):
        rate = look_at_sound(path).sample_rate
        pending = np.zeros(0, np.float32)
        for samples in read_sound(path, rate):
            pending = np.concatenate([pending, samples.astype(np.float32) / 32768])
            while len(pending) >= rate:
                yield rate, pending[:rate]
                pending = pending[rate:]
        if len(pending):
            yield rate, pending
        return
    try:
        with soundfile.SoundFile(path) as file:
            for block in file.blocks(file.samplerate, dtype="float32", always_2d=True):
                if len(block):
                    yield file.samplerate, np.abs(block).max(axis=1)
    except soundfile.LibsndfileError as error:
        raise InputError(f"chatterbox: {path.name} can't be read as sound; use a wav, flac, ogg, mp3 or m4a file.") from error


def _by_soundfile(path: Path) -> bool:
    import soundfile

    try:
        soundfile.info(str(path))
    except soundfile.LibsndfileError:
        return False
    return True
