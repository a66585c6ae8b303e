"""Base of the engines that hold a clip by its controls: their parameters, their controls, and which clips can be used."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from cosmos_workflow.clips import ClipInfo
from cosmos_workflow.engines.params import MAX_SEED, Params, param
from cosmos_workflow.engines.probing import look_at_clip
from cosmos_workflow.engines.spec import EngineSpec, InputSpec, Medium, Recipe
from cosmos_workflow.errors import InputError, about

CONTROLS = ("vis", "edge", "depth", "seg")
Strength = Literal["very_low", "low", "medium", "high", "very_high"]

LENGTH_TOLERANCE = 0.25
"""Seconds by which a control clip may be shorter or longer than the clip it belongs to."""


class VideoParams(Params):
    """The parameters of a video item; an engine declares again those that it uses in another way, or not at all."""

    num_steps: int = param(35, label="Steps", help="More take longer and show more detail.", invariant=True, ge=1, le=100, step=1)
    guidance_scale: float = param(
        3.0,
        label="Guidance",
        help="How closely the clip keeps to the prompt. At 1 and below there is none, and it is twice as fast.",
        invariant=True,
        ge=0,
        le=20,
        step=0.5,
    )
    seed: int = param(
        1, label="Seed", help="The same seed, clip and prompt give the same result.", invariant=True, ge=0, le=MAX_SEED, step=1
    )
    fps: int = param(
        24,
        label="Frames per second",
        help="Of the result. The clip keeps its duration: frames are left out or shown again.",
        invariant=True,
        ge=1,
        le=60,
        step=1,
    )
    sigma_max: float = param(70.0, label="Sigma max", invariant=True, ge=0, le=80, step=1)
    blur_strength: Strength = param("medium", label="Blur", help="How much of the picture vis takes away.", invariant=True)
    canny_threshold: Strength = param(
        "medium", label="Edge threshold", help="How strong an edge must be to count; very_low keeps most.", invariant=True
    )
    negative_prompt: str = param("", label="Negative prompt", help="What the clip should not show.", max_length=10_000)


def active_controls(weights: Mapping[str, float]) -> tuple[str, ...]:
    """The controls with a weight above 0."""
    return tuple(name for name in CONTROLS if weights[name] > 0)


def given_controls(weights: Mapping[str, float], named: Collection[str]) -> tuple[str, ...]:
    """The active controls whose clip is among the named inputs; the other active ones are made from the clip."""
    return tuple(name for name in active_controls(weights) if name in named and name != "video")


def output_frames(clip: ClipInfo, fps: int) -> int:
    """How many frames a result has, going by the clip's header."""
    return max(1, round(clip.seconds * fps))


def clip_notes(inputs: Mapping[str, Path], given: Collection[str], clips: Clips) -> list[str]:
    """What is to be told of the clip of an item, and of its given controls."""
    notes = list(clips.usable(inputs["video"]).notes)
    return notes + [f"{name}: {note}" for name in given for note in clips.usable(inputs[name]).notes]


@dataclass(frozen=True, slots=True)
class Clips:
    """Which clips an engine can use: by their sides in pixels, and their duration where `max_seconds` isn't 0."""

    engine: str
    min_side: int
    max_side: int
    max_seconds: float = 0.0

    def usable(self, path: Path) -> ClipInfo:
        """What a clip is; raises InputError where it isn't one, or is too small, too large or too long."""
        try:
            stat = path.stat()
        except OSError as error:
            raise InputError(f"{self.engine}: {path.name} isn't there; choose the file again.") from error
        clip = _probe(path, (stat.st_mtime_ns, stat.st_size))
        if min(clip.width, clip.height) < self.min_side or max(clip.width, clip.height) > self.max_side:
            raise InputError(
                f"{self.engine}: {path.name} is {clip.width}x{clip.height} pixels; "
                f"each side must have {self.min_side} to {self.max_side}."
            )
        if self.max_seconds and clip.seconds > self.max_seconds:
            raise InputError(
                f"{self.engine}: {path.name} lasts {clip.seconds:,.0f} s; use a clip of at most {self.max_seconds:g} s."
            )
        return clip

    def check(self, weights: Mapping[str, float], inputs: Mapping[str, Path]) -> None:
        """Raise InputError where no control is active, the clip can't be used, or a given control clip that is in use can't.

        A clip that is still to be made isn't among the inputs.
        """
        if not active_controls(weights):
            raise InputError(f"{self.engine}: all weights are 0; give vis, edge, depth or seg a weight above 0.")
        with about("video"):
            clip = self.usable(inputs["video"]) if "video" in inputs else None
        for name in given_controls(weights, inputs):
            with about(name):
                control = self.usable(inputs[name])
            if clip is not None and abs(control.seconds - clip.seconds) > LENGTH_TOLERANCE:
                raise InputError(
                    f"{self.engine}: the {name} clip {inputs[name].name} lasts {control.seconds:.2f} s and the clip "
                    f"{clip.seconds:.2f} s; use one that is as long as the clip.",
                    key=name,
                )


class ControlledSpec(EngineSpec):
    """What an engine that holds a clip by its controls says of itself; `clips` are those that it can use."""

    clips: ClassVar[Clips]
    medium: ClassVar[Medium] = "video"
    inputs: ClassVar[tuple[InputSpec, ...]] = (
        InputSpec("video", "video", "Clip", required=True),
        InputSpec("depth", "video", "Depth clip (made from the clip without it)"),
        InputSpec("seg", "video", "Segmentation clip (made from the clip without it)"),
    )
    weights: ClassVar[Mapping[str, float]] = dict.fromkeys(CONTROLS, 0.25)
    cost_inputs: ClassVar[Collection[str]] = ("video",)
    output: ClassVar[str] = "video"

    def check(self, recipe: Recipe, later: Collection[str] = ()) -> None:
        """As every engine; also refuses weights that are all 0 and clips that can't be used."""
        super().check(recipe, later)
        self.clips.check(recipe.weights, recipe.inputs)

    def key_extra(self, params: Params, weights: Mapping[str, float]) -> Mapping[str, Any]:
        """The controls that are in use: a batch holds the same for all its items."""
        return {"controls": sorted(active_controls(weights))}


@lru_cache(maxsize=1024)
def _probe(path: Path, version: tuple[int, int]) -> ClipInfo:  # noqa: ARG001 - part of the cache's key
    return look_at_clip(path)
