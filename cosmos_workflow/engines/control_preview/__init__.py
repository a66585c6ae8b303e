"""The control signals that Cosmos Transfer would see, made from a clip on any CPU; no download."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

from cosmos_workflow.catalog import EngineSpec, InputSpec
from cosmos_workflow.errors import InputError
from cosmos_workflow.media import ClipInfo, probe_clip
from cosmos_workflow.params import Params, param
from cosmos_workflow.progress import Stage

CONTROLS = ("vis", "edge", "depth", "seg")
Strength = Literal["very_low", "low", "medium", "high", "very_high"]

MIN_SIDE, MAX_SIDE = 16, 4096
MAX_SECONDS = 600
LENGTH_TOLERANCE = 0.25
"""Seconds by which a control clip may be shorter or longer than the clip it belongs to."""

_KEPT = "Doesn't change the preview; kept so that a preview is grouped as Cosmos Transfer would group it."


class ControlPreviewParams(Params):
    """The parameters of a video item; equal in a batch except for the negative prompt."""

    num_steps: int = param(35, label="Steps", help=_KEPT, invariant=True, ge=1, le=100, step=1)
    guidance_scale: float = param(5.0, label="Guidance", help=_KEPT, invariant=True, ge=1, le=20, step=0.5)
    seed: int = param(1, label="Seed", help=_KEPT, invariant=True, ge=0, step=1)
    fps: int = param(
        24,
        label="Frames per second",
        help="Of the output. The clip keeps its duration: frames are left out or shown again.",
        invariant=True,
        ge=1,
        le=60,
        step=1,
    )
    sigma_max: float = param(70.0, label="Sigma max", help=_KEPT, invariant=True, ge=0, le=80, step=1)
    blur_strength: Strength = param("medium", label="Blur", help="How much of the picture vis takes away.", invariant=True)
    canny_threshold: Strength = param(
        "medium", label="Edge threshold", help="How strong an edge must be to count; very_low keeps most.", invariant=True
    )
    negative_prompt: str = param(
        "",
        label="Negative prompt",
        help="What the clip should not show.",
        max_length=10_000,
        unused="A preview doesn't read prompts.",
    )


class ControlPreviewSpec(EngineSpec):
    """Control clips and their composite, to look at before a GPU spends its time."""

    name = "control-preview"
    title = "Control preview"
    summary = "What Cosmos Transfer would see of a clip: vis and edge as they are, depth and seg approximate."
    medium = "video"
    params = ControlPreviewParams
    implementation = "cosmos_workflow.engines.control_preview.engine:ControlPreviewEngine"
    stages = (
        Stage("reading", 0.0, "Reading the clip"),
        Stage("controls", 0.02, "Making the control signals"),
        Stage("finishing", 0.98, "Finishing the clips"),
        Stage("completed", 1.0, "Completed"),
    )
    inputs = (
        InputSpec("video", "video", "Clip", required=True),
        InputSpec("depth", "video", "Depth clip"),
        InputSpec("seg", "video", "Segmentation clip"),
    )
    weights = dict.fromkeys(CONTROLS, 0.25)
    needs_text = False
    cost_unit = "frames"
    output = "video"
    load_timeout = 60.0

    def check(self, text: str, params: Params, weights: Mapping[str, float], inputs: Mapping[str, Path]) -> None:
        """As every engine; also refuses weights that are all 0 and clips that can't be used."""
        super().check(text, params, weights, inputs)
        if not active_controls(weights):
            raise InputError("control-preview: all weights are 0; give vis, edge, depth or seg a weight above 0.")
        clip = usable_clip(inputs["video"])
        for name in given_controls(weights, inputs):
            control = usable_clip(inputs[name])
            if abs(control.seconds - clip.seconds) > LENGTH_TOLERANCE:
                raise InputError(
                    f"control-preview: the {name} clip {inputs[name].name} lasts {control.seconds:.2f} s and the clip "
                    f"{clip.seconds:.2f} s; use one that is as long as the clip."
                )

    def key_extra(self, params: Params, weights: Mapping[str, float]) -> Mapping[str, Any]:
        return {"controls": sorted(active_controls(weights))}

    def cost(self, text: str, params: Params, inputs: Mapping[str, Path]) -> float:
        return float(output_frames(usable_clip(inputs["video"]), cast("ControlPreviewParams", params).fps))


def active_controls(weights: Mapping[str, float]) -> tuple[str, ...]:
    """The controls with a weight above 0."""
    return tuple(name for name in CONTROLS if weights[name] > 0)


def given_controls(weights: Mapping[str, float], inputs: Mapping[str, Path]) -> tuple[str, ...]:
    """The active controls whose clip is given; the other active ones are made from the clip."""
    return tuple(name for name in active_controls(weights) if name in inputs and name != "video")


def output_frames(clip: ClipInfo, fps: int) -> int:
    """How many frames a preview of this clip has, going by the clip's header."""
    return max(1, round(clip.seconds * fps))


def usable_clip(path: Path) -> ClipInfo:
    """What a clip is; raises InputError where it isn't one, or is too small, too large or too long for a preview."""
    try:
        stat = path.stat()
    except OSError as error:
        raise InputError(f"control-preview: {path.name} isn't there; choose the file again.") from error
    return _usable_clip(path, (stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=1024)
def _usable_clip(path: Path, version: tuple[int, int]) -> ClipInfo:  # noqa: ARG001 - part of the cache's key
    clip = probe_clip(path)
    shape = f"{path.name} is {clip.width}x{clip.height} pixels"
    if min(clip.width, clip.height) < MIN_SIDE or max(clip.width, clip.height) > MAX_SIDE:
        raise InputError(f"control-preview: {shape}; each side must have {MIN_SIDE} to {MAX_SIDE}.")
    if clip.seconds > MAX_SECONDS:
        raise InputError(f"control-preview: {path.name} lasts {clip.seconds:,.0f} s; use a clip of at most {MAX_SECONDS} s.")
    return clip


SPEC = ControlPreviewSpec()
