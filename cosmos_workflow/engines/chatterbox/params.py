"""What Chatterbox can be told. Only variant, finetune, mode and CFM steps must be equal in a batch."""

from __future__ import annotations

from pydantic import field_validator

from cosmos_workflow.engines.chatterbox.variants import LANGUAGE_PACKS, LANGUAGES, VARIANTS
from cosmos_workflow.engines.params import MAX_SEED, Params, param
from cosmos_workflow.engines.speech_text.params import PRONUNCIATIONS, normalize_param, pronunciations_param, tidy_list


class ChatterboxParams(Params):
    """Ranges are the widest of all variants; `ChatterboxSpec` narrows them to the variant's own."""

    variant: str = param(
        "english",
        label="Variant",
        help="The model: English, 23 languages (v2, or the newer v3), the fast English ones, which also do [laugh] or [sigh] "
        "(Nano is the smallest), or another voice for a recording.",
        invariant=True,
        choices=tuple(VARIANTS),
    )
    finetune: str = param(
        "",
        label="Finetune",
        help="A finetune of this variant: a folder beside the weights, or owner/name of the hub.",
        invariant=True,
        max_length=200,
        choices=("", *(pack.repo for pack in LANGUAGE_PACKS)),
        open_choices=True,
    )
    language_id: str = param("en", label="Language", help="The language of the text.", choices=tuple(LANGUAGES))
    alignment_check: bool = param(
        False,
        label="Old stop rule",
        help="Watches how far the speech has come in the text and ends it there, as the package did at first; "
        "it may cut speech short.",
    )
    seed: int = param(0, label="Seed", help="The same seed, text and voice give the same sound.", ge=0, le=MAX_SEED)
    exaggeration: float = param(0.5, label="Exaggeration", help="How much feeling.", ge=0.25, le=2, step=0.05)
    cfg_weight: float = param(
        0.5,
        label="CFG weight",
        help="How closely it keeps to the text; 0 is faster, and keeps a voice's accent out of another language.",
        ge=0,
        le=1,
        step=0.05,
    )
    temperature: float = param(0.8, label="Temperature", help="How freely it chooses.", ge=0.05, le=5, step=0.05)
    min_p: float = param(
        0.05,
        label="Min p",
        help="Leaves out what is less likely than this share of the best.",
        ge=0,
        le=1,
        step=0.01,
    )
    top_p: float = param(
        1.0,
        label="Top p",
        help="Chooses among the likeliest that sum to this; 1 takes all.",
        ge=0,
        le=1,
        step=0.01,
    )
    top_k: int = param(1000, label="Top k", help="Chooses among this many; 0 takes all.", ge=0, le=1000)
    repetition_penalty: float = param(1.2, label="Repetition penalty", help="Above 1 repeats less.", ge=1, le=2, step=0.05)
    norm_loudness: bool = param(
        True, label="Even out the voice's loudness", help="Brings the recording to a usual loudness first."
    )
    max_tokens: int = param(
        1000, label="Most speech tokens", help="25 tokens are a second; 1,000 is the model's cap.", ge=25, le=1000
    )
    cfm_steps: int = param(
        0,
        label="CFM steps",
        help="Steps of the sound model; 0 takes the variant's own.",
        ge=0,
        le=50,
        invariant=True,
    )
    mode: str = param(
        "reproducible",
        label="Mode",
        help="reproducible: float32, an item sounds as it would alone. fast: bfloat16, and on a GPU TF32 and CUDA graphs.",
        invariant=True,
        choices=("reproducible", "fast"),
    )
    speed: float = param(1.0, label="Speed", help="1 is the voice's own; the pitch stays.", ge=0.5, le=2, step=0.05)
    trim_end: bool = param(True, label="Cut the end", help="Cuts quiet noise and clicks off behind the last word.")
    normalize_text: bool = normalize_param(True)
    pronunciations: str = pronunciations_param()

    _tidy_pronunciations = field_validator(PRONUNCIATIONS, mode="before")(tidy_list)
