"""Loading a variant: the package's own classes, their weights checked, the package's own object around them.

Weights come as safetensors, or as .pt files that are read with `weights_only=True`. Every tensor that a model needs must be
there in its shape; only what the package computes itself while building may be missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from cosmos_workflow.engines.chatterbox.speech_model import SpeechModel
from cosmos_workflow.engines.chatterbox.variants import Variant
from cosmos_workflow.engines.chatterbox.voices import Voices
from cosmos_workflow.errors import UnavailableError

COMPUTED = ("tokenizer._mel_filters", "tokenizer.window")
"""Buffers of S3Gen that its constructor fills, and that published files leave out."""


@dataclass(slots=True)
class Model:
    """A loaded variant. `upstream` is the package's object that holds tokenizer, models and watermarker; `speech` is None for
    voice conversion. One thread at a time: the package keeps state."""

    variant: Variant
    mode: str
    device: torch.device
    upstream: Any
    speech: SpeechModel | None
    voices: Voices

    @property
    def s3gen(self) -> Any:
        return self.upstream.s3gen


def load_model(variant: Variant, mode: str, folder: Path, device: torch.device) -> Model:
    """Load a variant from a folder of weights; raises UnavailableError for a file that is damaged or isn't of this variant."""
    upstream = _BUILDERS[variant.name](folder, device)
    if upstream.watermarker is None:
        raise UnavailableError("The watermarker can't be loaded; install setuptools below 81, which it needs.")
    t3 = getattr(upstream, "t3", None)
    if t3 is not None and mode == "fast":
        t3.to(torch.bfloat16)
    speech = None if t3 is None else SpeechModel(t3, static=mode == "fast" and device.type == "cuda")
    voices = Voices(upstream, speaks=variant.speaks, turbo=variant.name == "turbo")
    return Model(variant, mode, device, upstream, speech, voices)


def _english(folder: Path, device: torch.device) -> Any:
    from chatterbox.models.t3 import T3
    from chatterbox.models.tokenizers import EnTokenizer
    from chatterbox.tts import ChatterboxTTS, Conditionals

    return ChatterboxTTS(
        t3=_filled(T3(), folder / "t3_cfg.safetensors", device),
        s3gen=_sound_model(folder / "s3gen.safetensors", device),
        ve=_voice_encoder(folder / "ve.safetensors", device),
        tokenizer=EnTokenizer(str(folder / "tokenizer.json")),
        device=str(device),
        conds=_built_in(Conditionals, folder, device),
    )


def _multilingual(folder: Path, device: torch.device) -> Any:
    from chatterbox.models.t3 import T3
    from chatterbox.models.t3.modules.t3_config import T3Config
    from chatterbox.mtl_tts import ChatterboxMultilingualTTS, Conditionals

    from cosmos_workflow.engines.chatterbox.languages import LanguageTokenizer

    return ChatterboxMultilingualTTS(
        t3=_filled(T3(T3Config.multilingual()), folder / "t3_mtl23ls_v2.safetensors", device),
        s3gen=_sound_model(folder / "s3gen.pt", device),
        ve=_voice_encoder(folder / "ve.pt", device),
        tokenizer=LanguageTokenizer(folder),
        device=str(device),
        conds=_built_in(Conditionals, folder, device),
    )


def turbo_config() -> Any:
    """Turbo's own T3 configuration, as the package builds it while loading."""
    from chatterbox.models.t3.modules.t3_config import T3Config

    config = T3Config(text_tokens_dict_size=50276)
    config.llama_config_name = "GPT2_medium"
    config.speech_tokens_dict_size = 6563
    config.input_pos_emb = None  # pyright: ignore[reportAttributeAccessIssue]
    config.speech_cond_prompt_len = 375
    config.use_perceiver_resampler = False
    config.emotion_adv = False
    return config


def _turbo(folder: Path, device: torch.device) -> Any:
    from chatterbox.models.t3 import T3
    from chatterbox.tts_turbo import ChatterboxTurboTTS, Conditionals
    from transformers import AutoTokenizer

    t3 = _filled(T3(turbo_config()), folder / "t3_turbo_v1.safetensors", device)
    del t3.tfmr.wte
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return ChatterboxTurboTTS(
        t3=t3,
        s3gen=_sound_model(folder / "s3gen_meanflow.safetensors", device, meanflow=True),
        ve=_voice_encoder(folder / "ve.safetensors", device),
        tokenizer=tokenizer,
        device=str(device),
        conds=_built_in(Conditionals, folder, device),
    )


def _voice_conversion(folder: Path, device: torch.device) -> Any:
    from chatterbox.vc import ChatterboxVC

    voice = _read(folder / "conds.pt", device)
    return ChatterboxVC(_sound_model(folder / "s3gen.safetensors", device), str(device), ref_dict=voice["gen"])


_BUILDERS = {"english": _english, "multilingual": _multilingual, "turbo": _turbo, "voice-conversion": _voice_conversion}


def _sound_model(path: Path, device: torch.device, *, meanflow: bool = False) -> Any:
    from chatterbox.models.s3gen import S3Gen

    model = _filled(S3Gen(meanflow=meanflow), path, device, computed=COMPUTED)
    for module in list(model.modules()):
        # The same weights, computed once instead of at each call.
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    return model


def _voice_encoder(path: Path, device: torch.device) -> Any:
    from chatterbox.models.voice_encoder import VoiceEncoder

    return _filled(VoiceEncoder(), path, device)


def _built_in(conditionals: Any, folder: Path, device: torch.device) -> Any:
    from chatterbox.models.t3.modules.cond_enc import T3Cond

    stored = _read(folder / "conds.pt", device)
    return conditionals(T3Cond(**stored["t3"]), stored["gen"]).to(str(device))


def _filled(model: nn.Module, path: Path, device: torch.device, computed: tuple[str, ...] = ()) -> Any:
    """The model with the weights of a file, on the device, for inference."""
    state = _read(path, torch.device("cpu"))
    if "model" in state:
        state = state["model"][0]
    problems = _problems(model, state, computed)
    if problems:
        raise UnavailableError(
            f"{path.name} doesn't hold the weights of this model ({problems}); delete it and fetch the weights again."
        )
    model.load_state_dict(state, strict=False)
    return model.to(device).eval().requires_grad_(False)


def _problems(model: nn.Module, state: dict[str, torch.Tensor], computed: tuple[str, ...]) -> str:
    """What is wrong with a file's tensors, as a short list; empty when every tensor of the model is there in its shape."""
    own = model.state_dict()
    missing = [name for name in own if name not in state and name not in computed]
    misshapen = [name for name in own if name in state and state[name].shape != own[name].shape]
    parts = [("missing", missing), ("of another shape", misshapen)]
    return "; ".join(f"{len(names)} {what}, as {names[0]}" for what, names in parts if names)


def _read(path: Path, device: torch.device) -> dict[str, Any]:
    """The tensors of a file; raises UnavailableError where it can't be read."""
    from pickle import UnpicklingError

    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path, device=str(device))
        return torch.load(path, map_location=device, weights_only=True)
    except (OSError, EOFError, KeyError, RuntimeError, UnpicklingError, SafetensorError) as error:
        raise UnavailableError(f"{path.name} is damaged ({error}); delete it and fetch the weights again.") from error
