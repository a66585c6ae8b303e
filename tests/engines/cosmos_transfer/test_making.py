"""Making clips: alone and in a batch, with one control and with four, in chunks; cancelled, refused, and out of memory."""

from __future__ import annotations

import itertools
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
import pytest

from cosmos_workflow.clips.looking import probe_clip
from cosmos_workflow.engines.base import Device, Dropped, Failure, Output
from cosmos_workflow.engines.cosmos_transfer import SPEC
from cosmos_workflow.engines.cosmos_transfer.models import BASE, CONTROL_FILES
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.engines.testing.cosmos_transfer.toy_weights import CHUNK_FRAMES
from cosmos_workflow.engines.testing.harness import RecordingContext
from tests.engines.cosmos_transfer.support import Studio, difference, frames_of, write_clip

if TYPE_CHECKING:
    from cosmos_workflow.engines.cosmos_transfer.sampling import Prepared

FOUR = {"vis": 0.25, "edge": 0.25, "depth": 0.25, "seg": 0.25}

TOLERANCE = 1
"""Of 255: what a clip in a batch may differ from the same one alone, by the order in which a CPU adds up."""


def prepared(studio: Studio, **given: Any) -> Prepared:
    """An item with its control clips, ready for the pipeline."""
    from cosmos_workflow.engines.cosmos_transfer.sampling import Prepared

    request = studio.request(**given)
    made = studio.engine.prepare(request, RecordingContext(SPEC))
    assert isinstance(made, Prepared), made
    return made


def sample(studio: Studio, *items: Prepared) -> list[np.ndarray]:
    from cosmos_workflow.engines.cosmos_transfer.sampling import make_clips

    made = make_clips(studio.engine.model, items, lambda *_: None)
    assert all(clip is not None for clip in made)
    return cast("list[np.ndarray]", made)


def test_a_clip_in_a_batch_is_the_same_as_alone(studio: Studio) -> None:
    items = [
        prepared(studio, text="a fox", weights={"vis": 0.1, "edge": 0.5}),
        prepared(studio, text="a heron over the lake", weights={"vis": 0.9, "edge": 0.05}),
        prepared(studio, text="rain", weights={"vis": 0.5, "edge": 1.0}, negative_prompt="snow"),
    ]
    together = sample(studio, *items)
    for item, clip in zip(items, together, strict=True):
        (alone,) = sample(studio, item)
        assert difference(alone, clip) <= TOLERANCE
    for one, other in itertools.combinations(together, 2):
        assert difference(one, other) > 5 * TOLERANCE


def test_with_one_control_it_is_the_plain_pipeline(studio: Studio, toy_weights: Path) -> None:
    import torch
    from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
    from diffusers.models.controlnets.controlnet_cosmos import CosmosControlNetModel
    from diffusers.models.transformers.transformer_cosmos import CosmosTransformer3DModel
    from diffusers.pipelines.cosmos.pipeline_cosmos2_5_transfer import Cosmos2_5_TransferPipeline
    from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
    from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

    from cosmos_workflow.engines.testing.cosmos_transfer.toy_engine import ToyChecker

    item = prepared(studio, text="a fox", weights={"edge": 0.5})
    folder = toy_weights / BASE.folder_name
    plain = Cosmos2_5_TransferPipeline(
        text_encoder=Qwen2_5_VLForConditionalGeneration.from_pretrained(folder / "text_encoder"),
        tokenizer=AutoTokenizer.from_pretrained(folder / "tokenizer"),
        transformer=CosmosTransformer3DModel.from_pretrained(folder / "transformer"),
        vae=AutoencoderKLWan.from_pretrained(folder / "vae"),
        scheduler=cast("Any", UniPCMultistepScheduler.from_pretrained(folder / "scheduler")),
        controlnet=CosmosControlNetModel.from_pretrained(toy_weights / CONTROL_FILES["edge"].folder_name),
        safety_checker=cast("Any", ToyChecker()),
    )
    plain.set_progress_bar_config(disable=True)
    controls = torch.from_numpy(item.controls["edge"]).permute(0, 3, 1, 2)[None] / 255
    made: Any = plain(
        controls=cast("Any", controls),
        controls_conditioning_scale=0.5,
        prompt="a fox",
        height=32,
        width=48,
        num_frames=item.frames,
        num_frames_per_chunk=CHUNK_FRAMES,
        num_inference_steps=item.params.num_steps,
        guidance_scale=item.params.guidance_scale,
        generator=torch.Generator("cpu").manual_seed(item.params.seed),
        output_type="np",
    )
    (ours,) = sample(studio, item)
    assert difference(np.rint(made.frames[0] * 255).astype(np.uint8), ours) <= TOLERANCE


def test_each_item_is_held_by_its_own_weights(studio: Studio) -> None:
    weights = [{"vis": 0.2, "edge": 0.4}, {"vis": 0.8, "edge": 0.6}]
    model = studio.engine.model
    items = [prepared(studio, weights=stated) for stated in weights]
    arrived: dict[str, list[float]] = {}

    def note(name: str) -> Any:
        def hook(_module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
            arrived[name] = kwargs["conditioning_scale"].flatten().tolist()

        return hook

    hooks = [model.nets[name].register_forward_pre_hook(note(name), with_kwargs=True) for name in ("vis", "edge")]
    try:
        sample(studio, *items)
    finally:
        for hook in hooks:
            hook.remove()
    assert arrived["vis"] == pytest.approx([0.2, 0.8 / 1.4])
    assert arrived["edge"] == pytest.approx([0.4, 0.6 / 1.4])


def test_four_controls_each_move_the_result(studio: Studio) -> None:
    whole = prepared(studio, weights=FOUR)
    weaker = [prepared(studio, weights={**FOUR, name: 0.05}) for name in FOUR]
    first, *others = sample(studio, whole, *weaker)
    assert all(difference(first, other) > 5 * TOLERANCE for other in others)


def test_weights_above_one_count_as_their_share(studio: Studio) -> None:
    one, other = sample(
        studio, prepared(studio, weights={"vis": 1.0, "edge": 1.0}), prepared(studio, weights={"vis": 0.5, "edge": 0.5})
    )
    assert difference(one, other) <= TOLERANCE


def test_clips_of_unequal_shape_are_made_in_one_batch(studio: Studio) -> None:
    small = write_clip(studio.folder / "small.mp4", frames=5, width=32, height=16)
    long = write_clip(studio.folder / "long.mp4", frames=CHUNK_FRAMES + 3)
    requests = [
        studio.request("one"),
        studio.request("two", inputs={"video": small}),
        studio.request("three", inputs={"video": long}),
        studio.request("four"),
    ]
    outcomes, _ = studio.run(*requests)
    made = [outcome.metadata for outcome in outcomes if isinstance(outcome, Output)]
    assert [(meta["width"], meta["height"], meta["frames"], meta["chunks"], meta["made_at_once"]) for meta in made] == [
        (48, 32, 6, 1, 2),
        (32, 16, 5, 1, 1),
        (48, 32, CHUNK_FRAMES + 3, 2, 1),
        (48, 32, 6, 1, 2),
    ]


def test_a_shorter_clip_beside_a_longer_one_is_the_same_as_alone(studio: Studio) -> None:
    short = prepared(studio, inputs={"video": write_clip(studio.folder / "short.mp4", frames=3)})
    together, _ = sample(studio, short, prepared(studio))
    (alone,) = sample(studio, short)
    assert len(together) == 3
    assert difference(alone, together) <= TOLERANCE


@pytest.mark.parametrize("frames", [1, CHUNK_FRAMES, CHUNK_FRAMES + 1])
def test_a_clip_keeps_its_length(studio: Studio, frames: int) -> None:
    request = studio.request(inputs={"video": write_clip(studio.folder / "any.mp4", frames=frames)}, num_steps=1)
    (made,) = studio.make(request)
    assert len(made) == len(studio.control(request, "edge")) == frames


def test_progress_names_chunks_and_steps_and_ends_at_one(studio: Studio) -> None:
    request = studio.request(inputs={"video": write_clip(studio.folder / "long.mp4", frames=2 * CHUNK_FRAMES - 1)}, num_steps=2)
    _, context = studio.run(request)
    messages = [message for _, stage, _, message in context.reports if stage == "denoising"]
    assert messages == [f"chunk {chunk} of 2, step {step} of 2" for chunk in (1, 2) for step in (1, 2)]
    assert context.stages_of(request.id) == ["load", "controls", "text", "denoising", "finishing", "completed"]
    assert context.trackers[request.id].fraction == 1.0


def test_a_cancelled_call_ends_within_a_step(studio: Studio) -> None:
    requests = [studio.request("one", num_steps=50), studio.request("two", num_steps=50)]

    def cancel(context: RecordingContext, item_id: str) -> None:
        if context.reports[-1][1] == "denoising":
            context.cancelled.update(request.id for request in requests)

    outcomes, context = studio.run(*requests, on_report=cancel)
    assert all(isinstance(outcome, Dropped) for outcome in outcomes)
    assert len([stage for _, stage, _, _ in context.reports if stage == "denoising"]) <= len(requests)


def test_a_cancel_is_noticed_before_each_layer(studio: Studio) -> None:
    request = studio.request(num_steps=50)
    model = studio.engine.model
    layers = model.pipeline.transformer.transformer_blocks
    context = RecordingContext(SPEC)
    seen: list[int] = []

    def cancel(*_args: Any) -> None:
        context.cancelled.add(request.id)

    hooks = [layers[1].register_forward_hook(cancel), layers[3].register_forward_pre_hook(lambda *_: seen.append(3))]
    try:
        outcomes = list(studio.engine.generate([request], context))
    finally:
        for hook in hooks:
            hook.remove()
    assert outcomes == [Dropped(request.id)]
    assert not seen


def test_the_neighbours_of_a_cancelled_item_go_on(studio: Studio) -> None:
    first, gone, last = (studio.request(text) for text in ("one", "two", "three"))
    expected = studio.make(studio.request("one"), studio.request("three"))

    def cancel(context: RecordingContext, item_id: str) -> None:
        if context.reports[-1][1] == "denoising":
            context.cancelled.add(gone.id)

    (one, two, three), context = studio.run(first, gone, last, on_report=cancel)
    assert isinstance(two, Dropped)
    assert not (gone.folder / "video.mp4").exists()
    assert isinstance(one, Output)
    assert isinstance(three, Output)
    for request, clip in zip((first, last), expected, strict=True):
        # Read back from H.264, where a difference of 1 in a picture can become a few.
        assert difference(frames_of(request.folder / "video.mp4"), clip) <= 8
    assert [context.trackers[request.id].fraction for request in (first, last)] == [1.0, 1.0]


class Refusing:
    """Refuses every second clip."""

    def __init__(self) -> None:
        self.seen = 0

    def to(self, *_args: Any) -> None:
        """It has no weights to move."""

    def check_text_safety(self, prompt: str) -> bool:
        return True

    def check_video_safety(self, frames: Any) -> Any:
        self.seen += 1
        return None if self.seen % 2 == 0 else frames


@contextmanager
def guarded_by(studio: Studio, checker: Any) -> Iterator[None]:
    guardrail = studio.engine.model.guardrail
    before = guardrail._checker
    guardrail._checker = checker
    try:
        yield
    finally:
        guardrail._checker = before


def test_a_refused_prompt_fails_alone(studio: Studio) -> None:
    from cosmos_workflow.engines.testing.cosmos_transfer.toy_engine import FORBIDDEN

    fine, refused = studio.request("a fox"), studio.request(f"a {FORBIDDEN}")
    (made, failed), _ = studio.run(fine, refused)
    assert isinstance(made, Output)
    assert isinstance(failed, Failure)
    assert failed.error == "cosmos-transfer: The guardrail refused the prompt; write another one."


def test_a_refused_clip_fails_alone_and_is_never_written(studio: Studio) -> None:
    fine, refused = studio.request("a fox"), studio.request("a heron")
    with guarded_by(studio, Refusing()):
        (made, failed), _ = studio.run(fine, refused)
    assert isinstance(made, Output)
    assert isinstance(failed, Failure)
    assert "refused the finished clip" in failed.error
    assert not (refused.folder / "video.mp4").exists()


@contextmanager
def memory_for(studio: Studio, items: int, error: str = "torch.OutOfMemoryError") -> Iterator[list[int]]:
    """The transformer takes at most this many items at once, as on a device whose memory is full; how many were tried."""
    kind = pkgutil.resolve_name(error)
    tried: list[int] = []

    def refuse(_module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        count = len(kwargs["hidden_states"])
        if not tried or tried[-1] != count:
            tried.append(count)
        if count > items:
            raise kind("can't allocate memory")

    hook = studio.engine.model.pipeline.transformer.register_forward_pre_hook(refuse, with_kwargs=True)
    studio.engine._fitting.clear()
    try:
        yield tried
    finally:
        hook.remove()
        studio.engine._fitting.clear()


def test_the_largest_batch_that_fits_is_found_once(studio: Studio) -> None:
    with memory_for(studio, 2) as tried:
        first, _ = studio.run(*(studio.request(f"clip {number}", num_steps=1) for number in range(4)))
        assert tried == [4, 2]
        second, _ = studio.run(*(studio.request(f"again {number}", num_steps=1) for number in range(4)))
        assert tried == [4, 2]
    assert [cast("Output", outcome).metadata["made_at_once"] for outcome in (*first, *second)] == [2] * 8


@pytest.mark.parametrize("error", ["torch.OutOfMemoryError", "builtins.RuntimeError"])
def test_one_item_that_does_not_fit_leaves_as_out_of_memory(studio: Studio, error: str) -> None:
    import torch

    with memory_for(studio, 0, error), pytest.raises((torch.OutOfMemoryError, MemoryError)):
        studio.run(studio.request(num_steps=1))


def test_a_clip_is_brought_to_a_size_that_the_model_takes(studio: Studio) -> None:
    odd = write_clip(studio.folder / "odd.mp4", frames=2, width=90, height=50)
    request = studio.request(inputs={"video": odd}, num_steps=1)
    (outcome,), _ = studio.run(request)
    assert isinstance(outcome, Output)
    assert (outcome.metadata["width"], outcome.metadata["height"]) == (80, 48)
    assert outcome.metadata["notes"] == ["The clip was cut from 90x50 to 80x48 (sides must be multiples of 16)."]
    info = probe_clip(request.folder / "video.mp4")
    assert (info.width, info.height) == (80, 48)


def test_what_is_special_about_the_clip_is_told(studio: Studio) -> None:
    path = studio.folder / "logo.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("qtrle", rate=6)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "argb"
        for _ in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((32, 48, 4), 90, np.uint8), format="rgba")))
        container.mux(stream.encode(None))
    (outcome,), _ = studio.run(studio.request(inputs={"video": path}, num_steps=1))
    assert isinstance(outcome, Output)
    assert outcome.metadata["notes"] == ["What is transparent in the clip is shown black."]


def test_a_long_prompt_says_that_its_end_was_not_read(studio: Studio) -> None:
    (outcome,), _ = studio.run(studio.request("word " * 200, num_steps=1))
    assert isinstance(outcome, Output)
    assert outcome.metadata["notes"] == ["The model reads 512 tokens; this prompt has 1000, and its end wasn't read."]


def test_an_engine_that_was_closed_can_be_loaded_again(toy_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmos_workflow.engines.testing.cosmos_transfer.toy_engine import ToyCosmosTransferEngine

    monkeypatch.setenv(FOLDER_VARIABLE, str(toy_weights))
    engine = ToyCosmosTransferEngine()
    engine.load(Device())
    engine.close()
    engine.load(Device())
    engine.close()
