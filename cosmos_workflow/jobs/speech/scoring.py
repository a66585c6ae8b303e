"""Which take of a piece is used: judged by faults that can be measured in the sound itself.

A `Scorer` is anything that turns a take into faults; one that compares a transcript with the text can join the one here.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cosmos_workflow.files import Disk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Sound = NDArray[np.float32]

SCORES = "scores.json"
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


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a take: its name, how bad from 0 to 1, and a sentence."""

    name: str
    severity: float
    message: str


@dataclass(frozen=True, slots=True)
class Score:
    """A take's faults; `value` is 1 without any and falls to 0."""

    faults: tuple[Fault, ...] = ()

    @property
    def value(self) -> float:
        """1 without a fault; each takes its share of what is left."""
        left = 1.0
        for fault in self.faults:
            left *= 1 - fault.severity
        return round(left, 4)


class Scorer(Protocol):
    """Judges takes."""

    def score(self, path: Path, text: str) -> Score:
        """The faults of a take that should say `text`."""
        ...


def best(scores: Sequence[Score]) -> int:
    """Which of these is best; the earliest among equals."""
    return max(range(len(scores)), key=lambda index: (scores[index].value, -index))


class FaultScorer:
    """Looks for clipping, silence, a wrong length, a cut-off end, and stretches that are said twice.

    `letters_per_second` is how fast this voice speaks, where that is known; otherwise what is usual.
    """

    def __init__(self, letters_per_second: float | None = None) -> None:
        self._pace = letters_per_second

    def score(self, path: Path, text: str) -> Score:
        """The faults of a take; raises InputError where the file isn't a sound."""
        from cosmos_workflow.jobs.speech.sound import probe, read

        shape = probe(path)
        sound = read(path, shape).mean(axis=1)
        found = (
            _clipping(sound),
            _silence(sound, shape.rate),
            _length(sound, shape.rate, text, self._pace),
            _cut_off(sound, shape.rate),
            _repeated(sound, shape.rate, text),
        )
        return Score(tuple(fault for fault in found if fault is not None))


class ScoreFile:
    """Scores by run, kept beside a task's finals: a run never changes, so neither does its score."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._path, self._disk = folder / SCORES, disk
        self._scores: dict[str, Score] | None = None
        self._changed = False

    def get(self, run_id: str) -> Score | None:
        """A run's score; None where it wasn't measured yet."""
        if self._scores is None:
            self._scores = self._read()
        return self._scores.get(run_id)

    def put(self, run_id: str, score: Score) -> None:
        """Remember a score, until it is saved."""
        self._scores = {**(self._scores or {}), run_id: score}
        self._changed = True

    def save(self) -> None:
        """Write what is new."""
        if not self._changed or self._scores is None:
            return
        kept = {
            run_id: [[fault.name, fault.severity, fault.message] for fault in score.faults]
            for run_id, score in self._scores.items()
        }
        self._disk.make_folder(self._path.parent)
        self._disk.write(self._path, json.dumps(kept).encode())

    def _read(self) -> dict[str, Score]:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            return {run_id: Score(tuple(Fault(*fault) for fault in faults)) for run_id, faults in kept.items()}
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return {}  # they are measured again


def expected_seconds(text: str, letters_per_second: float | None = None) -> float:
    """How long a text takes to say."""
    signs = len(_SIGNS.findall(text))
    letters = sum(letter.isalnum() for letter in text) - signs
    if letters_per_second:
        return (letters + signs) / letters_per_second
    return letters / LETTERS_PER_SECOND + signs / SIGNS_PER_SECOND


def _clipping(sound: Sound) -> Fault | None:
    import numpy as np

    full = np.flatnonzero(np.abs(sound) >= 0.999)
    # Three samples in a row at full scale are a flattened wave; one alone is a peak.
    flat = int(np.count_nonzero(full[2:] - full[:-2] == 2))
    if flat == 0:
        return None
    share = flat / len(sound)
    return Fault("clipping", min(1.0, 0.1 + share * 200), f"{flat} samples are clipped.")


def _silence(sound: Sound, rate: int) -> Fault | None:
    import numpy as np

    level = _levels(sound, rate)
    if len(level) == 0 or np.max(level) < _INAUDIBLE:
        return Fault("silence", 1.0, "It is silent.")
    longest = _longest(level < _threshold(level)) * _FRAME
    if longest < 1.5:
        return None
    return Fault("silence", min(1.0, 0.2 + (longest - 1.5) / 4), f"It is silent for {longest:.1f} s.")


def _length(sound: Sound, rate: int, text: str, pace: float | None) -> Fault | None:
    import numpy as np

    level = _levels(sound, rate)
    spoken = float(np.sum(level >= _threshold(level))) * _FRAME if len(level) else 0.0
    expected = expected_seconds(text, pace)
    if expected == 0:
        return None
    # Short texts vary most: half a second more or less says nothing.
    low, high = expected / 2 - 0.3, expected * 1.8 + 0.7
    if low <= spoken <= high:
        return None
    severity = min(1.0, 0.3 + abs(spoken - expected) / (2 * expected))
    word = "short" if spoken < low else "long"
    return Fault("length", severity, f"It is too {word} for its text: {spoken:.1f} s where {expected:.1f} s are usual.")


def _cut_off(sound: Sound, rate: int) -> Fault | None:
    import numpy as np

    level = _levels(sound, rate)
    end = _levels(sound[-round(_END * rate) :], rate, _END)
    if len(level) < 10 or np.max(level) < _INAUDIBLE:
        return None
    above = float(end[-1]) - float(np.percentile(level, 90)) + 9
    if above < 0:
        return None
    return Fault("cut off", min(0.8, 0.3 + above / 24), "It ends in the middle of a sound.")


def _repeated(sound: Sound, rate: int, text: str) -> Fault | None:
    """A stretch that comes twice in a row, though no words of the text do."""
    import numpy as np

    if _says_twice(text):
        return None
    features = _spectrum(sound, rate)
    quiet: NDArray[np.bool_] = np.equal(np.linalg.norm(features, axis=1), 0)
    longest = 0.0
    for lag in range(round(_SHORTEST / _HOP), min(round(_LONGEST / _HOP), len(features) // 2) + 1):
        same: NDArray[np.bool_] = np.greater(np.einsum("ij,ij->i", features[:-lag], features[lag:]), _ALIKE)
        both = same | (quiet[:-lag] & quiet[lag:])
        found = (_sums(both, lag) >= 0.85 * lag) & (_sums(same, lag) >= 0.6 * lag)
        if found.any():
            longest = max(longest, lag * _HOP)
    if longest == 0:
        return None
    return Fault("repeated", min(1.0, 0.4 + longest / 5), f"A stretch of {longest:.1f} s comes twice.")


def _levels(sound: Sound, rate: int, seconds: float = _FRAME) -> NDArray[np.float64]:
    """RMS in dBFS of each stretch of so many seconds."""
    import numpy as np

    size = max(1, round(seconds * rate))
    frames = sound[: len(sound) // size * size].reshape(-1, size).astype(np.float64)
    return 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)


def _threshold(level: NDArray[np.float64]) -> float:
    """What counts as silence: 40 dB below the loud parts, at most -45 dBFS."""
    import numpy as np

    return min(-45.0, float(np.percentile(level, 95)) - 40) if len(level) else -45.0


def _longest(flags: NDArray[np.bool_]) -> int:
    """The longest run of true."""
    import numpy as np

    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return int(np.max(edges[1::2] - edges[::2], initial=0))


def _sums(flags: NDArray[np.bool_], size: int) -> NDArray[np.int64]:
    """How many are true in each window of `size`."""
    import numpy as np

    total = np.concatenate(([0], np.cumsum(flags)))
    return total[size:] - total[:-size]


def _spectrum(sound: Sound, rate: int) -> NDArray[np.float64]:
    """What is heard in each 20 ms, as unit vectors: log energies in 24 bands up to 6 kHz, less their mean. Silence is zero."""
    import numpy as np

    hop = round(_HOP * rate)
    size = 2 * hop
    count = max(0, (len(sound) - size) // hop + 1)
    if count == 0:
        return np.zeros((0, 24))
    frames = np.lib.stride_tricks.sliding_window_view(sound, size)[::hop][:count] * np.hanning(size)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    edges = np.geomspace(100, min(6000, rate / 2), 25) * size / rate
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
