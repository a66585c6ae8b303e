"""What Cosmos Transfer can be told. Equal in a batch: all but the negative prompt and where depth and seg come from."""

from __future__ import annotations

from typing import Literal

from cosmos_workflow.engines.control_preview import Strength
from cosmos_workflow.params import Params, param

MAX_SEED = 2**31 - 1


class CosmosTransferParams(Params):
    """The parameters of a video item."""

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
    sigma_max: float = param(
        70.0,
        label="Sigma max",
        ge=0,
        le=80,
        step=1,
        unused="diffusers' pipeline has no sigma_max: it always starts from pure noise, and sees the clip by its controls alone.",
    )
    blur_strength: Strength = param("medium", label="Blur", help="How much of the picture vis takes away.", invariant=True)
    canny_threshold: Strength = param(
        "medium", label="Edge threshold", help="How strong an edge must be to count; very_low keeps most.", invariant=True
    )
    negative_prompt: str = param(
        "",
        label="Negative prompt",
        help="What the clip should not show; empty takes NVIDIA's own. Without guidance it isn't read.",
        max_length=10_000,
    )
    depth_and_seg: Literal["model", "approximate"] = param(
        "model",
        label="Depth and seg without a clip",
        help="model: by Depth Anything and SAM 2. approximate: crude guesses that need no weights, marked as such.",
    )
