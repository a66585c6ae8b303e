"""Cosmos Transfer: a clip made anew after a prompt, held by its controls. What the app knows of it without loading it."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, cast

from cosmos_workflow.engines.cosmos_transfer.available import find_reason, missing_for
from cosmos_workflow.engines.cosmos_transfer.clips import CLIPS, check_length
from cosmos_workflow.engines.cosmos_transfer.models import ANNOTATORS, BASE, CONTROL_FILES, GUARD_FACES, GUARD_TEXT
from cosmos_workflow.engines.cosmos_transfer.params import CosmosTransferParams
from cosmos_workflow.engines.cosmos_transfer.shapes import MODEL_CHUNK_FRAMES, MODEL_PIXELS, SIDE_MULTIPLE, count_chunks, fit_clip
from cosmos_workflow.engines.model_files.sets import ModelFiles
from cosmos_workflow.engines.params import Params
from cosmos_workflow.engines.spec import Availability, Recipe
from cosmos_workflow.engines.video import Clips, ControlledSpec, active_controls, given_controls, output_frames
from cosmos_workflow.errors import InputError, about
from cosmos_workflow.progress import Stage


class CosmosTransferSpec(ControlledSpec):
    """Video to video; a batch has equal parameters, but for the negative prompt, and the same active controls."""

    name: ClassVar[str] = "cosmos-transfer"
    title: ClassVar[str] = "Cosmos Transfer"
    summary: ClassVar[str] = "Makes a clip anew after a prompt, held by its blur, edges, depth and regions; truly batched."
    clips: ClassVar[Clips] = CLIPS
    params: ClassVar[type[Params]] = CosmosTransferParams
    implementation: ClassVar[str] = "cosmos_workflow.engines.cosmos_transfer.engine:CosmosTransferEngine"
    stages: ClassVar[tuple[Stage, ...]] = (
        Stage("load", 0.0, "Loading the controls"),
        Stage("controls", 0.02, "Making the control signals"),
        Stage("text", 0.12, "Reading the prompt"),
        Stage("denoising", 0.15, "Making the clip"),
        Stage("finishing", 0.98, "Writing the clip"),
        Stage("completed", 1.0, "Completed"),
    )
    cost_unit: ClassVar[str] = "steps"

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
