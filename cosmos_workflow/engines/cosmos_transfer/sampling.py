"""One call of the pipeline for several items: what it is given, what it reports on the way, and the frames it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from diffusers.pipelines.cosmos.pipeline_cosmos2_5_transfer import DEFAULT_NEGATIVE_PROMPT
from numpy.typing import NDArray

from cosmos_workflow.engines.base import Request
from cosmos_workflow.engines.cosmos_transfer import CosmosTransferParams
from cosmos_workflow.engines.cosmos_transfer.loader import Model
from cosmos_workflow.engines.cosmos_transfer.shapes import Fit, count_chunks

Clip = NDArray[np.uint8]
"""The frames of a clip: (T, H, W, 3), RGB."""

READ_TOKENS = 512
"""Tokens of a prompt that the model reads; the rest is cut off (the pipeline's default)."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An item that is ready to be made: `controls` holds a clip for each active control, in the model's size.

    `notes` is what is to be told of the clips that it was made from.
    """

    request: Request
    fit: Fit
    controls: Mapping[str, Clip]
    approximate: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def params(self) -> CosmosTransferParams:
        return cast("CosmosTransferParams", self.request.params)

    @property
    def frames(self) -> int:
        return len(next(iter(self.controls.values())))

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        return self.fit.size

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each control as the model gets it: scaled down where they add up to more than 1, as in NVIDIA's code."""
        own = {name: self.request.weights[name] for name in self.controls}
        scale = max(1.0, sum(own.values()))
        return {name: weight / scale for name, weight in own.items()}


OnStep = Callable[[int, int, int], None]
"""Called after each step with the chunk (from 0), how many chunks there are, and the steps of this chunk that are done."""


def make_clips(model: Model, items: Sequence[Prepared], on_step: OnStep) -> list[Clip | None]:
    """The clips of items that share their invariant params, their active controls, their size and their number of chunks.

    None for a clip that the guardrail refused. Each item has a generator of its own, on the CPU, so that it is the same alone
    and in a batch, and on every device but for rounding. What `model.check` or `on_step` raises ends the call.
    """
    params, chunk = items[0].params, model.chunk
    # One frame makes no chunk in the pipeline; it is made as two.
    frames = max(2, *(item.frames for item in items))
    chunks = count_chunks(frames, chunk)
    width, height = items[0].size
    done = 0

    def after_step(_pipeline: Any, _step: int, _timestep: Any, _tensors: Any) -> dict[str, Any]:
        nonlocal done
        at, inside = divmod(done, params.num_steps)
        done += 1
        on_step(at, chunks, inside + 1)
        return {}

    model.guardrail.take_verdicts()
    try:
        made: Any = model.pipeline(
            controls=_stacked(items, frames, model.dtype),  # pyright: ignore[reportArgumentType]
            controls_conditioning_scale=_scales(model, items),  # pyright: ignore[reportArgumentType]
            prompt=[item.request.text for item in items],
            negative_prompt=[item.params.negative_prompt or DEFAULT_NEGATIVE_PROMPT for item in items],
            height=height,
            width=width,
            num_frames=frames,
            num_frames_per_chunk=chunk,
            num_inference_steps=params.num_steps,
            guidance_scale=params.guidance_scale,
            generator=[torch.Generator("cpu").manual_seed(item.params.seed) for item in items],
            output_type="np",
            callback_on_step_end=after_step,  # pyright: ignore[reportArgumentType] - its own annotation is off
        )
    finally:
        model.pipeline.maybe_free_model_hooks()
    clips = np.rint(made.frames * 255).astype(np.uint8)
    allowed = model.guardrail.take_verdicts()
    return [clip[: item.frames] if fine else None for item, clip, fine in zip(items, clips, allowed, strict=True)]


def _stacked(items: Sequence[Prepared], frames: int, dtype: torch.dtype) -> torch.Tensor:
    """The control clips of all items in [0, 1]: (B, T, 3n, H, W); the last picture of a shorter one stays on."""
    clips = []
    for item in items:
        stacked = np.concatenate([item.controls[name] for name in item.controls], axis=-1)
        pictures = torch.from_numpy(stacked).permute(0, 3, 1, 2)
        last = pictures[-1:].expand(frames - len(pictures), -1, -1, -1)
        clips.append(torch.cat([pictures, last]).to(dtype) / 255)
    return torch.stack(clips)


def _scales(model: Model, items: Sequence[Prepared]) -> dict[str, torch.Tensor]:
    """For each control the weights of all items: (B, 1, 1)."""
    weights = [item.weights for item in items]
    return {
        name: torch.tensor([one[name] for one in weights], dtype=model.dtype, device=model.device).view(-1, 1, 1)
        for name in items[0].controls
    }
