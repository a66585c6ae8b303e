"""The variants of Chatterbox: their model files, and where their parameters differ. Ranges are those of the upstream pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from cosmos_workflow.engines.model_files.sets import ModelFiles

TOKENS_PER_SECOND = 25

TOKENS_A_CHARACTER = 1.75
"""Speech tokens a character of alphabetic text, as measured: about 14 characters a second."""

CHARACTERS_A_SECOND: Mapping[str, float] = MappingProxyType({"zh": 4.5, "ja": 5.0, "ko": 5.5})
"""How fast newsreaders say languages whose characters are syllables or words: 270, 300 and 330 a minute."""

MAX_TEXT = 300
"""Characters of alphabetic text; above about 300 the models garble (resemble-ai/chatterbox issues 424 and 60)."""

LANGUAGES = tuple("ar da de el en es fi fr he hi it ja ko ms nl no pl pt ru sv sw tr zh".split())  # noqa: SIM905 - one line

SPEECH_IDS = 6561
"""Ids below it are speech."""
START_OF_SPEECH, END_OF_SPEECH = 6561, 6562

SOUNDS = ("clear throat", "sigh", "shush", "cough", "groan", "sniff", "gasp", "chuckle", "laugh")
MANNERS = ("angry", "fear", "surprised", "whispering", "advertisement", "dramatic", "narration", "crying", "happy", "sarcastic")
"""The 19 words in brackets that Turbo's vocabulary has beyond GPT-2's; the manners were reported to have no effect under some
runtimes (resemble-ai/chatterbox issue 557)."""

VOICE_ENCODER, BUILT_IN_VOICE = "ve.safetensors", "conds.pt"

LANGUAGE_PACKS = tuple(
    ModelFiles(
        name=f"chatterbox-{pack}",
        title=f"Chatterbox for {language}",
        repo=f"ResembleAI/Chatterbox-Multilingual-{pack}",
        files=(f"t3_{pack.replace('-', '_')}.safetensors", "s3gen_v3.safetensors"),
    )
    for pack, language in (
        ("es-es", "the Spanish of Spain"),
        ("es-mx-latam", "the Spanish of Latin America"),
        ("hi", "Hindi"),
        ("pt-br", "the Portuguese of Brazil"),
        ("pt-pt", "the Portuguese of Portugal"),
        ("zh-cmn", "Mandarin Chinese"),
    )
)
"""Finetunes of multilingual v3 by its makers, which are spoken with beside it."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One model of the family.

    `ranges` are where a parameter's range is narrower than the widest, `defaults` where its default differs, `unused` the
    parameters that it takes no notice of.
    `t3`, `sound` and `vocabulary` are the files of its speech model ("" for none), its sound model and its tokenizer's words.
    `turbo`: it is of Turbo's architecture. `multilingual`: a text has a language; `stop_rule`: a line may be watched for how far
    its speech has come in the text.
    `drops_last`: the sound of the last token, 40 ms of noise, is cut off.
    `speaks`: it takes text (voice conversion takes a recording). `shortest_voice` and `used_voice`, the beginning of a voice
    from which everything is learned, in seconds (the package's ENC_COND_LEN and DEC_COND_LEN, the shorter of those in use).
    """

    name: str
    model_files: ModelFiles
    t3: str
    sound: str
    vocabulary: str
    cfm_steps: int
    turbo: bool = False
    speaks: bool = True
    multilingual: bool = False
    stop_rule: bool = False
    drops_last: bool = False
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    defaults: Mapping[str, float] = field(default_factory=dict)
    unused: frozenset[str] = frozenset()
    shortest_voice: float = 1.0
    used_voice: float = 6.0


_TURBO_ONLY = frozenset({"top_k", "norm_loudness"})
_MULTILINGUAL_ONLY = frozenset({"language_id", "alignment_check"})
_SAMPLING = frozenset({"exaggeration", "cfg_weight", "temperature", "min_p", "top_p", "repetition_penalty", "max_tokens"})


def _first(
    name: str, files: str, title: str, t3: str, sound: str, vocabulary: str, optional: tuple[str, ...] = (), **own: Any
) -> Variant:
    """A variant of the repository that was the first."""
    names = (VOICE_ENCODER, t3, sound, vocabulary, BUILT_IN_VOICE)
    revision = "5bb1f6ee58e50c3b8d408bc82a6d3740c2db6e18"
    found = ModelFiles(files, title, "ResembleAI/chatterbox", names, optional, revision)
    return Variant(name, found, t3, sound, vocabulary, cfm_steps=10, **own)


def _multilingual(name: str, version: str, sound: str, **own: Any) -> Variant:
    t3, vocabulary = f"t3_mtl23ls_{version}.safetensors", "grapheme_mtl_merged_expanded_v1.json"
    title, optional = f"Chatterbox multilingual {version}", ("Cangjie5_TC.json",)
    own |= {"multilingual": True, "drops_last": True}
    return _first(name, f"chatterbox-{name}", title, t3, sound, vocabulary, optional, **own)


def _turbo(name: str, t3: str, revision: str) -> Variant:
    sound, tokenizer = "s3gen_meanflow.safetensors", ("vocab.json", "merges.txt", "tokenizer_config.json")
    files = ModelFiles(
        f"chatterbox-{name}",
        f"Chatterbox {name.capitalize()}",
        f"ResembleAI/chatterbox-{name}",
        (VOICE_ENCODER, t3, sound, BUILT_IN_VOICE, *tokenizer),
        ("added_tokens.json", "special_tokens_map.json", "config.json", "tokenizer.json"),
        revision,
    )
    return Variant(
        name,
        files,
        t3,
        sound,
        tokenizer[0],
        cfm_steps=2,
        turbo=True,
        ranges={"temperature": (0.05, 2.0)},
        defaults={"top_p": 0.95},
        unused=_MULTILINGUAL_ONLY | {"exaggeration", "cfg_weight", "min_p"},
        shortest_voice=5.05,
        used_voice=10.0,
    )


_ENGLISH = _first(
    "english",
    "chatterbox",
    "Chatterbox (English and voice conversion)",
    "t3_cfg.safetensors",
    "s3gen.safetensors",
    "tokenizer.json",
    unused=_TURBO_ONLY | _MULTILINGUAL_ONLY,
)
_ALL = (
    _ENGLISH,
    _multilingual("multilingual", "v2", "s3gen.safetensors", stop_rule=True, unused=_TURBO_ONLY),
    _multilingual("multilingual-v3", "v3", "s3gen_v3.safetensors", unused=_TURBO_ONLY | {"alignment_check"}),
    _turbo("turbo", "t3_turbo_v1.safetensors", "749d1c1a46eb10492095d68fbcf55691ccf137cd"),
    _turbo("nano", "t3_nano_v1.safetensors", "71ccd1d0081b430592cea481f4307e764e07bc64"),
    replace(
        _ENGLISH,
        name="voice-conversion",
        t3="",
        vocabulary="",
        speaks=False,
        used_voice=10.0,
        unused=_ENGLISH.unused | _SAMPLING | {"finetune", "speed", "trim_end"},
    ),
)

VARIANTS: Mapping[str, Variant] = MappingProxyType({variant.name: variant for variant in _ALL})


def find_variant(name: str) -> Variant:
    """The variant of that name; English for an unknown one, which the params refuse anyway."""
    return VARIANTS.get(name, VARIANTS["english"])


def tokens_a_character(language: str) -> float:
    """Speech tokens that a character of a text in this language becomes, about."""
    rate = CHARACTERS_A_SECOND.get(language)
    return TOKENS_A_CHARACTER if rate is None else TOKENS_PER_SECOND / rate


def expected_tokens(text: str, language: str) -> float:
    """Speech tokens that a text becomes, about, at least one; for progress, memory and time."""
    return max(1.0, tokens_a_character(language) * len(text))


def longest_text(language: str) -> int:
    """Characters that are read at once: as long in any language, 21 seconds, as `MAX_TEXT` is in English."""
    return int(MAX_TEXT * TOKENS_A_CHARACTER / tokens_a_character(language))
