"""The control clips of an item: given ones brought to size, vis and edge computed, depth and seg by their models."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from cosmos_workflow.clips.reading import read_frames, resample_frames
from cosmos_workflow.engines.base import Context, Request
from cosmos_workflow.engines.control_preview.controls import fit as scale
from cosmos_workflow.engines.control_preview.controls import label, make_control
from cosmos_workflow.engines.cosmos_transfer import CosmosTransferParams
from cosmos_workflow.engines.cosmos_transfer.annotators import Annotators
from cosmos_workflow.engines.cosmos_transfer.models import ANNOTATORS
from cosmos_workflow.engines.cosmos_transfer.sampling import Clip, Prepared
from cosmos_workflow.engines.cosmos_transfer.shapes import CLIPS, Fit, check_length, fit_clip
from cosmos_workflow.engines.video import active_controls, clip_notes, given_controls
from cosmos_workflow.media import ClipWriter

READING = "reading the clip"


def prepare(request: Request, context: Context, annotators: Annotators, max_side: int) -> Prepared:
    """Read an item's clip and make its control clips; they are also written into its folder, to be looked at.

    Raises Cancelled where the item was cancelled, and InputError or UnavailableError where it can't be made.
    """
    params = cast("CosmosTransferParams", request.params)
    source = CLIPS.usable(request.inputs["video"])
    fit = fit_clip(source.width, source.height, max_side)
    active, given = active_controls(request.weights), given_controls(request.weights, request.inputs)
    guessed = tuple(name for name in active if name in ANNOTATORS and name not in given and params.depth_and_seg == "approximate")

    def told(step: int, name: str, done: int) -> None:
        share = (step + min(1.0, done / len(frames))) / len(active)
        context.report(request.id, "controls", share, f"{name}: frame {done} of {len(frames)}")

    context.report(request.id, "controls", 0.0, READING)
    notes = clip_notes(request.inputs, given, CLIPS)

    def read(name: str, on_frame: Callable[[int], None]) -> Clip:
        path = request.inputs[name]
        return _read(read_frames(path, CLIPS.usable(path), notes), path, name, fit, params.fps, on_frame)

    frames = read("video", lambda _done: context.report(request.id, "controls", 0.0, READING))
    controls: dict[str, Clip] = {}
    for step, name in enumerate(active):
        report = partial(told, step, name)
        if name in given:
            clip = read(name, report)
            controls[name] = clip[np.minimum(np.arange(len(frames)), len(clip) - 1)]  # the last one stays on
        elif name in ANNOTATORS and name not in guessed:
            controls[name] = annotators.make(name, frames, report)
        else:
            controls[name] = _computed(name, frames, params, report)
        mark = f"approximate {name}" if name in guessed else ""
        path, comment = request.folder / f"control_{name}.mp4", f"{mark or name} control by Cosmos Workflow"
        write_clip(path, controls[name], params.fps, comment, mark)
    return Prepared(request, fit, controls, guessed, tuple(notes))


def _read(
    source: Iterable[tuple[Clip, float, float]], path: Path, name: str, fit: Fit, fps: int, on_frame: Callable[[int], None]
) -> Clip:
    """The frames of the clip `path` at `fps`, in the model's size; regions keep their exact colours."""
    (scaled_width, scaled_height), (width, height) = fit.scaled, fit.size
    left, top = (scaled_width - width) // 2, (scaled_height - height) // 2
    frames: list[Clip] = []
    for picture, times in resample_frames(source, Fraction(fps)):
        scaled = scale(name, picture, scaled_width, scaled_height)
        frames.extend([scaled[top : top + height, left : left + width]] * times)
        check_length(path, len(frames))
        on_frame(len(frames))
    return np.stack(frames)


def _computed(name: str, frames: Clip, params: CosmosTransferParams, on_frame: Callable[[int], None]) -> Clip:
    made: list[Clip] = []
    for picture in frames:
        made.append(make_control(name, picture, params.blur_strength, params.canny_threshold))
        on_frame(len(made))
    return np.stack(made)


def write_clip(path: Path, clip: Clip, fps: int, comment: str, mark: str = "") -> None:
    """Write a clip, with `mark` in the corner of each picture, if there is one."""
    _, height, width, _ = clip.shape
    with ClipWriter(path, width, height, fps, comment) as writer:
        for picture in clip:
            writer.write(label(picture, mark) if mark else picture)
