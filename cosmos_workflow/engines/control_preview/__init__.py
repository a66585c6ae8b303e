"""The control signals that Cosmos Transfer would see, made from a clip on any CPU; no download."""

from __future__ import annotations

from typing import cast

from cosmos_workflow.engines.params import MAX_SEED, param
from cosmos_workflow.engines.spec import Recipe
from cosmos_workflow.engines.video import Clips, ControlledSpec, VideoParams, output_frames
from cosmos_workflow.progress import Stage

CLIPS = Clips("control-preview", min_side=16, max_side=4096, max_seconds=600)

_KEPT = "Doesn't change the preview; kept so that a preview is grouped as Cosmos Transfer would group it."


class ControlPreviewParams(VideoParams):
    """The parameters of a video item; equal in a batch except for the negative prompt."""

    num_steps: int = param(35, label="Steps", help=_KEPT, invariant=True, ge=1, le=100, step=1)
    guidance_scale: float = param(3.0, label="Guidance", help=_KEPT, invariant=True, ge=0, le=20, step=0.5)
    seed: int = param(1, label="Seed", help=_KEPT, invariant=True, ge=0, le=MAX_SEED, step=1)
    sigma_max: float = param(70.0, label="Sigma max", help=_KEPT, invariant=True, ge=0, le=80, step=1)
    negative_prompt: str = param(
        "",
        label="Negative prompt",
        help="What the clip should not show.",
        max_length=10_000,
        unused="A preview doesn't read prompts.",
    )


class ControlPreviewSpec(ControlledSpec):
    """Control clips and their composite, to look at before a GPU spends its time."""

    name = "control-preview"
    title = "Control preview"
    summary = "What Cosmos Transfer would see of a clip: vis and edge as they are, depth and seg approximate."
    clips = CLIPS
    params = ControlPreviewParams
    implementation = "cosmos_workflow.engines.control_preview.engine:ControlPreviewEngine"
    stages = (
        Stage("reading", 0.0, "Reading the clip"),
        Stage("controls", 0.02, "Making the control signals"),
        Stage("finishing", 0.98, "Finishing the clips"),
        Stage("completed", 1.0, "Completed"),
    )
    needs_text = False
    cost_unit = "frames"

    def cost(self, recipe: Recipe) -> float:
        params = cast("ControlPreviewParams", recipe.params)
        return float(output_frames(CLIPS.usable(recipe.inputs["video"]), params.fps))


SPEC = ControlPreviewSpec()
