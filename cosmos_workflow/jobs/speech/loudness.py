"""How much louder each piece is made: every speaker as loud as the others, and the whole as loud as was asked for.

Where that would bring peaks above what players can show, they are limited; where they would be limited so far that it is
heard, the whole stays quieter, and a sentence says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import av
import numpy as np
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as Finished
from av.filter import Graph

from cosmos_workflow.jobs.document.schema import Normalize
from cosmos_workflow.jobs.speech.chunks import Piece
from cosmos_workflow.jobs.speech.meter import Samples
from cosmos_workflow.jobs.speech.sound import Levels, Shape, measure, read
from cosmos_workflow.media import layout_of

CEILING = 10 ** (-1 / 20)
"""True peak that a normalised final stays below: -1 dBTP, as EBU R 128 asks."""
WITHIN = 0.5
"""Decibels by which a final may miss its target without a word: EBU R 128 allows as much for programmes."""
MOST_LIMITED = 12.0
"""Decibels that the highest peak is brought down at most. Speech has peaks 15 to 20 dB above its loudness."""
FADE = 0.03
"""Seconds over which a sound that is cut is let out."""
OVERSAMPLING = 4
"""A peak between two samples is up to 3 dB higher than both; at four times the rate at most 0.2 dB (BS.1770-4, annex 2)."""
ATTACK, RELEASE = 5, 80
"""Milliseconds: how far it looks ahead, and in which it lets go."""
_BETWEEN = 0.7
"""Share of the ceiling below which no peak between samples reaches it."""

_NOTHING = "It is too short or too quiet for its loudness to be measured, so it was left as it is."
_CLOSE = 0.1
_PASSES = 5
_BELOW = 10 ** (-0.2 / 20)
"""A limiter at four times the rate leaves peaks so little above its ceiling."""


@dataclass(frozen=True, slots=True)
class Leveling:
    """The factor of each piece, the ceiling of its peaks (None without a limiter), and what a listener should know."""

    gains: tuple[float, ...]
    ceiling: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Sounds to be put together, with the silence behind each."""

    pieces: Sequence[Piece]
    pauses: Sequence[float]
    shape: Shape

    def sound(self, leveling: Leveling, spans: list[tuple[int, int]] | None = None) -> Iterator[Samples]:
        """The whole, block by block; `spans` gets the first frame of each piece and the one behind its last."""
        for block in self._joined(leveling.gains, spans):
            # What is never above the ceiling comes out as it went in, bit by bit.
            if leveling.ceiling is None or not len(block) or float(np.max(np.abs(block))) < _BETWEEN * leveling.ceiling:
                yield block
            else:
                yield _limit(block, self.shape, leveling.ceiling)

    def measured(self, leveling: Leveling) -> Levels:
        """How loud the whole is then."""
        return measure(self.sound(leveling), self.shape)

    def by_speaker(self) -> dict[str, Levels]:
        """How loud each speaker is; where there are several, without the silence between their pieces."""
        speakers = list(dict.fromkeys(piece.speaker for piece in self.pieces))
        if len(speakers) == 1:
            return {self.pieces[0].speaker: self.measured(untouched(self))}
        apart = {speaker: [piece for piece in self.pieces if piece.speaker == speaker] for speaker in speakers}
        alone = {speaker: Pieces(own, [0.0] * len(own), self.shape) for speaker, own in apart.items()}
        return {speaker: pieces.measured(untouched(pieces)) for speaker, pieces in alone.items()}

    def _joined(self, gains: Sequence[float], spans: list[tuple[int, int]] | None) -> Iterator[Samples]:
        at = 0
        for piece, pause, gain in zip(self.pieces, self.pauses, gains, strict=True):
            samples = read(piece.path, self.shape)
            if piece.until is not None:
                samples = samples[: round(piece.until * self.shape.rate)].copy()
                size = min(round(FADE * self.shape.rate), len(samples))  # let out, so that the cut makes no click
                samples[len(samples) - size :] *= np.linspace(1, 0, size, dtype=np.float32)[:, None]
            if spans is not None:
                spans.append((at, at + len(samples)))
            quiet = round(pause * self.shape.rate)
            at += len(samples) + quiet
            yield samples * gain
            if quiet:
                yield np.zeros((quiet, self.shape.channels), np.float32)


def untouched(pieces: Pieces) -> Leveling:
    """Everything as it is."""
    return Leveling((1.0,) * len(pieces.pieces))


def level(pieces: Pieces, normalize: Normalize) -> Leveling:
    """What brings the pieces to the level that is asked for."""
    if normalize.method == "peak":
        return _to_peak(pieces, normalize.level)
    levels = pieces.by_speaker()
    present = {speaker: _present(own, normalize) for speaker, own in levels.items()}
    found = {speaker: 10 ** ((normalize.level - now) / 20) for speaker, now in present.items() if now is not None}
    if not found:
        return Leveling(untouched(pieces).gains, note=_NOTHING)
    usual = math.exp(sum(map(math.log, found.values())) / len(found))
    gains = tuple(found.get(piece.speaker, usual) for piece in pieces.pieces)
    peak = max(found.get(speaker, usual) * own.true_peak for speaker, own in levels.items())
    if peak <= CEILING and len(levels) == 1:
        return Leveling(gains)
    return _limited(pieces, normalize, gains, CEILING * 10 ** (MOST_LIMITED / 20) / peak)


def _limited(pieces: Pieces, normalize: Normalize, gains: tuple[float, ...], most: float) -> Leveling:
    """The gains times one factor, at most `most`, with which the whole, limited, is as loud as was asked for."""
    factor, ceiling = min(1.0, most), CEILING * _BELOW
    leveling, short = Leveling(gains), 0.0
    for _ in range(_PASSES):
        leveling = Leveling(tuple(gain * factor for gain in gains), ceiling)
        levels = pieces.measured(leveling)
        short = normalize.level - (_present(levels, normalize) or normalize.level)
        further = min(factor * 10 ** (short / 20), most)
        over = levels.true_peak > CEILING
        if not over and (abs(short) <= _CLOSE or further == factor):
            break
        factor = further
        ceiling *= CEILING * 0.99 / levels.true_peak if over else 1.0
    note = ""
    if abs(short) > WITHIN:
        word = "quieter" if short > 0 else "louder"
        note = (
            f"It is {abs(short):.1f} dB {word} than {normalize.level:g} {normalize.method}: any louder, its peaks would have to "
            f"be cut by more than {MOST_LIMITED:g} dB, and it would be distorted."
        )
    return Leveling(leveling.gains, leveling.ceiling, note)


def _to_peak(pieces: Pieces, target: float) -> Leveling:
    levels = pieces.measured(untouched(pieces))
    if not levels.peak:
        return Leveling(untouched(pieces).gains, note=_NOTHING)
    wanted, allowed = 10 ** (target / 20) / levels.peak, 1 / levels.true_peak
    short = 20 * math.log10(wanted / allowed)
    note = f"It is {short:.1f} dB quieter than {target:g} peak: any louder, it would be distorted." if short > 0 else ""
    return Leveling((min(wanted, allowed),) * len(pieces.pieces), note=note)


def _present(levels: Levels, normalize: Normalize) -> float | None:
    """The level that counts, in decibels; None where there is nothing to measure."""
    found = levels.rms if normalize.method == "rms" else levels.loudness
    return found if found is not None and math.isfinite(found) else None


def _limit(block: Samples, shape: Shape, ceiling: float) -> Samples:
    """A block, as long as before, with true peaks at most `ceiling`, give or take 0.2 dB, by FFmpeg's look-ahead limiter."""
    graph: Any = Graph()
    layout = layout_of(shape.channels)
    graph.link_nodes(
        graph.add_abuffer(sample_rate=shape.rate, format="flt", layout=layout, time_base=f"1/{shape.rate}"),
        graph.add("aresample", str(shape.rate * OVERSAMPLING)),
        graph.add("alimiter", f"limit={ceiling}:attack={ATTACK}:release={RELEASE}:level=0:latency=1"),
        graph.add("aresample", str(shape.rate)),
        graph.add("aformat", "sample_fmts=flt"),
        graph.add("abuffersink"),
    ).configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block, dtype=np.float32).reshape(1, -1), format="flt", layout=layout)
    frame.sample_rate, frame.pts = shape.rate, 0
    graph.push(frame)
    graph.push(None)
    made: list[Samples] = []
    while True:
        try:
            made.append(cast("Samples", graph.pull().to_ndarray()).reshape(-1, shape.channels))
        except (NothingYet, Finished):
            break
    sound = np.concatenate(made)[: len(block)]
    return np.pad(sound, ((0, len(block) - len(sound)), (0, 0)))
