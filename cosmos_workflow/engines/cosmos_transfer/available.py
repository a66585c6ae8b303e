"""Whether Cosmos Transfer can run here, and what to do where it can't: one sentence each. Imports no framework."""

from __future__ import annotations

from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

from cosmos_workflow.engines.cosmos_transfer.models import (
    ANNOTATORS,
    BASE,
    BASE_SIZE,
    CONTROL_FILES,
    CONTROL_SIZE,
    GUARD_FACES,
    GUARD_TEXT,
    GUARDRAIL_FETCH,
    REPO,
    RESERVE,
    find_model,
    part_bytes,
)
from cosmos_workflow.engines.model_files.sets import find_model_files, remedy
from cosmos_workflow.engines.spec import Availability
from cosmos_workflow.errors import install
from cosmos_workflow.gpu_dispatch.devices import discover_gpus

LIBRARIES = ("torch", "diffusers", "accelerate", "torchvision", "transformers")
INSTALL = f"Run {install('cosmos-workflow', 'cosmos')}."


def find_reason() -> Availability:
    """Available, or the first thing that is missing."""
    absent = [name for name in LIBRARIES if find_spec(name) is None]
    if absent:
        return Availability(False, f"Cosmos Transfer isn't installed ({', '.join(absent)} missing).", INSTALL)
    folder = find_model(BASE)
    if folder is None:
        return Availability(
            False,
            f"The weights of Cosmos Transfer ({BASE_SIZE}, and {CONTROL_SIZE} for each control) aren't on this machine.",
            f"Accept the licence of {REPO} on the hub, run `hf auth login`, then {remedy(BASE)}.",
        )
    if not any(find_model(model) for model in CONTROL_FILES.values()):
        edge = CONTROL_FILES["edge"]
        return Availability(
            False, f"No controlnet of Cosmos Transfer ({CONTROL_SIZE} each) is on this machine.", f"{_start(remedy(edge))}."
        )
    return _guardrail() or _gpu(folder) or Availability(True)


def missing_for(active: Collection[str], made: Collection[str]) -> str:
    """Why these controls can't be used, in a sentence; empty where they can, or where the model itself isn't here either.

    `made` are those that a model must make from the clip.
    """
    if find_model(BASE) is None:
        return ""
    for name in active:
        if find_model(CONTROL_FILES[name]) is None:
            model = CONTROL_FILES[name]
            return f"the weights of the {name} control ({CONTROL_SIZE}) aren't here; {remedy(model)}, or set its weight to 0."
    for name in made:
        if find_model_files(ANNOTATORS[name]) is None:
            return (
                f"{ANNOTATORS[name].title}, which makes the {name} control, isn't here; give the prompt a {name} clip, "
                f"{remedy(ANNOTATORS[name])}, set depth_and_seg to approximate, or set the weight to 0."
            )
    return ""


def _guardrail() -> Availability | None:
    if find_spec("cosmos_guardrail") is None:
        return Availability(False, "The guardrail isn't installed, and NVIDIA's licence asks for it.", INSTALL)
    if find_model_files(GUARD_FACES) is None or find_model_files(GUARD_TEXT) is None:
        return Availability(False, "The guardrail's weights aren't in the hub's cache.", f"Run {GUARDRAIL_FETCH}.")
    return None


def _gpu(folder: Path) -> Availability | None:
    largest = max(part_bytes(folder).values())
    sizes = [gpu.memory_total or 0 for gpu in discover_gpus()]
    if not sizes:
        return Availability(
            False,
            "Cosmos Transfer needs an NVIDIA GPU, and this machine shows none.",
            f"Use a machine with one of {_gigabytes(largest + RESERVE)} or more, and its driver installed.",
        )
    if max(sizes) < RESERVE:
        return Availability(
            False,
            f"The largest GPU has {_gigabytes(max(sizes))}, too little for Cosmos Transfer.",
            f"Use one of {_gigabytes(RESERVE)} or more; with {_gigabytes(largest + RESERVE)} or more it is much faster.",
        )
    return None


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.0f} GB"


def _start(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
