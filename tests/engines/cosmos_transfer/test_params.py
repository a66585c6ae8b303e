"""Every parameter reaches what it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosmos_workflow.engines.base import Output
from cosmos_workflow.engines.control_preview import controls as signals
from cosmos_workflow.engines.cosmos_transfer import SPEC, CosmosTransferParams
from cosmos_workflow.engines.params import param_fields
from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing import Prompt, Queue
from cosmos_workflow.queueing.batches import calculate_batch_key
from cosmos_workflow.queueing.items import Configuration
from tests.engines.cosmos_transfer.support import Studio, difference, frames_of, write_clip


def calls(studio: Studio, **params: Any) -> list[dict[str, Any]]:
    """What the transformer was called with while an item was made."""
    seen: list[dict[str, Any]] = []
    transformer = studio.engine.model.pipeline.transformer
    hook = transformer.register_forward_pre_hook(lambda _module, _args, kwargs: seen.append(kwargs), with_kwargs=True)
    try:
        studio.make(studio.request(**params))
    finally:
        hook.remove()
    return seen


@pytest.mark.parametrize("steps", [1, 4])
def test_num_steps(studio: Studio, steps: int) -> None:
    request = studio.request(num_steps=steps)
    _, context = studio.run(request)
    assert [message for _, stage, _, message in context.reports if stage == "denoising"] == [
        f"step {step} of {steps}" for step in range(1, steps + 1)
    ]


def test_guidance_scale(studio: Studio) -> None:
    assert len(calls(studio, guidance_scale=1.0)) == 2
    assert len(calls(studio, guidance_scale=3.0)) == 4
    weak, strong = (studio.make(studio.request(guidance_scale=scale))[0] for scale in (2.0, 9.0))
    assert difference(weak, strong) > 10


def test_seed(studio: Studio) -> None:
    import torch

    first, again, other = (calls(studio, seed=seed)[0]["hidden_states"] for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(("fps", "frames"), [(3, 3), (6, 6), (12, 12)])
def test_fps(studio: Studio, fps: int, frames: int) -> None:
    request = studio.request(fps=fps, num_steps=1)
    (outcome,), _ = studio.run(request)
    assert isinstance(outcome, Output)
    assert (outcome.metadata["frames"], outcome.metadata["fps"], outcome.metadata["seconds"]) == (frames, fps, 1.0)
    assert len(frames_of(request.folder / "video.mp4")) == frames


@pytest.mark.parametrize("strength", ["very_low", "very_high"])
def test_blur_strength(studio: Studio, strength: signals.Strength) -> None:
    request = studio.request(weights={"vis": 1.0}, blur_strength=strength, num_steps=1)
    studio.make(request)
    made = studio.control(request, "vis")
    off = {
        preset: np.abs(made - np.stack([signals.vis(picture, preset).astype(float) for picture in frames_of(studio.clip)])).mean()
        for preset in ("very_low", "very_high")
    }
    # Read back from H.264 a frame is near what was written, and far from the other preset's.
    assert min(off, key=lambda preset: off[preset]) == strength
    assert off[strength] < 4 < max(off.values())


@pytest.mark.parametrize("threshold", ["very_low", "very_high"])
def test_canny_threshold(studio: Studio, threshold: signals.Strength) -> None:
    request = studio.request(weights={"edge": 1.0}, canny_threshold=threshold, num_steps=1)
    studio.make(request)
    expected = np.stack([signals.edge(picture, threshold) for picture in frames_of(studio.clip)])
    assert ((studio.control(request, "edge") > 127) == (expected > 127)).mean() > 0.98


def test_negative_prompt(studio: Studio) -> None:
    plain, negative = (studio.make(studio.request(negative_prompt=text))[0] for text in ("", "rain and fog"))
    assert difference(plain, negative) > 10
    unguided = [studio.make(studio.request(negative_prompt=text, guidance_scale=1.0))[0] for text in ("", "rain and fog")]
    assert difference(*unguided) <= 1


def test_depth_and_seg_are_approximate_only_where_chosen(studio: Studio) -> None:
    weights = {"depth": 0.5, "seg": 0.5}
    guess, model = (studio.request(weights=weights, depth_and_seg=choice, num_steps=1) for choice in ("approximate", "model"))
    (guessed, modelled), _ = studio.run(guess, model)
    assert isinstance(guessed, Output)
    assert isinstance(modelled, Output)
    assert guessed.metadata["approximate"] == ["depth", "seg"]
    assert modelled.metadata["approximate"] == []
    assert difference(studio.control(guess, "depth"), studio.control(model, "depth")) > 20


def test_given_controls_are_used_as_they_are(studio: Studio) -> None:
    given = write_clip(studio.folder / "depth.mp4", width=24, height=16)
    request = studio.request(weights={"depth": 1.0}, inputs={"depth": given}, num_steps=1)
    studio.make(request)
    picture = frames_of(given)[3]
    shown = studio.control(request, "depth")[3]
    assert np.abs(shown[::2, ::2].astype(int) - picture).mean() < 12


def test_sigma_max_is_shown_as_unused_and_is_not_in_the_key() -> None:
    (field,) = [field for field in param_fields(CosmosTransferParams) if field.name == "sigma_max"]
    assert "diffusers' pipeline has no sigma_max" in field.unused
    assert "sigma_max" not in Configuration.of(SPEC.name, {}).key_parts
    assert calculate_batch_key("cosmos-transfer", {"sigma_max": 70}) == calculate_batch_key("cosmos-transfer", {"sigma_max": 10})


def test_the_form_has_the_defaults_and_ranges() -> None:
    shown = {
        field.name: (field.default, field.minimum, field.maximum, field.invariant) for field in param_fields(CosmosTransferParams)
    }
    assert shown["num_steps"] == (35, 1, 100, True)
    assert shown["guidance_scale"] == (3.0, 0, 20, True)
    assert shown["seed"][0] == 1
    assert shown["fps"] == (24, 1, 60, True)
    assert shown["blur_strength"][0] == shown["canny_threshold"][0] == "medium"
    assert not shown["negative_prompt"][3]
    assert dict(SPEC.weights) == dict.fromkeys(("vis", "edge", "depth", "seg"), 0.25)


@pytest.mark.parametrize(
    "params",
    [
        {"num_steps": 36},
        {"guidance_scale": 4.0},
        {"seed": 2},
        {"fps": 25},
        {"blur_strength": "low"},
        {"canny_threshold": "low"},
    ],
)
def test_what_must_be_equal_is_in_the_key(params: dict[str, Any]) -> None:
    assert calculate_batch_key("cosmos-transfer", params) != calculate_batch_key("cosmos-transfer", {})


def test_the_set_of_controls_is_in_the_key_and_their_weights_are_not() -> None:
    key = calculate_batch_key("cosmos-transfer", {}, {"vis": 0.1, "edge": 0.9})
    assert key == calculate_batch_key("cosmos-transfer", {"negative_prompt": "rain"}, {"vis": 0.7, "edge": 0.2})
    assert key != calculate_batch_key("cosmos-transfer", {}, {"vis": 0.1, "edge": 0.0})


def test_two_weights_share_a_batch_and_two_seeds_do_not(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    queue = Queue()
    for seed, edge in ((1, 0.2), (1, 0.8), (2, 0.2), (3, 0.2)):
        queue.add_to_queue([Prompt("a fox", inputs={"video": str(clip)})], "cosmos-transfer", {"seed": seed}, {"edge": edge})
    assert [len(batch) for batch in queue.plan()] == [2, 1, 1]


@pytest.mark.parametrize(
    ("weights", "words"),
    [({"edge": 1.5}, "use a number from 0 to 1"), ({"blur": 0.5}, "takes vis, edge, depth, seg")],
)
def test_wrong_weights_are_refused(weights: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        SPEC.complete_weights(weights)
