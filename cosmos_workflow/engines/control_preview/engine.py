"""The work of the control-preview engine: one pass over the clip, a file for each control and one for their composite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from fractions import Fraction
from itertools import repeat
from typing import Any, cast

import av  # noqa: F401 - loaded with the engine, so that no item waits for it

from cosmos_workflow.clips.reading import read_frames, resample_frames
from cosmos_workflow.engines.base import Context, Output, Request, SerialEngine
from cosmos_workflow.engines.control_preview import CLIPS, ControlPreviewParams
from cosmos_workflow.engines.control_preview.controls import Picture, composite, fit, label, make_control
from cosmos_workflow.engines.video import active_controls, clip_notes, given_controls, output_frames
from cosmos_workflow.errors import InputError
from cosmos_workflow.media import ClipWriter

APPROXIMATE = ("depth", "seg")
"""Controls that need a model; without a given clip they are only hinted at."""


class ControlPreviewEngine(SerialEngine):
    """Makes previews one after another, frame by frame: memory doesn't grow with the clip."""

    def generate_one(self, request: Request, context: Context) -> Output:
        context.report(request.id, "reading")
        preview = _Preview(request)
        frames = preview.write(context)
        context.report(request.id, "completed")
        names = {f"control_{name}": f"control_{name}.mp4" for name in active_controls(request.weights)}
        return Output(request.id, {"video": "video.mp4", **names}, preview.describe(frames))


class _Preview:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.params = cast("ControlPreviewParams", request.params)
        self.clip = clip = CLIPS.usable(request.inputs["video"])
        self.width, self.height = clip.width - clip.width % 2, clip.height - clip.height % 2
        self.active = active_controls(request.weights)
        self.given = given_controls(request.weights, request.inputs)
        self.made = tuple(name for name in self.active if name not in self.given)
        self.guessed = [name for name in self.made if name in APPROXIMATE]
        self.notes = clip_notes(request.inputs, self.given, CLIPS)

    def write(self, context: Context) -> int:
        """Write every file; the number of frames in each."""
        total = output_frames(self.clip, self.params.fps)
        with ExitStack() as stack:
            writers = {name: stack.enter_context(self._writer(f"control_{name}", name)) for name in self.made + self.given}
            video = stack.enter_context(self._writer("video", "composite"))
            given = {name: self._given_frames(name) for name in self.given}
            for picture, times in self._frames():
                made = self._make(picture, video.frames, total, context)
                for _ in range(times):
                    controls = {**made, **{name: next(frames) for name, frames in given.items()}}
                    self._write(writers, video, controls)
            context.report(self.request.id, "finishing")
        return video.frames

    def _make(self, picture: Picture, done: int, total: int, context: Context) -> dict[str, Picture]:
        made: dict[str, Picture] = {}
        for step, name in enumerate(self.made or self.given):
            share = (done + step / len(self.made or self.given)) / total
            context.report(self.request.id, "controls", share, f"{name}: frame {min(done + 1, total)} of {total}")
            if name in self.made:
                made[name] = make_control(name, picture, self.params.blur_strength, self.params.canny_threshold)
        return made

    def _write(self, writers: Mapping[str, ClipWriter], video: ClipWriter, controls: Mapping[str, Picture]) -> None:
        if video.frames >= CLIPS.max_seconds * self.params.fps:
            raise InputError(f"control-preview: the clip is longer than it says; use one of at most {CLIPS.max_seconds} s.")
        for name, writer in writers.items():
            writer.write(label(controls[name], f"approximate {name}") if name in self.guessed else controls[name])
        video.write(composite(controls, self.request.weights))

    def _frames(self) -> Iterator[tuple[Picture, int]]:
        """The clip's frames at the output's rate, each with how often it is shown, cut to an even size."""
        frames = read_frames(self.request.inputs["video"], self.clip, self.notes)
        for picture, times in resample_frames(frames, Fraction(self.params.fps)):
            yield picture[: self.height, : self.width], times

    def _given_frames(self, name: str) -> Iterator[Picture]:
        """The frames of a given control, one for each output frame; the last one stays on."""
        last: Picture | None = None
        path = self.request.inputs[name]
        for picture, times in resample_frames(read_frames(path, CLIPS.usable(path), self.notes), Fraction(self.params.fps)):
            last = fit(name, picture, self.width, self.height)
            yield from repeat(last, times)
        if last is not None:
            yield from repeat(last)

    def _writer(self, name: str, shows: str) -> ClipWriter:
        comment = f"{'approximate ' if shows in self.guessed else ''}{shows} control, a preview by Cosmos Workflow"
        return ClipWriter(self.request.folder / f"{name}.mp4", self.width, self.height, self.params.fps, comment)

    def describe(self, frames: int) -> dict[str, Any]:
        """Metadata, with what is to be told of the clip."""
        clip, params, notes = self.clip, self.params, list(self.notes)
        if self.guessed:
            notes.append(f"{' and '.join(self.guessed)} approximate: made without a model, as a hint of where the control acts.")
        if (self.width, self.height) != (clip.width, clip.height):
            notes.append(f"Cut from {clip.width}x{clip.height} to {self.width}x{self.height}: a side must be even.")
        if (total := sum(self.request.weights[name] for name in self.active)) > 1:
            notes.append(f"The weights add up to {total:g}; the composite scales them down to 1.")
        if abs(clip.fps - params.fps) > 0.01:
            notes.append(f"The clip has {clip.fps:g} frames a second and the preview {params.fps}, for the same duration.")
        return {
            "frames": frames,
            "fps": params.fps,
            "seconds": round(frames / params.fps, 3),
            "width": self.width,
            "height": self.height,
            "controls": list(self.active),
            "approximate": self.guessed,
            "notes": notes,
        }
