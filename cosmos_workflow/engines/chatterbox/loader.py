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

from cosmos_workflow.engines.chatterbox.estimator import Estimator
from cosmos_workflow.engines.chatterbox.finetunes import Files
from cosmos_workflow.engines.chatterbox.packed import is_packable, multiplies_bfloat16, pack, pack_for_steps
from cosmos_workflow.engines.chatterbox.speech_model import SpeechModel
from cosmos_workflow.engines.chatterbox.variants import Variant
from cosmos_workflow.engines.chatterbox.vocoder import keep_channels_last
from cosmos_workflow.engines.chatterbox.voices import Voices
from cosmos_workflow.errors import UnavailableError

COMPUTED = ("tokenizer._mel_filters", "tokenizer.window")
"""Buffers of S3Gen that its constructor fills, and that published files leave out."""


@dataclass(slots=True)
class Model:
    """A loaded variant. `upstream` is the package's object that holds tokenizer, models and watermarker; `speech` is None for
    voice conversion. One thread at a time: the package keeps state. Its S3Gen has no estimator any more, which is `estimator`."""

    variant: Variant
    mode: str
    finetune: str
    device: torch.device
    upstream: Any
    speech: SpeechModel | None
    estimator: Estimator
    voices: Voices

    @property
    def s3gen(self) -> Any:
        return self.upstream.s3gen


def load_model(variant: Variant, mode: str, folder: Path, device: torch.device, finetune: Path | None = None) -> Model:
    """Load a variant from a folder of weights, with what a finetune's folder has in its place; raises UnavailableError for a
    file that is damaged or isn't of this variant."""
    files = Files.of(variant, folder, finetune)
    upstream = _build(variant, files, device)
    if upstream.watermarker is None:
        raise UnavailableError("The watermarker can't be loaded; install setuptools below 81, which it needs.")
    t3 = getattr(upstream, "t3", None)
    fast = mode == "fast"
    kind = torch.bfloat16 if fast else torch.float32
    speech = None if t3 is None else SpeechModel(t3, kind, static=device.type == "cuda")
    kind = torch.bfloat16 if fast and multiplies_bfloat16(device) else torch.float32
    estimator = Estimator(upstream.s3gen.flow.decoder.estimator, kind)
    # Its weights stand in the other one now.
    upstream.s3gen.flow.decoder.estimator = None
    if device.type == "cpu":
        keep_channels_last(upstream.s3gen.mel2wav)
    if is_packable(device):
        pack(upstream.s3gen.flow)
        if speech is not None:
            pack_for_steps(speech.backbone.transformer)
    voices = Voices(upstream, speaks=variant.speaks, turbo=variant.turbo)
    return Model(variant, mode, "" if finetune is None else finetune.name, device, upstream, speech, estimator, voices)


def _build(variant: Variant, files: Files, device: torch.device) -> Any:
    """The package's object of a variant."""
    sound = _sound_model(files.sound, device, meanflow=variant.turbo)
    if not variant.speaks:
        from chatterbox.vc import ChatterboxVC

        return ChatterboxVC(sound, str(device), ref_dict=_read(files.voice, device)["gen"])
    from chatterbox.models.t3.modules.cond_enc import T3Cond
    from chatterbox.models.t3.modules.t3_config import T3Config
    from chatterbox.models.voice_encoder import VoiceEncoder

    if variant.turbo:
        from chatterbox import tts_turbo as package
        from transformers import AutoTokenizer

        made: Any = package.ChatterboxTurboTTS
        t3 = _speech_model(turbo_config(nano=variant.name == "nano"), files, device)
        del t3.tfmr.wte
        tokenizer = AutoTokenizer.from_pretrained(files.vocabulary.parent, local_files_only=True)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
    elif variant.multilingual:
        from chatterbox import mtl_tts as package

        from cosmos_workflow.engines.chatterbox.languages import LanguageTokenizer

        made = package.ChatterboxMultilingualTTS
        t3 = _speech_model(T3Config.multilingual(), files, device)
        tokenizer = LanguageTokenizer(files.tables, files.vocabulary)
    else:
        from chatterbox import tts as package
        from chatterbox.models.tokenizers import EnTokenizer

        made = package.ChatterboxTTS
        t3 = _speech_model(T3Config.english_only(), files, device)
        tokenizer = EnTokenizer(str(files.vocabulary))
    stored = _read(files.voice, device)
    return made(
        t3=t3,
        s3gen=sound,
        ve=_filled(VoiceEncoder(), files.encoder, device),
        tokenizer=tokenizer,
        device=str(device),
        conds=package.Conditionals(T3Cond(**stored["t3"]), stored["gen"]).to(str(device)),
    )


def know_nano() -> None:
    """Have the package know the size of Nano's transformer, 12 layers of width 768: it came after version 0.1.7."""
    from chatterbox.models.t3.llama_configs import LLAMA_CONFIGS

    small = {"hidden_size": 768, "n_embd": 768, "n_head": 12, "n_layer": 12}
    LLAMA_CONFIGS.setdefault("GPT2_small", {**LLAMA_CONFIGS["GPT2_medium"], **small})


def turbo_config(*, nano: bool = False) -> Any:
    """Turbo's own T3 configuration, or Nano's, as the package builds it while loading."""
    from chatterbox.models.t3.modules.t3_config import T3Config

    config = T3Config(text_tokens_dict_size=50276)
    know_nano()
    config.llama_config_name = "GPT2_small" if nano else "GPT2_medium"
    config.speech_tokens_dict_size = 6563
    config.input_pos_emb = None  # pyright: ignore[reportAttributeAccessIssue]
    config.speech_cond_prompt_len = 375
    config.use_perceiver_resampler = False
    config.emotion_adv = False
    return config


def _speech_model(config: Any, files: Files, device: torch.device) -> Any:
    """T3 with its weights; a finetune's vocabulary may be of another size, and its tensors may have a name in front."""
    from chatterbox.models.t3 import T3

    state = _state(files.t3)
    prefix = next((prefix for prefix in ("t3.", "module.", "model.") if f"{prefix}text_emb.weight" in state), "")
    state = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    if files.t3.parent != files.tables and "text_emb.weight" in state:
        config.text_tokens_dict_size = len(state["text_emb.weight"])
    return _filled(T3(config), files.t3, device, state)


def _sound_model(path: Path, device: torch.device, *, meanflow: bool = False) -> Any:
    from chatterbox.models.s3gen import S3Gen

    model = _filled(S3Gen(meanflow=meanflow), path, device, computed=COMPUTED)
    for module in list(model.modules()):
        # The same weights, computed once instead of at each call.
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    return model


def _state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a model's file, by name."""
    state = _read(path, torch.device("cpu"))
    return state["model"][0] if "model" in state else state


def _filled(
    model: nn.Module,
    path: Path,
    device: torch.device,
    state: dict[str, torch.Tensor] | None = None,
    computed: tuple[str, ...] = (),
) -> Any:
    """The model with the weights of a file, on the device, for inference."""
    state = _state(path) if state is None else state
    own = model.state_dict()
    missing = [name for name in own if name not in state and name not in computed]
    misshapen = [name for name in own if name in state and state[name].shape != own[name].shape]
    wrong = [
        f"{len(names)} {what}, as {names[0]}" for what, names in (("missing", missing), ("of another shape", misshapen)) if names
    ]
    if wrong:
        raise UnavailableError(
            f"{path.name} doesn't hold the weights of this model ({'; '.join(wrong)}); delete it and fetch the weights again."
        )
    model.load_state_dict(state, strict=False)
    return model.to(device).eval().requires_grad_(False)


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
