"""Faults that can be measured in a sound itself, without knowing what it says: each with its time span."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from cosmos_workflow.checking.verdict import Fault, Verdict
from cosmos_workflow.engines.speech_text.marks import split_pauses, without_marks
from cosmos_workflow.media import sound_errors

Sound = NDArray[np.float32]

LETTERS_PER_SECOND = 14.0
"""Letters and digits of alphabets in a second of speech: 160 to 180 words a minute."""
SIGNS_PER_SECOND = 4.5
"""The same for Chinese and Japanese signs, of which each is a syllable or two."""

_SIGNS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_WORDS = re.compile(r"\w+")

_FRAME, _HOP, _END = 0.02, 0.02, 0.005
"""Seconds: of a level, between two spectra, and of the end that is looked at for a cut."""
_INAUDIBLE = -60.0
_SHORTEST, _LONGEST = 0.3, 6.0
_ALIKE = 0.9
"""Cosine above which two spectra sound the same."""
_LONG_PAUSE = 1.5
"""Seconds of silence that no text without a pause in it asks for."""
_LATE = 0.4
"""Seconds by which the last word may end later than a recogniser says."""
_HISS, _HISS_SECONDS = 0.25, 0.6
"""Spectral flatness (0 for a tone, 1 for white noise) above which a frame is noise, and for how long no speech is that."""


def read_mono(path: Path) -> tuple[Sound, int]:
    """Samples as float32, full scale 1, and their rate; raises InputError where the file isn't a sound."""
    with sound_errors(path, "use a WAV, FLAC, OGG or MP3 file"):
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    return np.asarray(samples).mean(axis=1), rate


def judge_sound(path: Path, text: str) -> Verdict:
    """A sound's faults, without a recogniser; raises InputError where the file isn't a sound."""
    sound, rate = read_mono(path)
    return Verdict(sound_faults(sound, rate, text), None, round(len(sound) / rate, 3))


def sound_faults(sound: Sound, rate: int, text: str, last_word: float | None = None) -> tuple[Fault, ...]:
    """Clipping, silence, noise, a wrong length, a cut-off end, and stretches that are said twice.

    `last_word` is the second at which the last word of the text ends, where a recogniser told it: what is heard after it is a
    fault.
    """
    said = without_marks(text)
    found = [
        _clipping(sound, rate),
        _silence(sound, rate, text),
        _length(sound, rate, said),
        _cut_off(sound, rate),
        _repeated(sound, rate, said),
        _hiss(sound, rate) if last_word is None else _after(sound, rate, last_word),
    ]
    return tuple(fault for fault in found if fault is not None)


def expected_seconds(text: str) -> float:
    """How long a text takes to say."""
    signs = len(_SIGNS.findall(text))
    letters = sum(letter.isalnum() for letter in text) - signs
    return letters / LETTERS_PER_SECOND + signs / SIGNS_PER_SECOND


def _clipping(sound: Sound, rate: int) -> Fault | None:
    full = np.flatnonzero(np.abs(sound) >= 0.999)
    # Three samples in a row at full scale are a flattened wave; one alone is a peak.
    flat = int(np.count_nonzero(full[2:] - full[:-2] == 2))
    if flat == 0:
        return None
    share = flat / len(sound)
    span = float(full[0]) / rate, float(full[-1]) / rate
    return Fault("clipping", min(1.0, 0.1 + share * 200), f"{flat} samples are clipped.", *span)


def _silence(sound: Sound, rate: int, text: str) -> Fault | None:
    level = levels(sound, rate)
    seconds = len(sound) / rate
    if len(level) == 0 or np.max(level) < _INAUDIBLE:
        return Fault("silence", 1.0, "It is silent.", 0.0, seconds)
    first, last = (frame * _FRAME for frame in _longest(level < threshold(level)))
    # Pauses that the text states may be as long as they are stated, and follow one another.
    stated = sum(segment.pause for segment in split_pauses(text))
    longest = last - first - stated
    if longest < _LONG_PAUSE:
        return None
    where = "at its end" if last > seconds - 0.1 else "at its beginning" if first == 0 else "in it"
    message = f"It is silent {where} for {last - first:.1f} s."
    return Fault("silence", min(1.0, 0.3 + (longest - _LONG_PAUSE) / 4), message, round(first, 2), round(last, 2))


def _length(sound: Sound, rate: int, said: str) -> Fault | None:
    level = levels(sound, rate)
    spoken = float(np.sum(level >= threshold(level))) * _FRAME if len(level) else 0.0
    expected = expected_seconds(said)
    if expected == 0:
        return None
    # Short texts vary most: half a second more or less says nothing.
    low, high = expected / 2 - 0.3, expected * 1.8 + 0.7
    if low <= spoken <= high:
        return None
    severity = min(1.0, 0.3 + abs(spoken - expected) / (2 * expected))
    word = "short" if spoken < low else "long"
    message = f"It is too {word} for its text: {spoken:.1f} s where {expected:.1f} s are usual."
    return Fault("length", severity, message, 0.0, round(len(sound) / rate, 2))


def _cut_off(sound: Sound, rate: int) -> Fault | None:
    level = levels(sound, rate)
    end = levels(sound[-round(_END * rate) :], rate, _END)
    if len(level) < 10 or np.max(level) < _INAUDIBLE:
        return None
    above = float(end[-1]) - float(np.percentile(level, 90)) + 9
    if above < 0:
        return None
    seconds = len(sound) / rate
    message = "It ends in the middle of a sound."
    return Fault("cut off", min(0.8, 0.3 + above / 24), message, round(max(0.0, seconds - 0.2), 2), round(seconds, 2))


def _repeated(sound: Sound, rate: int, text: str) -> Fault | None:
    """A stretch that comes twice in a row, though no words of the text do."""
    if _says_twice(text):
        return None
    features = _spectrum(sound, rate)
    quiet: NDArray[np.bool_] = np.equal(np.linalg.norm(features, axis=1), 0)
    longest, start = 0.0, 0.0
    for lag in range(round(_SHORTEST / _HOP), min(round(_LONGEST / _HOP), len(features) // 2) + 1):
        same: NDArray[np.bool_] = np.greater(np.einsum("ij,ij->i", features[:-lag], features[lag:]), _ALIKE)
        both = same | (quiet[:-lag] & quiet[lag:])
        found = (_sums(both, lag) >= 0.85 * lag) & (_sums(same, lag) >= 0.6 * lag)
        if found.any():
            longest, start = lag * _HOP, int(np.argmax(found)) * _HOP
    if longest == 0:
        return None
    message = f"A stretch of {longest:.1f} s comes twice."
    return Fault("repeated", min(1.0, 0.4 + longest / 5), message, round(start, 2), round(start + 2 * longest, 2))


def _after(sound: Sound, rate: int, last_word: float) -> Fault | None:
    """What is heard after the last word: noise, or words that aren't the text's, or a long silence."""
    start = min(last_word + _LATE, len(sound) / rate)
    tail, whole = levels(sound[round(start * rate) :], rate), levels(sound, rate)
    audible = float((tail >= threshold(whole)).sum()) * _FRAME if len(tail) else 0.0
    seconds = len(tail) * _FRAME
    if audible > 0.3:
        message = f"Something is heard for {audible:.1f} s after the last word."
        return Fault("after the end", min(1.0, 0.4 + audible / 4), message, round(start, 2), round(start + seconds, 2))
    message = f"It goes on for {seconds:.1f} s after the last word."
    severity = min(1.0, 0.25 + (seconds - 1) / 4)
    return Fault("silence", severity, message, round(start, 2), round(start + seconds, 2)) if seconds > 1.0 else None


def _hiss(sound: Sound, rate: int) -> Fault | None:
    """The longest stretch that is as flat in its spectrum as noise, and longer than any consonant."""
    frames = _windows(sound, rate)
    power = np.abs(np.fft.rfft(frames, axis=1))[:, 2:] ** 2 + 1e-12
    flatness = np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)
    loud = 10 * np.log10((frames**2).mean(axis=1) + 1e-12) > _INAUDIBLE
    first, last = (frame * _HOP for frame in _longest((flatness > _HISS) & loud))
    if last - first < _HISS_SECONDS:
        return None
    message = f"Noise is heard for {last - first:.1f} s."
    return Fault("noise", min(1.0, 0.4 + (last - first) / 4), message, round(first, 2), round(last, 2))


def levels(sound: Sound, rate: int, seconds: float = _FRAME) -> NDArray[np.float64]:
    """RMS in dBFS of each stretch of so many seconds."""
    size = max(1, round(seconds * rate))
    frames = sound[: len(sound) // size * size].reshape(-1, size).astype(np.float64)
    return 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)


def threshold(level: NDArray[np.float64]) -> float:
    """What counts as silence: 40 dB below the loud parts, at most -45 dBFS."""
    return min(-45.0, float(np.percentile(level, 95)) - 40) if len(level) else -45.0


def _longest(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """The longest run of true, as a slice; empty at 0 where none is."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    if len(edges) == 0:
        return 0, 0
    run = int(np.argmax(edges[1::2] - edges[::2]))
    return int(edges[2 * run]), int(edges[2 * run + 1])


def _sums(flags: NDArray[np.bool_], size: int) -> NDArray[np.int64]:
    """How many are true in each window of `size`."""
    total = np.concatenate(([0], np.cumsum(flags)))
    return total[size:] - total[:-size]


def _windows(sound: Sound, rate: int) -> NDArray[np.float64]:
    """Each 20 ms and the 20 ms behind it, in a window."""
    hop = round(_HOP * rate)
    if len(sound) < 2 * hop:
        return np.zeros((0, 2 * hop))
    return np.lib.stride_tricks.sliding_window_view(sound, 2 * hop)[::hop] * np.hanning(2 * hop)


def _spectrum(sound: Sound, rate: int) -> NDArray[np.float64]:
    """What is heard in each 20 ms, as unit vectors: log energies in 24 bands up to 6 kHz, less their mean. Silence is zero."""
    frames = _windows(sound, rate)
    if not len(frames):
        return np.zeros((0, 24))
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    edges = np.geomspace(100, min(6000, rate / 2), 25) * frames.shape[1] / rate
    bands = np.stack(
        [power[:, int(low) : max(int(low) + 1, int(high))].mean(axis=1) for low, high in itertools.pairwise(edges)], 1
    )
    log = np.log(bands + 1e-9)
    loud = log.max(axis=1) > log.max() - 9
    log -= log[loud].mean(axis=0) if loud.any() else 0
    unit = log / (np.linalg.norm(log, axis=1, keepdims=True) + 1e-9)
    return unit * loud[:, None]


def _says_twice(text: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(text)]
    return any(
        words[start : start + size] == words[start + size : start + 2 * size]
        for size in range(1, 9)
        for start in range(len(words) - 2 * size + 1)
    )
