"""What moves when: Manim's animations on a clock of our own, so that a scene has exactly the frames that it should have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import manim  # pyright: ignore[reportMissingImports] - the extra
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


@dataclass(slots=True)
class _Step:
    """Something that enters the picture; without an `animation` it fades in, which is done with pixels: cheap, and calm."""

    start: float
    seconds: float
    mobject: manim.Mobject
    animation: manim.Animation | None = None
    state: Literal["waiting", "moving", "done"] = "waiting"
    upon: Picture | None = None
    region: tuple[slice, slice] = (slice(0), slice(0))
    adds: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0, 4), np.float32))

    def share(self, now: float) -> float:
        """How far it is, up to 1, on a smooth curve where it fades."""
        share = min((now - self.start) / self.seconds, 1.0)
        return share if self.animation else float(manim.smooth(share))


@dataclass(slots=True)
class Timeline:
    """Mobjects that are there from the first frame, and those that enter, with their start and how many seconds that takes."""

    still: list[manim.Mobject] = field(default_factory=list)
    steps: list[_Step] = field(default_factory=list)

    def play(self, start: float, seconds: float, animation: manim.Animation) -> None:
        """Enters by an animation of Manim's."""
        self.steps.append(_Step(start, seconds, animation.mobject, animation))

    def fade_in(self, start: float, seconds: float, mobject: manim.Mobject) -> None:
        """Enters by fading in, where nothing else moves."""
        self.steps.append(_Step(start, seconds, mobject))

    def frames(self, total: int, fps: int, fade: float = 0.0) -> Iterator[Picture]:
        """`total` frames of shape (height, width, 4); in the last `fade` seconds everything goes.

        What has settled is drawn once: each frame costs what moves in it.
        """
        end = total / fps - fade
        camera = manim.Camera()
        settled = self._settle(camera, None, self.still)
        for index in range(total):
            now = index / fps
            if fade and now >= end:
                yield from self._faded(camera, settled, total - index)
                return
            active, settled = self._advance(camera, settled, now)
            yield self._moving(camera, settled, active, now) if active else settled

    def _advance(self, camera: manim.Camera, settled: Picture, now: float) -> tuple[list[_Step], Picture]:
        """What moves now, and the picture of what has come to rest."""
        active: list[_Step] = []
        for step in self.steps:
            if step.state == "done" or now < step.start:
                continue
            if step.state == "waiting":
                step.state = "moving"
                if step.animation:
                    step.animation.begin()
            if now - step.start < step.seconds:
                active.append(step)
            else:
                step.state = "done"
                if step.animation:
                    step.animation.finish()
                settled = self._settle(camera, settled, [step.mobject])
        return active, settled

    def _moving(self, camera: manim.Camera, settled: Picture, active: list[_Step], now: float) -> Picture:
        animated = [step for step in active if step.animation]
        for step in animated:
            cast("manim.Animation", step.animation).interpolate(step.share(now))
        frame = self._settle(camera, settled, [step.mobject for step in animated]) if animated else settled
        for step in active:
            if step.animation:
                continue
            if step.upon is not settled:
                step.upon = settled
                step.region, step.adds = _difference(settled, self._settle(camera, settled, [step.mobject]))
            if frame is settled:
                frame = settled.copy()
            added = frame[step.region] + step.adds * np.float32(step.share(now))
            frame[step.region] = np.clip(np.rint(added), 0, 255).astype(np.uint8)
        return frame

    @staticmethod
    def _settle(camera: manim.Camera, ground: Picture | None, mobjects: list[manim.Mobject]) -> Picture:
        """`mobjects` drawn upon a picture, or upon the bare background."""
        if ground is None:
            camera.reset()
        else:
            camera.set_frame_to_background(cast("Any", ground))
        if mobjects:
            camera.capture_mobjects(mobjects)
        return cast("Picture", camera.pixel_array.copy())

    def _faded(self, camera: manim.Camera, settled: Picture, frames: int) -> Iterator[Picture]:
        """From the picture to the bare background."""
        bare = self._settle(camera, None, []).astype(float)
        for index in range(frames):
            share = manim.smooth((index + 1) / frames)
            yield (settled * (1 - share) + bare * share).round().astype(settled.dtype)


def _difference(before: Picture, after: Picture) -> tuple[tuple[slice, slice], NDArray[np.float32]]:
    """Where two pictures differ, and by how much."""
    rows, columns = np.nonzero((before != after).any(axis=-1))
    if not len(rows):
        return (slice(0), slice(0)), np.zeros((0, 0, before.shape[-1]), np.float32)
    region = slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1)
    return region, after[region].astype(np.float32) - before[region]
