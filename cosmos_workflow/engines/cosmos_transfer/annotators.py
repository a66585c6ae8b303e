"""The models that see depth and regions in a clip: Depth Anything V2 and SAM 2, through transformers, from this disk."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cosmos_workflow.engines.cosmos_transfer.models import ANNOTATORS
from cosmos_workflow.engines.model_files.sets import require_model_files

Clip = NDArray[np.uint8]
OnFrame = Callable[[int], None]
"""Called with the number of frames done; what it raises ends the work."""

DEPTH_FRAMES_AT_ONCE = 8
GRID = (6, 4)
"""Points of the first frame, across and down, each of which names a region."""
SAME_REGION = 0.8
"""Two points whose regions overlap by this share (intersection over union) have found the same one."""


class Annotators:
    """The models by control, loaded when they are first needed."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._loaded: dict[str, tuple[Any, Any]] = {}

    @torch.inference_mode()
    def make(self, name: str, clip: Clip, on_frame: OnFrame) -> Clip:
        """The control `name` ("depth" or "seg") of a clip, in its size; raises UnavailableError where the weights aren't here."""
        if name not in self._loaded:
            self._loaded[name] = _load(name, self._device)
        processor, model = self._loaded[name]
        return {"depth": _nearness, "seg": _regions}[name](processor, model, clip, on_frame)

    def close(self) -> None:
        """Give their memory back."""
        self._loaded.clear()


def _load(name: str, device: torch.device) -> tuple[Any, Any]:
    from transformers import AutoImageProcessor, DepthAnythingForDepthEstimation, Sam2VideoModel, Sam2VideoProcessor

    kinds: dict[str, tuple[Any, Any]] = {
        "depth": (AutoImageProcessor, DepthAnythingForDepthEstimation),
        "seg": (Sam2VideoProcessor, Sam2VideoModel),
    }
    processor, model = kinds[name]
    folder = require_model_files(ANNOTATORS[name])
    loaded = model.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    return processor.from_pretrained(folder, local_files_only=True), loaded.to(device).eval()


def _nearness(processor: Any, model: Any, clip: Clip, on_frame: OnFrame) -> Clip:
    """By Depth Anything V2: white is near. Each frame is seen alone; the range is that of the whole clip."""
    depths: list[NDArray[np.float32]] = []
    for start in range(0, len(clip), DEPTH_FRAMES_AT_ONCE):
        pictures = list(clip[start : start + DEPTH_FRAMES_AT_ONCE])
        inputs = processor(images=pictures, return_tensors="pt").to(model.device)
        predicted = model(**inputs).predicted_depth
        full = torch.nn.functional.interpolate(predicted[:, None].float(), clip.shape[1:3], mode="bicubic", align_corners=False)
        depths.extend(full[:, 0].cpu().numpy())
        on_frame(len(depths))
    return _bytes(np.stack(depths))


def _regions(processor: Any, model: Any, clip: Clip, on_frame: OnFrame) -> Clip:
    """By SAM 2: a colour each, the same in every frame, black where none is.

    The regions are those under a grid of points in the first frame, followed through the clip; what appears later has none.
    """
    frames = _follow(processor, model, clip)
    first = next(frames)
    regions = _distinct(first)
    colours = _palette(len(regions))
    made = [_paint(first[regions], colours)]
    on_frame(1)
    for masks in frames:
        made.append(_paint(masks[regions], colours))
        on_frame(len(made))
    return np.stack(made)


def _follow(processor: Any, model: Any, clip: Clip) -> Iterator[NDArray[np.bool_]]:
    """For each frame the masks of all points: (points, H, W)."""
    height, width = clip.shape[1:3]
    across, down = ((np.arange(count) + 0.5) / count for count in GRID)
    points = [[[float(x * width), float(y * height)]] for y in down for x in across]
    session = processor.init_video_session(
        video=clip, inference_device=model.device, video_storage_device="cpu", dtype=torch.float32
    )
    processor.add_inputs_to_inference_session(
        inference_session=session,
        frame_idx=0,
        obj_ids=list(range(1, len(points) + 1)),
        input_points=[points],
        input_labels=[[[1]] * len(points)],
    )
    model(inference_session=session, frame_idx=0)
    for output in model.propagate_in_video_iterator(session):
        masks = processor.post_process_masks([output.pred_masks], original_sizes=[[height, width]], binarize=False)[0]
        yield (masks[:, 0] > 0).cpu().numpy()


def _bytes(depths: NDArray[np.float32]) -> Clip:
    low, high = float(depths.min()), float(depths.max())
    grey = np.rint((depths - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def _distinct(masks: NDArray[np.bool_]) -> list[int]:
    """The regions of a frame without repetitions, large ones first, so that small ones are painted over them."""
    areas = masks.sum(axis=(1, 2))
    chosen: list[int] = []
    for index in np.argsort(-areas, kind="stable"):
        mask = masks[index]
        overlaps = (np.logical_and(mask, masks[other]).sum() / np.logical_or(mask, masks[other]).sum() for other in chosen)
        if areas[index] and all(overlap < SAME_REGION for overlap in overlaps):
            chosen.append(int(index))
    return chosen


def _paint(masks: NDArray[np.bool_], colours: Clip) -> Clip:
    picture = np.zeros((*masks.shape[1:], 3), np.uint8)
    for mask, colour in zip(masks, colours, strict=True):
        picture[mask] = colour
    return picture


def _palette(count: int) -> Clip:
    # Hues a golden angle apart are far from each other for any number of regions.
    colours = [colorsys.hsv_to_rgb(index * 0.618034 % 1, 0.6 + 0.2 * (index % 2), 0.95) for index in range(count)]
    return (255 * np.array(colours).reshape(-1, 3)).astype(np.uint8)
