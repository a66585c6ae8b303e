"""What the tests of Cosmos Transfer share: clips, requests with few steps, and the frames of what was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cosmos_workflow.clips.reading import read_frames
from cosmos_workflow.engines.base import ItemOutcome, Output, Request
from cosmos_workflow.engines.cosmos_transfer import SPEC
from cosmos_workflow.engines.testing.harness import RecordingContext, make_request, run_engine
from cosmos_workflow.media import ClipWriter

if TYPE_CHECKING:
    from cosmos_workflow.engines.cosmos_transfer.engine import CosmosTransferEngine

Clip = NDArray[np.uint8]

EDGE_ONLY = {"vis": 0.0, "edge": 0.5, "depth": 0.0, "seg": 0.0}
QUICK: Mapping[str, Any] = {"num_steps": 2, "fps": 6, "depth_and_seg": "approximate"}


def write_clip(path: Path, frames: int = 6, width: int = 48, height: int = 32, fps: int = 6) -> Path:
    """A coloured square that moves to the right over a striped ground."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with ClipWriter(path, width, height, fps) as clip:
        for number in range(frames):
            picture = np.full((height, width, 3), 40, np.uint8)
            picture[:, ::8] = (90, 90, 160)
            left = (4 + 2 * number) % (width - 20)
            picture[6:24, left : left + 20] = (210, 80, 40)
            clip.write(picture)
    return path


def frames_of(path: Path) -> Clip:
    """Every frame of a clip."""
    return np.stack([picture for picture, _, _ in read_frames(path)])


def difference(one: Clip, other: Clip) -> int:
    """The largest difference of any value, of 255."""
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@dataclass
class Studio:
    """The engine, and short ways to have it make something."""

    engine: CosmosTransferEngine
    folder: Path
    clip: Path
    requests: dict[str, Request] = field(default_factory=dict)

    def request(
        self,
        text: str = "a fox in the snow",
        weights: Mapping[str, float] | None = None,
        inputs: Mapping[str, Path] | None = None,
        **params: Any,
    ) -> Request:
        """A checked request with few steps; only edges hold it, where no weights are given."""
        item_id = f"qi_{len(self.requests)}"
        given = {"video": self.clip, **(inputs or {})}
        stated = EDGE_ONLY if weights is None else {**dict.fromkeys(EDGE_ONLY, 0.0), **weights}
        made = make_request(SPEC, self.folder, text, {**QUICK, **params}, stated, given, item_id)
        SPEC.check(made)
        self.requests[item_id] = made
        return made

    def run(
        self, *requests: Request, on_report: Callable[[RecordingContext, str], None] | None = None
    ) -> tuple[list[ItemOutcome], RecordingContext]:
        """The outcomes of a batch, in its order, and what was reported."""
        context = RecordingContext(SPEC, on_report=on_report)
        outcomes = run_engine(self.engine, list(requests), context)
        return [outcomes[request.id] for request in requests], context

    def make(self, *requests: Request) -> list[Clip]:
        """The clips of a batch whose items must all succeed."""
        outcomes, _ = self.run(*requests)
        for outcome in outcomes:
            assert isinstance(outcome, Output), outcome
        return [frames_of(request.folder / "video.mp4") for request in requests]

    def control(self, request: Request, name: str) -> Clip:
        """A control clip that was made for a request."""
        return frames_of(request.folder / f"control_{name}.mp4")
