"""The variants of Chatterbox: their model files, and where their parameters differ. Ranges are those of the upstream pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cosmos_workflow.engines.model_files.sets import ModelFiles

TOKENS_PER_SECOND = 25

TOKENS_A_CHARACTER = 1.75
"""Speech tokens a character of alphabetic text, as measured: about 14 characters a second."""

CHARACTERS_A_SECOND: Mapping[str, float] = MappingProxyType({"zh": 4.5, "ja": 5.0, "ko": 5.5})
"""How fast newsreaders say languages whose characters are syllables or words: 270, 300 and 330 a minute."""

MAX_TEXT = 300
"""Characters of alphabetic text; above about 300 the models garble (resemble-ai/chatterbox issues 424 and 60)."""

LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        "ar": "Arabic",
        "da": "Danish",
        "de": "German",
        "el": "Greek",
        "en": "English",
        "es": "Spanish",
        "fi": "Finnish",
        "fr": "French",
        "he": "Hebrew",
        "hi": "Hindi",
        "it": "Italian",
        "ja": "Japanese",
        "ko": "Korean",
        "ms": "Malay",
        "nl": "Dutch",
        "no": "Norwegian",
        "pl": "Polish",
        "pt": "Portuguese",
        "ru": "Russian",
        "sv": "Swedish",
        "sw": "Swahili",
        "tr": "Turkish",
        "zh": "Chinese",
    }
)

SOUNDS = ("clear throat", "sigh", "shush", "cough", "groan", "sniff", "gasp", "chuckle", "laugh")
MANNERS = ("angry", "fear", "surprised", "whispering", "advertisement", "dramatic", "narration", "crying", "happy", "sarcastic")
"""The 19 words in brackets that Turbo's vocabulary has beyond GPT-2's; the manners were reported to have no effect under some
runtimes (resemble-ai/chatterbox issue 557)."""

VOICE_ENCODER, BUILT_IN_VOICE = "ve.safetensors", "conds.pt"
MULTILINGUAL_VOCABULARY = "grapheme_mtl_merged_expanded_v1.json"

_MAIN_REPO, _MAIN_REVISION = "ResembleAI/chatterbox", "5bb1f6ee58e50c3b8d408bc82a6d3740c2db6e18"
_GPT2_TOKENIZER = ("vocab.json", "merges.txt", "tokenizer_config.json")
_GPT2_OPTIONAL = ("added_tokens.json", "special_tokens_map.json", "config.json", "tokenizer.json")

ENGLISH_FILES = ModelFiles(
    name="chatterbox",
    title="Chatterbox (English and voice conversion)",
    repo=_MAIN_REPO,
    files=(VOICE_ENCODER, "t3_cfg.safetensors", "s3gen.safetensors", "tokenizer.json", BUILT_IN_VOICE),
    revision=_MAIN_REVISION,
)
MULTILINGUAL_FILES = ModelFiles(
    name="chatterbox-multilingual",
    title="Chatterbox multilingual v2",
    repo=_MAIN_REPO,
    files=(VOICE_ENCODER, "t3_mtl23ls_v2.safetensors", "s3gen.safetensors", MULTILINGUAL_VOCABULARY, BUILT_IN_VOICE),
    optional=("Cangjie5_TC.json",),
    revision=_MAIN_REVISION,
)
MULTILINGUAL_V3_FILES = ModelFiles(
    name="chatterbox-multilingual-v3",
    title="Chatterbox multilingual v3",
    repo=_MAIN_REPO,
    files=(VOICE_ENCODER, "t3_mtl23ls_v3.safetensors", "s3gen_v3.safetensors", MULTILINGUAL_VOCABULARY, BUILT_IN_VOICE),
    optional=("Cangjie5_TC.json",),
    revision=_MAIN_REVISION,
)
TURBO_FILES = ModelFiles(
    name="chatterbox-turbo",
    title="Chatterbox Turbo",
    repo="ResembleAI/chatterbox-turbo",
    files=(VOICE_ENCODER, "t3_turbo_v1.safetensors", "s3gen_meanflow.safetensors", BUILT_IN_VOICE, *_GPT2_TOKENIZER),
    optional=_GPT2_OPTIONAL,
    revision="749d1c1a46eb10492095d68fbcf55691ccf137cd",
)
NANO_FILES = ModelFiles(
    name="chatterbox-nano",
    title="Chatterbox Nano",
    repo="ResembleAI/chatterbox-nano",
    files=(VOICE_ENCODER, "t3_nano_v1.safetensors", "s3gen_meanflow.safetensors", BUILT_IN_VOICE, *_GPT2_TOKENIZER),
    optional=_GPT2_OPTIONAL,
    revision="71ccd1d0081b430592cea481f4307e764e07bc64",
)

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

_V3_ONLY = frozenset({"alignment_check"})
_TURBO_UNUSED = _MULTILINGUAL_ONLY | {"exaggeration", "cfg_weight", "min_p"}


def _turbo(name: str, files: ModelFiles, t3: str) -> Variant:
    return Variant(
        name,
        files,
        t3,
        "s3gen_meanflow.safetensors",
        "vocab.json",
        cfm_steps=2,
        turbo=True,
        ranges={"temperature": (0.05, 2.0)},
        defaults={"top_p": 0.95},
        unused=_TURBO_UNUSED,
        shortest_voice=5.05,
        used_voice=10.0,
    )


_ALL = (
    Variant(
        "english",
        ENGLISH_FILES,
        "t3_cfg.safetensors",
        "s3gen.safetensors",
        "tokenizer.json",
        cfm_steps=10,
        unused=_TURBO_ONLY | _MULTILINGUAL_ONLY,
    ),
    Variant(
        "multilingual",
        MULTILINGUAL_FILES,
        "t3_mtl23ls_v2.safetensors",
        "s3gen.safetensors",
        MULTILINGUAL_VOCABULARY,
        cfm_steps=10,
        multilingual=True,
        stop_rule=True,
        drops_last=True,
        unused=_TURBO_ONLY,
    ),
    Variant(
        "multilingual-v3",
        MULTILINGUAL_V3_FILES,
        "t3_mtl23ls_v3.safetensors",
        "s3gen_v3.safetensors",
        MULTILINGUAL_VOCABULARY,
        cfm_steps=10,
        multilingual=True,
        drops_last=True,
        unused=_TURBO_ONLY | _V3_ONLY,
    ),
    _turbo("turbo", TURBO_FILES, "t3_turbo_v1.safetensors"),
    _turbo("nano", NANO_FILES, "t3_nano_v1.safetensors"),
    Variant(
        "voice-conversion",
        ENGLISH_FILES,
        "",
        "s3gen.safetensors",
        "",
        cfm_steps=10,
        speaks=False,
        used_voice=10.0,
        unused=_TURBO_ONLY | _SAMPLING | _MULTILINGUAL_ONLY | {"finetune", "speed", "trim_end"},
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
