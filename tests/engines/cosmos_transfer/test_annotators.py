"""Depth and regions by their real models, at toy size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cosmos_workflow.engines.base import Dropped, Output
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.engines.testing.harness import RecordingContext
from cosmos_workflow.errors import UnavailableError
from tests.engines.cosmos_transfer.support import Studio, frames_of, write_clip

if TYPE_CHECKING:
    from cosmos_workflow.engines.cosmos_transfer.annotators import Annotators

MODULE = "cosmos_workflow.engines.cosmos_transfer.annotators"


@pytest.fixture
def models(toy_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Annotators:
    monkeypatch.setenv(FOLDER_VARIABLE, str(toy_weights))
    return on_cpu()


def on_cpu() -> Annotators:
    import torch

    from cosmos_workflow.engines.cosmos_transfer.annotators import Annotators

    return Annotators(torch.device("cpu"))


def test_depth_is_grey_in_the_range_of_the_whole_clip(models: Annotators, tmp_path: Path) -> None:
    clip = frames_of(write_clip(tmp_path / "clip.mp4", frames=10))
    seen: list[int] = []
    depth = models.make("depth", clip, seen.append)
    assert (depth.shape, depth.dtype) == (clip.shape, np.uint8)
    assert (depth.min(), depth.max()) == (0, 255)
    assert np.array_equal(depth[..., 0], depth[..., 2])
    assert seen == [8, 10]


def test_regions_keep_their_colours_through_the_clip(models: Annotators, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmos_workflow.engines.cosmos_transfer.annotators import _palette

    monkeypatch.setattr(f"{MODULE}.GRID", (3, 2))
    clip = frames_of(write_clip(tmp_path / "clip.mp4", frames=4))
    seen: list[int] = []
    regions = models.make("seg", clip, seen.append)
    assert (regions.shape, regions.dtype) == (clip.shape, np.uint8)
    assert seen == [1, 2, 3, 4]
    colours = {tuple(colour) for colour in regions.reshape(-1, 3)}
    assert 1 <= len(colours) <= 7
    assert colours <= {(0, 0, 0), *(tuple(colour) for colour in _palette(6))}


@pytest.mark.slow
def test_regions_that_are_the_same_count_once_and_large_ones_lie_below() -> None:
    from cosmos_workflow.engines.cosmos_transfer.annotators import _distinct

    masks = np.zeros((4, 8, 8), bool)
    masks[0, 2:4, 2:4] = True
    masks[1, :, :6] = True
    masks[2, :, :6] = True
    masks[2, 0, 0] = False
    assert _distinct(masks) == [1, 0]


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(
        UnavailableError, match=r"Depth Anything V2 .* aren't on this machine; run `(uv run )?cosmos-workflow weights fetch"
    ):
        on_cpu().make("depth", np.zeros((1, 16, 16, 3), np.uint8), lambda _done: None)


def test_the_engine_makes_what_is_missing_and_writes_it_beside_the_result(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{MODULE}.GRID", (2, 2))
    request = studio.request(weights=dict.fromkeys(("vis", "edge", "depth", "seg"), 0.25), depth_and_seg="model", num_steps=1)
    (outcome,), context = studio.run(request)
    assert isinstance(outcome, Output)
    assert set(outcome.files) == {"video", "control_vis", "control_edge", "control_depth", "control_seg"}
    assert {path.name for path in request.folder.iterdir()} == set(outcome.files.values())
    assert outcome.metadata["approximate"] == []
    messages = [message for _, stage, _, message in context.reports if stage == "controls"]
    assert {message.partition(":")[0] for message in messages} == {"reading the clip", "vis", "edge", "depth", "seg"}


def test_a_cancel_ends_the_annotation(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}.GRID", (2, 1))
    request = studio.request(weights={"seg": 1.0}, depth_and_seg="model")

    def cancel(context: RecordingContext, item_id: str) -> None:
        if context.reports[-1][3].startswith("seg: frame 2"):
            context.cancelled.add(item_id)

    (outcome,), context = studio.run(request, on_report=cancel)
    assert isinstance(outcome, Dropped)
    assert context.reports[-1][3] == "seg: frame 2 of 6"
