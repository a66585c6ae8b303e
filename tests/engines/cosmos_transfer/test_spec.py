"""What the app knows of Cosmos Transfer without loading it: why it can't run, which clips it takes, what a batch costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.engines.cosmos_transfer import SPEC, available
from cosmos_workflow.engines.cosmos_transfer.models import BASE, CONTROL_FILES, DEPTH, GUARD_FACES, RESERVE, place
from cosmos_workflow.engines.cosmos_transfer.shapes import MAX_FRAMES, chunk_frames, count_chunks, fit_clip
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE, find_model_files, model_files_state
from cosmos_workflow.errors import InputError, command, install
from cosmos_workflow.gpu_dispatch.devices import Gpu
from tests.engines.cosmos_transfer.support import EDGE_ONLY, write_clip

FOUR = dict.fromkeys(EDGE_ONLY, 0.25)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights, and no others."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return folder


def put_model(weights: Path, *, controls: bool = True) -> Path:
    """Files of the right names, a few bytes each; only their presence and size are looked at without loading them."""
    folder = weights / BASE.folder_name
    stems = ("text_encoder/model", "transformer/diffusion_pytorch_model", "vae/diffusion_pytorch_model")
    for name in (*BASE.files, *(f"{stem}.safetensors" for stem in stems)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    for control in CONTROL_FILES.values() if controls else ():
        (weights / control.folder_name).mkdir()
        (weights / control.folder_name / "config.json").write_text("{}")
        (weights / control.folder_name / "diffusion_pytorch_model.safetensors").write_text("{}")
    return folder


def check(clip: Path, weights: dict[str, float] | None = None, **params: object) -> None:
    stated = {**dict.fromkeys(EDGE_ONLY, 0.0), **(weights or EDGE_ONLY)}
    SPEC.check(SPEC.recipe("a fox", params, stated, {"video": clip}))


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(available, "LIBRARIES", ("json", "a_library_that_is_not_there"))
    found = SPEC.availability()
    missing = "Cosmos Transfer isn't installed (a_library_that_is_not_there missing)."
    assert str(found) == f"{missing} Run {install('cosmos-workflow', 'cosmos')}."


def test_missing_weights_say_how_large_where_from_and_the_command(weights: Path) -> None:
    found = SPEC.availability()
    assert not found.available
    assert "about 22 GB" in found.reason
    assert "nvidia/Cosmos-Transfer2.5-2B" in found.remedy
    assert command("weights", "fetch", "cosmos-transfer") in found.remedy
    assert f"'{BASE.folder_name}'" in found.remedy


@pytest.mark.parametrize("name", ["text_encoder/config.json", "vae/diffusion_pytorch_model.safetensors"])
def test_an_incomplete_model_counts_as_missing(weights: Path, name: str) -> None:
    (put_model(weights) / name).unlink()
    assert "aren't on this machine" in SPEC.availability().reason


def test_every_shard_of_a_large_model_must_be_there(weights: Path) -> None:
    encoder = put_model(weights) / "text_encoder"
    (encoder / "model.safetensors").unlink()
    shards = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    (encoder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shards[0], "b": shards[1]}}))
    (encoder / shards[0]).write_text("{}")
    assert "aren't on this machine" in SPEC.availability().reason
    (encoder / shards[1]).write_text("{}")
    assert "aren't on this machine" not in SPEC.availability().reason


def test_no_control_is_said(weights: Path) -> None:
    put_model(weights, controls=False)
    assert str(SPEC.availability()).startswith("No controlnet of Cosmos Transfer (about 1 GB each) is on this machine. Run")


def test_weights_need_the_guardrail_however_small_they_are(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_model(weights)
    monkeypatch.setattr(available, "find_spec", lambda name: None if name == "cosmos_guardrail" else name)
    assert SPEC.availability().reason == "The guardrail isn't installed, and NVIDIA's licence asks for it."
    monkeypatch.setattr(available, "find_spec", lambda name: name)
    found = SPEC.availability()
    assert found.reason == "The guardrail's weights aren't in the hub's cache."
    assert f"cosmos-workflow weights fetch {GUARD_FACES.name}" in found.remedy


@pytest.mark.parametrize(
    ("memory", "reason"),
    [
        ([], "Cosmos Transfer needs an NVIDIA GPU, and this machine shows none."),
        ([6], "The largest GPU has 6 GB, too little for Cosmos Transfer."),
        ([6, 24], ""),
    ],
)
def test_weights_need_a_gpu(weights: Path, monkeypatch: pytest.MonkeyPatch, memory: list[int], reason: str) -> None:
    put_model(weights)
    monkeypatch.setattr(available, "_guardrail", lambda: None)
    gpus = [Gpu(number, "a GPU", 0, size * 10**9, 0) for number, size in enumerate(memory)]
    monkeypatch.setattr(available, "discover_gpus", lambda: gpus)
    found = SPEC.availability()
    assert found.reason == reason
    assert found.available == (not reason)
    assert bool(found.remedy) == bool(reason)


def test_the_app_learns_all_this_without_a_framework() -> None:
    code = (
        "import sys; from cosmos_workflow.engines.cosmos_transfer import SPEC; SPEC.availability(); "
        "print([name for name in ('torch', 'diffusers', 'transformers', 'cv2', 'av', 'gradio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_each_set_of_weights_has_a_name_and_a_folder_of_its_own(toy_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(toy_weights))
    names = [weights.name for weights in SPEC.model_files]
    assert len(set(names)) == len(names)
    folders = [find_model_files(weights) for weights in (BASE, *CONTROL_FILES.values())]
    assert len(set(folders)) == 5
    assert model_files_state(BASE)[1] > 10_000


def test_weights_that_are_all_zero_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="all weights are 0; give vis, edge, depth or seg a weight above 0"):
        check(write_clip(tmp_path / "clip.mp4"), dict.fromkeys(EDGE_ONLY, 0.0))


def test_an_empty_prompt_and_a_missing_clip_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the prompt is empty"):
        SPEC.check(SPEC.recipe(" ", {}, EDGE_ONLY, {"video": write_clip(tmp_path / "clip.mp4")}))
    with pytest.raises(InputError, match="the input 'video' is missing"):
        SPEC.check(SPEC.recipe("a fox", {}, EDGE_ONLY, {}))


def test_clips_that_are_too_long_or_too_small_are_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "long.mp4", frames=MAX_FRAMES // 60 + 2, width=16, height=16, fps=1)
    check(clip, fps=24)
    with pytest.raises(InputError, match="and 1,440 is the most; use a shorter clip or a lower fps"):
        check(clip, fps=60)
    with pytest.raises(InputError, match="each side must have 16 to 8192"):
        check(write_clip(tmp_path / "small.mp4", width=48, height=14))
    (tmp_path / "text.mp4").write_text("no clip")
    with pytest.raises(InputError, match=r"text\.mp4 isn't a clip"):
        check(tmp_path / "text.mp4")


def test_a_control_clip_must_be_as_long_as_the_clip(tmp_path: Path) -> None:
    clip, depth = write_clip(tmp_path / "clip.mp4"), write_clip(tmp_path / "depth.mp4", frames=12)
    with pytest.raises(InputError, match=r"the depth clip depth\.mp4 lasts 2\.00 s and the clip 1\.00 s"):
        SPEC.check(SPEC.recipe("a fox", {}, FOUR, {"video": clip, "depth": depth}))


def test_what_is_wrong_is_said_before_earlier_tasks_have_made_the_clips(weights: Path, tmp_path: Path) -> None:
    put_model(weights)
    SPEC.check(SPEC.recipe("a fox", {}, EDGE_ONLY, {}), ["video"])
    with pytest.raises(InputError, match="all weights are 0"):
        SPEC.check(SPEC.recipe("a fox", {}, dict.fromkeys(EDGE_ONLY, 0.0), {}), ["video"])
    with pytest.raises(InputError, match="the input 'video' is missing"):
        SPEC.check(SPEC.recipe("a fox", {}, EDGE_ONLY, {}), ["depth"])
    with pytest.raises(InputError, match="Depth"):
        SPEC.check(SPEC.recipe("a fox", {}, {**EDGE_ONLY, "depth": 1.0}, {}), ["video"])
    (tmp_path / "text.mp4").write_text("no clip")
    with pytest.raises(InputError, match=r"text\.mp4 isn't a clip"):
        SPEC.check(SPEC.recipe("a fox", {}, {**EDGE_ONLY, "depth": 1.0}, {"depth": tmp_path / "text.mp4"}), ["video"])


def test_a_control_without_its_weights_is_refused_with_what_to_do(weights: Path, tmp_path: Path) -> None:
    put_model(weights)
    clip = write_clip(tmp_path / "clip.mp4")
    check(clip)
    (weights / CONTROL_FILES["edge"].folder_name / "config.json").unlink()
    with pytest.raises(
        InputError,
        match=r"weights of the edge control .* aren't here; run `.*weights fetch cosmos-transfer-edge`",
    ):
        check(clip)


def test_depth_without_its_model_is_refused_with_every_way_out(weights: Path, tmp_path: Path) -> None:
    put_model(weights)
    clip = write_clip(tmp_path / "clip.mp4")
    with pytest.raises(InputError) as refused:
        check(clip, {"depth": 0.5})
    for words in (
        DEPTH.title,
        "give the prompt a depth clip",
        "weights fetch depth-anything",
        "depth_and_seg to approximate",
        "weight to 0",
    ):
        assert words in str(refused.value)
    check(clip, {"depth": 0.5}, depth_and_seg="approximate")


def test_an_item_costs_its_chunks_steps_and_pixels(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=95, width=64, height=64, fps=24)
    one = SPEC.cost(SPEC.recipe("", {"num_steps": 10, "guidance_scale": 1}, {}, {"video": clip}))
    guided = SPEC.cost(SPEC.recipe("", {"num_steps": 20}, {}, {"video": clip}))
    assert one == pytest.approx(2 * 10 * 64 * 64 / (1280 * 720))
    assert guided == pytest.approx(4 * one)


@given(st.integers(16, 8192), st.integers(16, 8192), st.sampled_from([640, 3840]))
def test_every_clip_is_brought_to_a_size_that_the_pipeline_takes(width: int, height: int, max_side: int) -> None:
    fit = fit_clip(width, height, max_side)
    assert all(side % 16 == 0 and 16 <= side <= max_side for side in fit.size)
    assert fit.size[0] * fit.size[1] <= 1280 * 720 * 1.01 or 16 in fit.size
    assert all(0 <= whole - cut < 16 for whole, cut in zip(fit.scaled, fit.size, strict=True))
    assert fit.scaled == (width, height) or min(fit.scaled) <= min(width, height)


def test_what_is_done_to_a_clip_is_said() -> None:
    assert str(fit_clip(1280, 704, 3840)) == ""
    assert fit_clip(1920, 1080, 3840).size == (1280, 720)
    assert str(fit_clip(1920, 1088, 3840)).startswith("The clip was scaled from 1920x1088 to 12")
    assert str(fit_clip(640, 360, 3840)) == "The clip was cut from 640x360 to 640x352 (sides must be multiples of 16)."


@given(st.integers(5, 200), st.integers(2, 2000))
def test_chunks_cover_a_clip_and_none_is_empty(positions: int, frames: int) -> None:
    chunk = chunk_frames(positions)
    assert (chunk - 1) % 4 == 0
    assert chunk <= min(93, positions)
    # As the pipeline lays them: each begins with the last frame of the one before.
    assert count_chunks(frames, chunk) == len(range(0, frames - 1, chunk - 1))


def test_parts_wait_in_the_machine_where_the_gpu_is_small() -> None:
    parts = [17 * 10**9, 5 * 10**9, 10**9]
    assert place(80 * 10**9, parts) == "whole"
    assert place(26 * 10**9, parts) == "parts"
    assert place(12 * 10**9, parts) == "layers"
    assert place(RESERVE - 1, parts) is None
