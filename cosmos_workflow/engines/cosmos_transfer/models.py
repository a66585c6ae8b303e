"""The model files of Cosmos Transfer: which there are, where they come from, and how large they are, and where
their parts go on a GPU. Looks only at the disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from cosmos_workflow.engines.model_files.sets import ModelFiles, find_model_files
from cosmos_workflow.errors import command

REPO = "nvidia/Cosmos-Transfer2.5-2B"

Placement = Literal["whole", "parts", "layers"]
"""whole: everything on the device. parts: the part that works is on the GPU, the others wait in the machine's memory.
layers: likewise, layer by layer; the slowest, for the smallest GPUs."""

RESERVE = 8_000_000_000
"""Bytes kept for what one item needs beside the weights. An estimate for 93 frames of 720p: 84,480 tokens of 2,048 values and
the four times as wide layer between, and the VAE's pictures of 96 channels. Not measured."""


def _sharded(stem: str) -> tuple[str, ...]:
    """Every name that a model's weights may have: one file, or an index and numbered ones."""
    return (f"{stem}.safetensors", f"{stem}.safetensors.index.json", f"{stem}-*-of-*.safetensors")


PARTS = {"text_encoder": "model", "transformer": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model"}
"""Folders of the model that hold weights, each with the stem of its files."""

BASE = ModelFiles(
    name="cosmos-transfer",
    title="Cosmos Transfer 2.5",
    repo=REPO,
    revision="diffusers/general",
    folder="Cosmos-Transfer2.5-2B",
    files=(
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "tokenizer/tokenizer_config.json",
        "transformer/config.json",
        "vae/config.json",
    ),
    optional=(
        "model_index.json",
        "text_encoder/generation_config.json",
        "tokenizer/added_tokens.json",
        "tokenizer/chat_template.jinja",
        "tokenizer/merges.txt",
        "tokenizer/special_tokens_map.json",
        "tokenizer/tokenizer.json",
        "tokenizer/vocab.json",
        *(f"{part}/{name}" for part, stem in PARTS.items() for name in _sharded(stem)),
    ),
)

BASE_SIZE = "about 22 GB"
"""Computed from the published configurations in bfloat16: text encoder 16.6 GB, transformer 4.8 GB, VAE 0.3 GB."""

CONTROL_SIZE = "about 1 GB"
"""Likewise: 0.94 GB."""

CONTROL_FILES: Mapping[str, ModelFiles] = {
    name: ModelFiles(
        name=f"cosmos-transfer-{name}",
        title=f"Cosmos Transfer 2.5, {name} control",
        repo=REPO,
        revision=f"diffusers/controlnet/general/{branch}",
        folder=f"Cosmos-Transfer2.5-2B-{name}",
        files=("config.json",),
        optional=_sharded("diffusion_pytorch_model"),
    )
    for name, branch in {"vis": "blur", "edge": "edge", "depth": "depth", "seg": "seg"}.items()
}
"""The controlnets by signal; NVIDIA calls the branch of `vis` blur."""

DEPTH = ModelFiles(
    name="depth-anything",
    title="Depth Anything V2 (small)",
    repo="depth-anything/Depth-Anything-V2-Small-hf",
    files=("config.json", "model.safetensors", "preprocessor_config.json"),
)
SEG = ModelFiles(
    name="sam2",
    title="SAM 2.1 (small)",
    repo="facebook/sam2.1-hiera-small",
    files=("config.json", "model.safetensors"),
    optional=("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json"),
)
ANNOTATORS: Mapping[str, ModelFiles] = {"depth": DEPTH, "seg": SEG}
"""The models that make a control signal that can't be computed."""

GUARD_FACES = ModelFiles(
    name="cosmos-guardrail",
    title="Cosmos guardrail",
    repo="nvidia/Cosmos-1.0-Guardrail",
    files=("face_blur_filter/Resnet50_Final.pth", "blocklist/*"),
)
GUARD_TEXT = ModelFiles(
    name="cosmos-guardrail-text",
    title="Cosmos guardrail, prompts",
    repo="Qwen/Qwen3Guard-Gen-0.6B",
    files=("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
    optional=("generation_config.json", "vocab.json", "merges.txt", "chat_template.jinja", "special_tokens_map.json"),
)
GUARDRAIL_FETCH = f"{command('weights', 'fetch', GUARD_FACES.name)} and {command('weights', 'fetch', GUARD_TEXT.name)}"


def find_model(model: ModelFiles) -> Path | None:
    """The folder of the model or of a controlnet with every file of its weights, or None."""
    folder = find_model_files(model)
    if folder is None:
        return None
    places = [(folder / part, stem) for part, stem in PARTS.items()] if model == BASE else [(folder, "diffusion_pytorch_model")]
    return folder if all(tensor_files(place, stem) for place, stem in places) else None


def tensor_files(folder: Path, stem: str) -> list[Path]:
    """The files with a model's weights; empty where one is missing."""
    single = folder / f"{stem}.safetensors"
    if single.is_file():
        return [single]
    index = folder / f"{stem}.safetensors.index.json"
    if not index.is_file():
        return []
    named = {folder / name for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
    return sorted(named) if all(path.is_file() for path in named) else []


def part_bytes(folder: Path) -> dict[str, int]:
    """Bytes of each part of the model, as stored."""
    return {part: sum(path.stat().st_size for path in tensor_files(folder / part, stem)) for part, stem in PARTS.items()}


def place(free: int, parts: list[int]) -> Placement | None:
    """Where a model of these `parts` (bytes each) goes on a GPU with `free` bytes; None where it can't."""
    if sum(parts) + RESERVE <= free:
        return "whole"
    if max(parts) + RESERVE <= free:
        return "parts"
    return "layers" if free >= RESERVE else None
