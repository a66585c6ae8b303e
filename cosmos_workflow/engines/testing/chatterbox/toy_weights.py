"""Toy Chatterbox: random numbers in the real classes at a small size, for tests and `bench chatterbox --size tiny`.

What it says is noise. Its weights are shaped so that a mistake in the decoder shows: the layers are far from the identity, the
scores differ enough for every sampling parameter to matter, ids that are no speech never come, and speech ends by itself.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cosmos_workflow.engines.chatterbox.variants import END_OF_SPEECH, LANGUAGES, SPEECH_IDS, VOICE_ENCODER, Variant, find_variant
from cosmos_workflow.engines.testing.chatterbox.sizes import SIZES_FILE, sized

WIDTH = 64
LAYERS = 14
HEADS = 16
"""The alignment analyser of the multilingual variant looks at layers up to 13 and heads up to 15."""

TURBO_WIDTH = 32
_MERGES = [("t", "h"), ("th", "e"), ("n", "o"), ("o", "k"), ("i", "n"), ("in", "g"), ("e", "r"), ("o", "r"), ("l", "l")]

_S3GEN_SIZES: dict[str, dict[str, Any]] = {
    "CAMPPlus": {"growth_rate": 4, "bn_size": 1, "init_channels": 16},
    "UpsampleConformerEncoder": {
        "output_size": WIDTH,
        "attention_heads": 4,
        "linear_units": WIDTH,
        "num_blocks": 2,
        "input_size": WIDTH,
    },
    "PreLookaheadLayer": {"channels": WIDTH, "pre_lookahead_len": 3},
    "Upsample1D": {"channels": WIDTH, "out_channels": WIDTH, "stride": 2},
    "ConditionalDecoder": {"channels": [32], "attention_head_dim": 16, "num_heads": 2, "n_blocks": 1, "num_mid_blocks": 2},
    "CausalMaskedDiffWithXvec": {"input_size": WIDTH},
    "HiFTGenerator": {"base_channels": 64},
    "ConvRNNF0Predictor": {"cond_channels": 32},
    "S3Tokenizer": {"n_audio_state": 64, "n_audio_head": 1, "n_audio_layer": 1},
    "VoiceEncoder": {"ve_hidden_size": 32},
}
_LLAMA_SIZES: dict[str, dict[str, Any]] = {
    "Llama_520M": {
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": WIDTH // HEADS,
    },
    "Perceiver": {"pre_attention_query_size": WIDTH, "embedding_dim": WIDTH},
}
_GPT2: dict[str, Any] = {
    "hidden_size": TURBO_WIDTH,
    "n_embd": TURBO_WIDTH,
    "n_head": 4,
    "n_layer": 6,
    "n_positions": 2048,
    "vocab_size": 8,
    "bos_token_id": 1,
    "eos_token_id": 1,
}
_GPT2_SIZES: dict[str, dict[str, Any]] = {"GPT2_medium": _GPT2, "GPT2_small": {**_GPT2, "n_layer": 12}}


def write_toy_weights(folder: Path, variant: str = "english", *, ends: bool = True, seed: int = 0, tiny: bool = True) -> Path:
    """Write random weights of a variant into `folder` (made if it isn't there) under the names of the real ones; returns it.

    The variants of one repository may share a folder. `ends=False` never ends by itself, so that lengths are those of
    max_tokens; `tiny=False` writes the full size (3.2 GB) for a measurement.
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    turbo = find_variant(variant).turbo
    if tiny:
        sizes = {**_S3GEN_SIZES, **(_GPT2_SIZES if turbo else _LLAMA_SIZES)}
        (folder / SIZES_FILE).write_text(json.dumps(sizes, indent=1), encoding="utf-8")
    with torch.random.fork_rng(devices=[]), sized(folder), torch.no_grad():
        torch.manual_seed(seed)
        _write_sound_model(folder, find_variant(variant))
        if find_variant(variant).speaks:
            _write_speech_model(folder, find_variant(variant), ends)
        _write_voice(folder, 375 if turbo else 150)
    return folder


def _write_sound_model(folder: Path, variant: Variant) -> None:
    import torch
    from chatterbox.models.s3gen import S3Gen
    from chatterbox.models.voice_encoder import VoiceEncoder
    from safetensors.torch import save_file

    sound = S3Gen(meanflow=variant.turbo).eval()
    voice = VoiceEncoder().eval()
    for module in sound.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.running_var.fill_(4.0) if module.running_var is not None else None
    if variant.multilingual:
        # What the package itself reads: the same weights.
        torch.save(sound.state_dict(), folder / "s3gen.pt")
        torch.save(voice.state_dict(), folder / "ve.pt")
    save_file({key: value.contiguous().clone() for key, value in sound.state_dict().items()}, folder / variant.sound)
    save_file(voice.state_dict(), folder / VOICE_ENCODER)


def _write_speech_model(folder: Path, variant: Variant, ends: bool) -> None:
    from chatterbox.models.t3 import T3
    from chatterbox.models.t3.modules.t3_config import T3Config
    from safetensors.torch import save_file

    if variant.turbo:
        from cosmos_workflow.engines.chatterbox.loader import turbo_config

        t3 = T3(turbo_config(nano=variant.name == "nano"))
        _shape_gpt2(t3, ends)
        _write_turbo_tokenizer(folder)
    else:
        t3 = T3(T3Config.multilingual() if variant.multilingual else T3Config.english_only())
        _shape_llama(t3, ends)
        _write_tokenizer(folder / variant.vocabulary, [f"[{language}]" for language in LANGUAGES] if variant.multilingual else [])
    save_file({key: value.contiguous().clone() for key, value in t3.state_dict().items()}, folder / variant.t3)


def _shape_llama(t3: Any, ends: bool) -> None:
    """Dimension 0 of a speech token's state is a constant, dimension 1 rises with its place, and no layer changes either.

    So the head has something like a bias: ids that are no speech never come, and the end gets likelier after some thirty tokens.
    """
    import torch

    width = t3.dim
    for layer in t3.tfmr.layers:
        attention, mlp = layer.self_attn, layer.mlp
        for projection, gain in (
            (attention.q_proj, 2.0),
            (attention.k_proj, 2.0),
            (attention.v_proj, 1.0),
            (attention.o_proj, 0.7),
        ):
            projection.weight.normal_(0, gain / width**0.5)
        for projection, gain in ((mlp.gate_proj, 1.0), (mlp.up_proj, 1.0), (mlp.down_proj, 0.7)):
            projection.weight.normal_(0, gain / projection.in_features**0.5)
        attention.o_proj.weight[:2] = 0
        mlp.down_proj.weight[:2] = 0
    for embedding in (t3.text_emb, t3.speech_emb, t3.text_pos_emb.emb, t3.speech_pos_emb.emb):
        embedding.weight.normal_(0, 0.5)
        embedding.weight[:, :2] = 0
    t3.speech_emb.weight[:, 0] = 3.0
    places = torch.arange(t3.speech_pos_emb.emb.num_embeddings)
    t3.speech_pos_emb.emb.weight[:, 1] = ((places - 30) / 10).clamp(-3, 3)
    head = t3.speech_head.weight
    head.normal_(0, 2.0 / width**0.5)
    head[:, :2] = 0
    head[SPEECH_IDS:, :] = 0
    head[SPEECH_IDS:, 0] = -50.0
    if ends:
        head[END_OF_SPEECH] = torch.randn(width) * 0.5 / width**0.5
        head[END_OF_SPEECH, :2] = torch.tensor([6.0, 2.0])


def _shape_gpt2(t3: Any, ends: bool) -> None:
    width = t3.dim
    for block in t3.tfmr.h:
        for projection, gain in (
            (block.attn.c_attn, 1.5),
            (block.attn.c_proj, 0.7),
            (block.mlp.c_fc, 1.0),
            (block.mlp.c_proj, 0.7),
        ):
            projection.weight.normal_(0, gain / projection.weight.shape[0] ** 0.5)
    for embedding in (t3.text_emb, t3.speech_emb, t3.tfmr.wpe):
        embedding.weight.normal_(0, 0.5)
    t3.speech_head.weight.normal_(0, 2.0 / width**0.5)
    t3.speech_head.bias.zero_()
    t3.speech_head.bias[SPEECH_IDS:] = -1e4
    if ends:
        t3.speech_head.bias[END_OF_SPEECH] = 5.0


def _write_voice(folder: Path, prompt_tokens: int) -> None:
    """A built-in voice of two seconds."""
    import torch

    tokens = 50
    speech = {
        "speaker_emb": torch.nn.functional.normalize(torch.rand(1, 256), dim=1),
        "clap_emb": None,
        "cond_prompt_speech_tokens": torch.randint(0, SPEECH_IDS, (1, prompt_tokens)),
        "cond_prompt_speech_emb": None,
        "emotion_adv": 0.5 * torch.ones(1, 1, 1),
    }
    sound = {
        "prompt_token": torch.randint(0, SPEECH_IDS, (1, tokens)),
        "prompt_token_len": torch.tensor([tokens]),
        "prompt_feat": torch.randn(1, 2 * tokens, 80) - 5,
        "prompt_feat_len": None,
        "embedding": torch.randn(1, 192),
    }
    torch.save({"t3": speech, "gen": sound}, folder / "conds.pt")


def _write_tokenizer(path: Path, languages: list[str]) -> None:
    """Letters as tokens, and merged ones as a real vocabulary has; [STOP] is 0 and [START] 255, as the model expects it."""
    from tokenizers import Tokenizer
    from tokenizers.models import BPE

    special = {"[STOP]": 0, "[UNK]": 1, "[SPACE]": 2, "[START]": 255}
    letters = [chr(code) for code in range(33, 127)] + list("äöüßéèñçøåабвгдежзиклмнопрстуфхцчшщыьэюяअआइউ가나다一二三")
    vocabulary = {**special, **{letter: 3 + index for index, letter in enumerate(letters)}}
    vocabulary |= {"".join(pair): 180 + index for index, pair in enumerate(_MERGES)}
    vocabulary |= {language: 300 + index for index, language in enumerate(languages)}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=_MERGES, unk_token="[UNK]"))  # noqa: S106 - a token, no secret
    tokenizer.add_special_tokens([*special, *languages])
    tokenizer.save(str(path))


def _write_turbo_tokenizer(folder: Path) -> None:
    """GPT-2's byte alphabet, each byte a token."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    alphabet = {character: index for index, character in enumerate(bytes_to_unicode().values())}
    alphabet["<|endoftext|>"] = len(alphabet)
    (folder / "vocab.json").write_text(json.dumps(alphabet), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    config = {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 1024}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
