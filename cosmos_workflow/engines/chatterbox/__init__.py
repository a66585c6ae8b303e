"""Chatterbox text to speech, several items through the decoder at once: what the app knows of it without loading it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, cast

from cosmos_workflow.engines.chatterbox.finetunes import require_finetune
from cosmos_workflow.engines.chatterbox.front_ends import check_front_end
from cosmos_workflow.engines.chatterbox.params import ChatterboxParams
from cosmos_workflow.engines.chatterbox.recordings import check_speech, check_voice, seconds_of
from cosmos_workflow.engines.chatterbox.variants import (
    LANGUAGE_PACKS,
    MANNERS,
    MAX_TEXT,
    SOUNDS,
    TOKENS_PER_SECOND,
    VARIANTS,
    Variant,
    expected_tokens,
    find_variant,
    longest_text,
)
from cosmos_workflow.engines.model_files.sets import ModelFiles, find_model_files, missing_sentence, remedy
from cosmos_workflow.engines.params import ParamField, Params, param_fields
from cosmos_workflow.engines.spec import Availability, EngineSpec, InputSpec, Medium, Recipe
from cosmos_workflow.errors import InputError, about, install_chatterbox, shorten
from cosmos_workflow.progress import Stage

GPU_BATCH = 128
_LATER: Mapping[str, Any] = {"finetune": "", "alignment_check": False, "speed": 1.0, "trim_end": True}
"""Params that weren't there at first, with the value that says nothing."""


class ChatterboxSpec(EngineSpec):
    """Chatterbox in six variants; one batch holds one variant, everything else may differ from item to item."""

    name: ClassVar[str] = "chatterbox"
    title: ClassVar[str] = "Chatterbox"
    summary: ClassVar[str] = (
        "Speech with a voice of your own, truly batched; English, 23 languages, Turbo, Nano, voice conversion."
    )
    medium: ClassVar[Medium] = "audio"
    params: ClassVar[type[Params]] = ChatterboxParams
    implementation: ClassVar[str] = "cosmos_workflow.engines.chatterbox.engine:ChatterboxEngine"
    stages: ClassVar[tuple[Stage, ...]] = (
        Stage("load", 0.0, "Loading the model"),
        Stage("voice", 0.01, "Reading the voice"),
        Stage("prefill", 0.03, "Reading the text"),
        Stage("tokens", 0.05, "Speaking"),
        Stage("flow", 0.65, "Shaping the sound"),
        Stage("vocoder", 0.94, "Making the waveform"),
        Stage("watermark", 0.97, "Watermarking"),
    )
    inputs: ClassVar[tuple[InputSpec, ...]] = (
        InputSpec("voice", "audio", "Voice to speak with (the built-in one without it)"),
        InputSpec("speech", "audio", "Speech to convert (voice conversion only)"),
    )
    max_batch_size: ClassVar[int] = 32
    max_text: ClassVar[int] = MAX_TEXT
    min_letters: ClassVar[int] = 2  # one alone may come out as noise: a job says it with its neighbours where it can
    needs_text: ClassVar[bool] = False
    cost_unit: ClassVar[str] = "speech tokens"
    cost_inputs: ClassVar[Collection[str]] = ("speech",)
    output: ClassVar[str] = "audio"
    speaks: ClassVar[bool] = True

    @property
    def model_files(self) -> tuple[ModelFiles, ...]:
        """The files its variants load, each set once, and those of finetunes by its makers."""
        return (*_VARIANT_FILES, *LANGUAGE_PACKS)

    def availability(self) -> Availability:
        """Available when the package is installed, and the model files of at least one variant are on this machine."""
        if any(find_spec(name) is None for name in ("chatterbox", "torch")):
            return Availability(False, "Chatterbox isn't installed.", f"Run {install_chatterbox()}.")
        if any(find_model_files(model) for model in _VARIANT_FILES):
            return Availability(True)
        return Availability(
            False, "The weights of Chatterbox aren't on this machine.", f"To get them, {remedy(self.model_files[0])}."
        )

    def fields(self, values: Mapping[str, Any]) -> tuple[ParamField, ...]:
        """The parameters with the defaults and ranges of the variant that `values` name, or of the usual one here."""
        usual = "english" if "variant" in values else _usual_variant(values)
        return _fields_of(find_variant(str(values.get("variant", usual))).name, usual)

    def checked_params(self, values: Mapping[str, Any], where: str = "") -> Params:
        """Every parameter with its value; what isn't given has the variant's own default, as has a number of steps of 0."""
        checked = cast("ChatterboxParams", super().checked_params(values, where))
        variant = find_variant(checked.variant)
        _check_ranges(checked, where)
        return checked if checked.cfm_steps else checked.model_copy(update={"cfm_steps": variant.cfm_steps})

    def language(self, params: Mapping[str, Any]) -> str:
        """The language of a text: only one variant speaks others than English."""
        variant = find_variant(str(params.get("variant", "")))
        return str(params.get("language_id", "en")) if variant.multilingual else "en"

    def tags(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """Turbo and Nano know them as words of their own."""
        variant = params.get("variant", _usual_variant(params))
        return (*SOUNDS, *MANNERS) if find_variant(str(variant)).turbo else ()

    def identity(self, text: str, params: Params) -> tuple[str, dict[str, Any]]:
        """As every engine's; a param that came later and says nothing doesn't count, so that what was made before is known."""
        said, decisive = super().identity(text, params)
        return said, {name: value for name, value in decisive.items() if name not in _LATER or value != _LATER[name]}

    def longest_text(self, params: Params) -> int:
        """Characters that are read at once: fewer where each is a syllable or a word."""
        return longest_text(self.language(vars(params)))

    def check_params(self, params: Params) -> None:
        """Refuse what the variant doesn't take, and a variant or finetune whose model files are missing; where no variant's are
        here, `availability` says so."""
        chosen = cast("ChatterboxParams", params)
        _check_ranges(chosen, self.name)
        variant = find_variant(chosen.variant)
        if chosen.finetune and variant.t3:
            require_finetune(chosen.finetune, variant)
        if find_model_files(variant.model_files) is None and self.availability().available:
            raise InputError(f"chatterbox: {missing_sentence(variant.model_files)}")

    def check(self, recipe: Recipe, later: Collection[str] = ()) -> None:
        params = cast("ChatterboxParams", recipe.params)
        variant = find_variant(params.variant)
        if variant.speaks and not recipe.text.strip():
            raise InputError("chatterbox: the prompt is empty; write some text.")
        if variant.speaks and not any(map(str.isalnum, recipe.text)):
            raise InputError(f"chatterbox: {shorten(recipe.text)} is too short to be spoken; write a word or more.")
        super().check(recipe, later)
        if variant.multilingual:
            check_front_end(params.language_id, recipe.text, find_model_files(variant.model_files))
        _check_recordings(recipe.inputs, variant, later)

    def batch_size(self, params: Params) -> int:
        """With a GPU more than are spoken at once, so that the place of a line that has ended is taken by the next one."""
        return GPU_BATCH if _has_gpu() else self.max_batch_size

    def cost(self, recipe: Recipe) -> float:
        """Expected speech tokens, 25 of them a second of sound."""
        speech = recipe.inputs.get("speech")
        if speech is not None and speech.is_file():
            return max(1.0, TOKENS_PER_SECOND * seconds_of(speech))
        return expected_tokens(recipe.text, self.language(vars(recipe.params)))


_VARIANT_FILES = tuple(dict.fromkeys(variant.model_files for variant in VARIANTS.values()))


def _has_gpu() -> bool:
    return Path("/dev/nvidiactl").exists()


def _usual_variant(values: Mapping[str, Any]) -> str:
    """What is spoken with where no variant is named: Nano without a GPU where its files are, unless a value is for another."""
    nano = find_variant("nano")
    if any(name in nano.unused or name == "finetune" for name in values) or _has_gpu():
        return "english"
    return nano.name if find_model_files(nano.model_files) else "english"


@cache
def _fields_of(name: str, usual: str) -> tuple[ParamField, ...]:
    variant = find_variant(name)
    defaults = {**variant.defaults, "cfm_steps": variant.cfm_steps, "variant": usual}
    fields = []
    for field in param_fields(ChatterboxParams):
        low, high = variant.ranges.get(field.name, (field.minimum, field.maximum))
        unused = f"The variant {variant.name} takes no notice of it." if field.name in variant.unused else ""
        default = defaults.get(field.name, field.default)
        fields.append(replace(field, default=default, minimum=low, maximum=high, unused=unused))
    return tuple(fields)


def _check_ranges(params: ChatterboxParams, where: str) -> None:
    """Raise InputError where a value is in the widest range, and out of the variant's."""
    variant = find_variant(params.variant)
    for field in _fields_of(variant.name, variant.name):
        low, high = field.minimum, field.maximum
        value = getattr(params, field.name)
        if low is not None and high is not None and not low <= value <= high:
            prefix = f"{where}: " if where else ""
            cause = f"{shorten(value)} isn't right for the variant {variant.name}; use a number from {low:g} to {high:g}."
            raise InputError(f"{prefix}{field.name}: {cause}", key=field.name, place=where, cause=cause)


def _check_recordings(inputs: Mapping[str, Path], variant: Variant, later: Collection[str]) -> None:
    voice, speech = inputs.get("voice"), inputs.get("speech")
    with_speech = speech is not None or "speech" in later
    if variant.speaks and with_speech:
        raise InputError(
            "chatterbox: the input 'speech' is for the variant voice-conversion; take it away or choose that variant.",
            key="speech",
        )
    if not variant.speaks and not with_speech:
        raise InputError(
            "chatterbox: voice-conversion needs the input 'speech'; give the prompt a recording to convert.", key="speech"
        )
    if voice is not None:
        with about("voice"):
            check_voice(voice, variant)
    if speech is not None:
        with about("speech"):
            check_speech(speech)


SPEC = ChatterboxSpec()

__all__ = ["SPEC", "ChatterboxParams", "ChatterboxSpec"]
