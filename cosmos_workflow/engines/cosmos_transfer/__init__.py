"""Cosmos Transfer: a clip made anew after a prompt, held by its controls. What the app knows of it without loading it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, cast

from cosmos_workflow.engines.cosmos_transfer.available import find_reason, missing_for
from cosmos_workflow.engines.cosmos_transfer.models import ANNOTATORS, BASE, CONTROL_FILES, GUARD_FACES, GUARD_TEXT
from cosmos_workflow.engines.cosmos_transfer.shapes import (
    CLIPS,
    MODEL_CHUNK_FRAMES,
    MODEL_PIXELS,
    SIDE_MULTIPLE,
    check_length,
    count_chunks,
    fit_clip,
)
from cosmos_workflow.engines.model_files.sets import ModelFiles
from cosmos_workflow.engines.params import param
from cosmos_workflow.engines.spec import Availability, Recipe
from cosmos_workflow.engines.video import ControlledSpec, VideoParams, active_controls, given_controls, output_frames
from cosmos_workflow.errors import InputError, about
from cosmos_workflow.progress import Stage


class CosmosTransferParams(VideoParams):
    """Equal in a batch: all but the negative prompt and where depth and seg come from."""

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


class CosmosTransferSpec(ControlledSpec):
    """Video to video; a batch has equal parameters, but for the negative prompt, and the same active controls."""

    name = "cosmos-transfer"
    title = "Cosmos Transfer"
    summary = "Makes a clip anew after a prompt, held by its blur, edges, depth and regions; truly batched."
    clips = CLIPS
    params = CosmosTransferParams
    implementation = "cosmos_workflow.engines.cosmos_transfer.engine:CosmosTransferEngine"
    stages = (
        Stage("load", 0.0, "Loading the controls"),
        Stage("controls", 0.02, "Making the control signals"),
        Stage("text", 0.12, "Reading the prompt"),
        Stage("denoising", 0.15, "Making the clip"),
        Stage("finishing", 0.98, "Writing the clip"),
        Stage("completed", 1.0, "Completed"),
    )
    cost_unit = "steps"

    @property
    def model_files(self) -> tuple[ModelFiles, ...]:
        return (BASE, *CONTROL_FILES.values(), *ANNOTATORS.values(), GUARD_FACES, GUARD_TEXT)

    def availability(self) -> Availability:
        """Whether the extra, the weights, the guardrail and a GPU with enough memory are here; says what is missing first."""
        return find_reason()

    def check(self, recipe: Recipe, later: Collection[str] = ()) -> None:
        """As its base; also refuses clips that are too long, and controls whose model isn't here."""
        super().check(recipe, later)
        params = cast("CosmosTransferParams", recipe.params)
        if "video" in recipe.inputs:
            with about("video"):
                check_length(recipe.inputs["video"], output_frames(CLIPS.usable(recipe.inputs["video"]), params.fps))
        active, given = active_controls(recipe.weights), given_controls(recipe.weights, {*recipe.inputs, *later})
        made = [name for name in active if name in ANNOTATORS and name not in given]
        reason = missing_for(active, made if params.depth_and_seg == "model" else [])
        if reason:
            raise InputError(f"cosmos-transfer: {reason}")

    def cost(self, recipe: Recipe) -> float:
        """Steps of 93 frames in 720p; guidance doubles them, smaller pictures count for less."""
        params = cast("CosmosTransferParams", recipe.params)
        clip = CLIPS.usable(recipe.inputs["video"])
        width, height = fit_clip(clip.width, clip.height, SIDE_MULTIPLE * 240).size
        chunks = count_chunks(output_frames(clip, params.fps), MODEL_CHUNK_FRAMES)
        return chunks * params.num_steps * (2 if params.guidance_scale > 1 else 1) * width * height / MODEL_PIXELS


SPEC = CosmosTransferSpec()

__all__ = ["SPEC", "CosmosTransferParams", "CosmosTransferSpec"]
