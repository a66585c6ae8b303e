"""Loading the pipeline: diffusers' own classes, from safetensors on this disk, with the modules at its edges that take several
controls. Nothing is ever fetched here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from diffusers.models.controlnets.controlnet_cosmos import CosmosControlNetModel
from diffusers.models.transformers.transformer_cosmos import CosmosTransformer3DModel
from diffusers.pipelines.cosmos.pipeline_cosmos2_5_transfer import Cosmos2_5_TransferPipeline
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

from cosmos_workflow.engines.cosmos_transfer.guardrail import Guardrail
from cosmos_workflow.engines.cosmos_transfer.models import BASE, CONTROL_FILES, Placement, find_model, part_bytes, place
from cosmos_workflow.engines.cosmos_transfer.modules import ControlAutoencoder, ControlSum
from cosmos_workflow.engines.cosmos_transfer.shapes import SIDE_MULTIPLE, chunk_frames
from cosmos_workflow.engines.model_files.sets import require_model_files
from cosmos_workflow.errors import UnavailableError

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Model:
    """The loaded pipeline. `check` is called many times within a step; what it raises ends the call."""

    pipeline: Cosmos2_5_TransferPipeline
    guardrail: Guardrail
    device: torch.device
    dtype: torch.dtype
    part_sizes: list[int]
    placement: Placement = "whole"
    nets: dict[str, CosmosControlNetModel] = field(default_factory=dict)
    check: Callable[[], None] = lambda: None

    @property
    def chunk(self) -> int:
        """Frames made at a time."""
        return chunk_frames(self.pipeline.transformer.config.max_size[0])

    @property
    def max_side(self) -> int:
        """Largest side of a clip in pixels that the model's positions reach to."""
        return SIDE_MULTIPLE * max(self.pipeline.transformer.config.max_size)

    def use_controls(self, names: Collection[str]) -> None:
        """Load the controlnets of these signals that aren't loaded yet."""
        missing = [name for name in names if name not in self.nets]
        if not missing:
            return
        for name in missing:
            folder = require_model_files(CONTROL_FILES[name], find_model)
            self.nets[name] = net = _load(CosmosControlNetModel, folder, self.dtype)
            self.watch(net.control_blocks)
        self.pipeline.register_modules(controlnet=ControlSum(self.nets))
        self._place()

    def watch(self, modules: Iterable[torch.nn.Module]) -> None:
        """Have `check` called before each of these works."""
        for module in modules:
            module.register_forward_pre_hook(lambda *_: self.check())

    def _place(self) -> None:
        pipeline = self.pipeline
        pipeline.remove_all_hooks()
        if self.device.type != "cuda":
            pipeline.to(self.device)
            return
        torch.cuda.empty_cache()
        nets = [sum(p.numel() * p.element_size() for p in net.parameters()) for net in self.nets.values()]
        parts = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
        # What the pipeline takes there now is given back by being placed anew.
        own = sum(p.numel() * p.element_size() for part in parts for p in part.parameters() if p.is_cuda)
        free = torch.cuda.mem_get_info(self.device)[0] + own
        found = place(free, [*self.part_sizes, sum(nets)])
        if found is None:
            raise UnavailableError(
                f"The GPU has {free / 1e9:.1f} GB free, too little for Cosmos Transfer; "
                "close what else uses it, or use a larger one."
            )
        self.placement = found
        if found == "whole":
            pipeline.to(self.device)
        elif found == "parts":
            pipeline.enable_model_cpu_offload(device=self.device)
        else:
            pipeline.enable_sequential_cpu_offload(device=self.device)
        log.info("Cosmos Transfer is placed: %s", found)


def load_model(device: torch.device, guardrail: Guardrail) -> Model:
    """The pipeline without its controlnets; bfloat16 on a GPU, float32 elsewhere."""
    folder = require_model_files(BASE, find_model)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    quiet_libraries()
    pipeline = Cosmos2_5_TransferPipeline(
        text_encoder=_load(Qwen2_5_VLForConditionalGeneration, folder / "text_encoder", dtype),
        tokenizer=AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
        transformer=_load(CosmosTransformer3DModel, folder / "transformer", dtype),
        vae=_load(ControlAutoencoder, folder / "vae", dtype),
        scheduler=cast("Any", UniPCMultistepScheduler.from_pretrained(folder / "scheduler", local_files_only=True)),
        controlnet=ControlSum({}),  # pyright: ignore[reportArgumentType] - it stands in for the one that diffusers knows
        safety_checker=guardrail,  # pyright: ignore[reportArgumentType]
    )
    pipeline.set_progress_bar_config(disable=True)
    model = Model(pipeline, guardrail, device, dtype, list(part_bytes(folder).values()))
    layers = [*pipeline.transformer.transformer_blocks, *cast("Any", pipeline.text_encoder).model.language_model.layers]
    # Before each layer, and for each group of frames that the VAE reads or makes.
    model.watch([*layers, pipeline.vae.encoder, pipeline.vae.decoder])
    guardrail.to(device)
    return model


def go_offline() -> None:
    """From now on nothing in this process asks the hub: model files are fetched by a person, never during a batch."""
    import os

    from huggingface_hub import constants

    os.environ["HF_HUB_OFFLINE"] = "1"
    constants.HF_HUB_OFFLINE = True


def _load(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    """A model from a folder; every weight must be there in its shape."""
    model, info = kind.from_pretrained(folder, dtype=dtype, local_files_only=True, use_safetensors=True, output_loading_info=True)
    wrong = [str(name) for name in (*info["missing_keys"], *info["mismatched_keys"])]
    if wrong:
        raise UnavailableError(
            f"{folder.name} doesn't hold the weights of {kind.__name__} ({wrong[0]} isn't there, with {len(wrong) - 1} others); "
            "delete it and fetch the weights again."
        )
    return model.eval().requires_grad_(False)


def quiet_libraries() -> None:
    """No progress bars of the libraries: a worker has no terminal."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
