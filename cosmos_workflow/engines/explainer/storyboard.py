"""When things happen: how long each scene lasts, when its parts appear, and when which subtitle is shown. Pure."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cosmos_workflow.engines.explainer.outline import Scene
from cosmos_workflow.media import timecode

LEAD = 0.5
"""Seconds before the narration begins: the heading appears."""
FADE = 0.4
"""Seconds at the end in which the picture goes."""
REVEAL = 0.7
"""Seconds in which a part appears."""
SHORTEST = 3.0
READ_CHARACTERS = 14.0
"""Characters read in a second, where nothing is spoken."""
MAX_CUE = 84
"""Characters of a subtitle: two lines of 42."""

_ENDS = ".!?\N{HORIZONTAL ELLIPSIS}"
_CLOSING = "\"')\N{RIGHT DOUBLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
_WIDE_ENDS = "\N{IDEOGRAPHIC FULL STOP}\N{FULLWIDTH EXCLAMATION MARK}\N{FULLWIDTH QUESTION MARK}"
_SENTENCE_END = re.compile(rf"(?<=[{_ENDS}])\s+|(?<=[{_ENDS}][{_CLOSING}])\s+|(?<=[{_WIDE_ENDS}])")
_CLAUSE_END = re.compile(r"(?<=[,;:\N{EN DASH}\N{EM DASH}])\s+")


@dataclass(frozen=True, slots=True)
class Cue:
    """A subtitle, in seconds from the scene's start."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Shot:
    """A scene with its timing. `sound` is the narration's length in seconds, 0 for none, and begins `LEAD` after the start.

    `beats` are the seconds at which the parts of the picture appear, rising; `frames` the scene's length.
    """

    number: int
    scene: Scene
    sound: float
    frames: int
    fps: int
    beats: tuple[float, ...]
    cues: tuple[Cue, ...]

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.frames / self.fps

    def picture(self) -> dict[str, Any]:
        """All that decides how it looks, and nothing else: what is said isn't part of it."""
        scene = self.scene.model_dump(mode="json", exclude={"narration"})
        return {"scene": scene, "frames": self.frames, "fps": self.fps, "beats": list(self.beats)}

    def described(self) -> dict[str, Any]:
        """For a person who reads the plan."""
        return {
            "scene": self.number,
            "kind": self.scene.kind,
            "title": self.scene.title,
            "seconds": round(self.seconds, 3),
            "narration_seconds": round(self.sound, 3),
            "beats": [round(beat, 3) for beat in self.beats],
            "cues": [asdict(cue) for cue in self.cues],
        }


def plan_shot(number: int, scene: Scene, sound: float, fps: int, pause: float) -> Shot:
    """The timing of a scene whose narration lasts `sound` seconds (0: it isn't spoken), with `pause` seconds of quiet after."""
    spoken = sound or _reading_time(scene)
    cues = _cues(scene.narration, spoken)
    parts = len(scene.bullets) or (scene.kind != "title") + bool(scene.caption)
    beats = _beats(parts, spoken, cues)
    shown = max(beats, default=0.0) + 2 * REVEAL
    seconds = max(SHORTEST, LEAD + spoken + pause, shown) + FADE
    frames = math.ceil(round(seconds * fps, 6))
    return Shot(number, scene, sound, frames, fps, beats, cues)


def digest(parts: Mapping[str, Any]) -> str:
    """The same letters for the same content, in every process."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def subtitles(shots: Sequence[Shot]) -> str:
    """All cues as SubRip text."""
    blocks: list[str] = []
    frames = 0
    for shot in shots:
        begun = frames / shot.fps
        for cue in shot.cues:
            times = f"{timecode(begun + cue.start, ',')} --> {timecode(begun + cue.end, ',')}"
            blocks.append(f"{len(blocks) + 1}\n{times}\n{_in_two(cue.text)}\n")
        frames += shot.frames
    return "\n".join(blocks)


def _reading_time(scene: Scene) -> float:
    shown = [scene.title, scene.caption, scene.formula, *scene.bullets]
    if scene.chart:
        shown += [f"{label} {value}" for label, value in zip(scene.chart.labels, scene.chart.values, strict=True)]
    return max(len(scene.narration), sum(map(len, shown))) / READ_CHARACTERS


def _beats(parts: int, spoken: float, cues: Sequence[Cue]) -> tuple[float, ...]:
    """When the parts appear: with sentences of the narration where there are enough, else evenly over three quarters of it."""
    if parts == 0:
        return ()
    if len(cues) >= parts > 1:
        return tuple(round(cues[index * len(cues) // parts].start, 3) for index in range(parts))
    step = 0.75 * spoken / parts
    return tuple(round(LEAD + index * max(step, REVEAL), 3) for index in range(parts))


def _cues(narration: str, spoken: float) -> tuple[Cue, ...]:
    """Sentences, or parts of long ones, each with the share of the time that its letters have."""
    pieces = [piece for sentence in _SENTENCE_END.split(narration) for piece in _pieces(sentence)]
    total = sum(map(_weight, pieces))
    cues: list[Cue] = []
    done = 0.0
    for piece in pieces:
        start = LEAD + spoken * done / total
        done += _weight(piece)
        cues.append(Cue(round(start, 3), round(LEAD + spoken * done / total, 3), piece))
    return tuple(cues)


def _weight(piece: str) -> float:
    # The pause after a sentence is as long as a few letters.
    return len(piece) + 6.0


def _pieces(sentence: str) -> list[str]:
    """A sentence cut at commas, else at spaces, else anywhere, into pieces of at most `MAX_CUE` characters."""
    sentence = " ".join(sentence.split())
    if len(sentence) <= MAX_CUE:
        return [sentence] if sentence else []
    middle = len(sentence) / 2
    for border in (_CLAUSE_END, re.compile(r"\s+")):
        cuts = [found for found in border.finditer(sentence) if 0.2 < found.start() / len(sentence) < 0.8]
        if cuts:
            best = min(cuts, key=lambda found: abs(found.start() - middle))
            return [*_pieces(sentence[: best.start()]), *_pieces(sentence[best.end() :])]
    return [*_pieces(sentence[: int(middle)]), *_pieces(sentence[int(middle) :])]


def _in_two(text: str) -> str:
    """A subtitle in at most two lines, broken near its middle."""
    if len(text) <= MAX_CUE // 2 or " " not in text:
        return text
    spaces = [index for index, letter in enumerate(text) if letter == " "]
    cut = min(spaces, key=lambda index: abs(index - len(text) / 2))
    return f"{text[:cut]}\n{text[cut + 1 :]}"
