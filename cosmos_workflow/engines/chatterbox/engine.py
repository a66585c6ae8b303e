"""The engine in its worker: which model is loaded, and how much of a batch goes through it at once."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import torch

from cosmos_workflow.engines.base import Cancelled, Context, Device, Engine, ItemOutcome, Request, failure
from cosmos_workflow.engines.chatterbox import SPEC
from cosmos_workflow.engines.chatterbox.cache import GROWTH, rounded
from cosmos_workflow.engines.chatterbox.finetunes import check_finetune, require_finetune
from cosmos_workflow.engines.chatterbox.loader import Model, load_model
from cosmos_workflow.engines.chatterbox.params import ChatterboxParams
from cosmos_workflow.engines.chatterbox.production import Production
from cosmos_workflow.engines.chatterbox.static import row_bucket
from cosmos_workflow.engines.chatterbox.variants import expected_tokens, find_variant
from cosmos_workflow.engines.model_files.sets import require_model_files
from cosmos_workflow.errors import InputError, UnavailableError, is_out_of_memory

CPU_LINES, GPU_LINES = 16, 64
"""Lines spoken at once: beyond these a step takes longer without making more."""

CPU_FLOW_ROWS, GPU_FLOW_ROWS = 1, 8
"""The flow gains nothing from a batch on a CPU; there each item is finished as soon as it is spoken."""

FREE_SHARE = 0.6
"""Share of the free memory that the cache may take; the rest is for the models' own intermediate values."""

READ_POSITIONS = 250
"""Positions of voice and text, about, that a line has in the cache before its first token."""


class ChatterboxEngine(Engine):
    """Keeps the last variant loaded, `model`; another variant or mode takes its place."""

    load_model = staticmethod(load_model)

    def __init__(self) -> None:
        self._device = torch.device("cpu")
        self.model: Model | None = None
        self.max_lines: int | None = None
        """Most lines at once; None lets device and free memory decide."""
        self.flow_rows: int | None = None

    def load(self, device: Device) -> None:
        """Import the package, and check that there are model files; the variant's own are loaded with the first batch."""
        available = SPEC.availability()
        if not available.available:
            raise UnavailableError(str(available))
        other = "mps" if torch.backends.mps.is_available() else "cpu"
        self._device = torch.device("cuda:0" if device.is_gpu else other)
        import_package()

    def generate(self, requests: Sequence[Request], context: Context) -> Iterator[ItemOutcome]:
        fit: list[Request] = []
        for request in requests:
            try:
                SPEC.check_params(request.params)
                SPEC.check(request)
            except InputError as error:
                yield failure(request.id, error)
            else:
                fit.append(request)
        if not fit:
            return
        try:
            yield from self._produce(fit, context)
        except Exception as error:
            self._free()
            if is_out_of_memory(error) and not isinstance(error, MemoryError | torch.OutOfMemoryError):
                raise MemoryError(str(error)) from error
            raise

    def _produce(self, requests: Sequence[Request], context: Context) -> Iterator[ItemOutcome]:
        params = cast("ChatterboxParams", requests[0].params)
        for request in requests:
            with suppress(Cancelled):  # the production asks before it begins an item
                context.report(request.id, "load")
        model = self._loaded(params)
        # TF32 on the GPUs that have it: faster, and an item then depends a little on its batch.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = model.mode == "fast"
        gpu = self._device.type == "cuda"
        flow_rows = self.flow_rows or (GPU_FLOW_ROWS if gpu else CPU_FLOW_ROWS)
        production = Production(model, requests, context, self.max_lines or self._fitting_lines(model, requests), flow_rows)
        yield from production.outcomes()
        del production
        give_back_memory()

    def close(self) -> None:
        self.model = None
        gc.unfreeze()
        self._free()

    def _loaded(self, params: ChatterboxParams) -> Model:
        model, variant = self.model, find_variant(params.variant)
        finetune = require_finetune(params.finetune, variant) if params.finetune and variant.t3 else None
        wanted = (params.variant, params.mode, "" if finetune is None else finetune.name)
        if model is None or (model.variant.name, model.mode, model.finetune) != wanted:
            self.close()
            folder = require_model_files(variant.model_files)
            if finetune is not None:
                check_finetune(params.finetune, finetune)
            self.model = model = self.load_model(variant, params.mode, folder, self._device, finetune)
            # Half a million objects of the libraries and the model, which no batch has to look through again.
            gc.collect()
            gc.freeze()
        return model

    def _fitting_lines(self, model: Model, requests: Sequence[Request]) -> int:
        """How many lines at once the free memory allows, at least one."""
        most = GPU_LINES if self._device.type == "cuda" else CPU_LINES
        free = free_memory(self._device)
        if model.speech is None or free is None:
            return most
        expected = max(expected_tokens(request.text, SPEC.language(vars(request.params))) for request in requests)
        capped = min(expected, max(cast("ChatterboxParams", request.params).max_tokens for request in requests))
        positions = READ_POSITIONS + capped
        if model.speech.static:
            positions = rounded(positions, GROWTH)
        fitting = max(1, min(most, int(FREE_SHARE * free / (2 * positions * model.speech.backbone.shape.bytes_a_position))))
        # With fixed shapes the rows that aren't needed take their memory too, so they come in powers of two.
        return row_bucket(fitting + 1) // 2 if model.speech.static else fitting

    def _free(self) -> None:
        give_back_memory()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def import_package() -> None:
    """Import the package's models, which takes several seconds; never asks the network."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    from importlib import import_module

    for name in ("chatterbox.tts", "chatterbox.tts_turbo", "chatterbox.mtl_tts", "chatterbox.vc"):
        import_module(name)


def give_back_memory() -> None:
    """Have the C library return what it holds in reserve: items of ever new lengths leave holes that would add up."""
    gc.collect()
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def free_memory(device: torch.device) -> int | None:
    """Bytes free on a device (for CPU and MPS: in the machine's memory), or None where that can't be told."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return usable_memory(free, torch.cuda.memory_reserved(device), torch.cuda.memory_allocated(device))
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return None
    lines = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def usable_memory(free: int, reserved: int, allocated: int) -> int:
    """Bytes that this process can have of a GPU: what nobody has, and what torch keeps in reserve and isn't using."""
    return free + reserved - allocated
