"""What Cosmos Transfer can be told. Equal in a batch: all but the negative prompt and where depth and seg come from."""

from __future__ import annotations

from typing import Literal

from cosmos_workflow.engines.params import param
from cosmos_workflow.engines.video import VideoParams


class CosmosTransferParams(VideoParams):
    """The parameters of a video item."""

    sigma_max: float = param(
        70.0,
        label="Sigma max",
        ge=0,
        le=80,
        step=1,
        unused="diffusers' pipeline has no sigma_max: it always starts from pure noise, and sees the clip by its controls alone.",
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
