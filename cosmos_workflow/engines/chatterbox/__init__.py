"""Chatterbox text to speech, several items through the decoder at once: what the app knows of it without loading it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, cast

from cosmos_workflow.engines.chatterbox.params import ChatterboxParams
from cosmos_workflow.engines.chatterbox.recordings import check_speech, check_voice, seconds_of
from cosmos_workflow.engines.chatterbox.variants import (
    EXPECTED_TOKENS_PER_CHARACTER,
    MAX_TEXT,
    TOKENS_PER_SECOND,
    VARIANTS,
    Variant,
    find_variant,
)
from cosmos_workflow.engines.model_files.sets import ModelFiles, find_model_files, missing_sentence, remedy
from cosmos_workflow.engines.params import ParamField, Params, param_fields
from cosmos_workflow.engines.spec import Availability, EngineSpec, InputSpec, Medium, Recipe
from cosmos_workflow.errors import InputError, about, install_chatterbox, shorten
from cosmos_workflow.progress import Stage

MIN_LETTERS = 2
_SENTENCE_END = re.compile(r"\w[^\w\s]+\s*$")
"""A single letter is spoken only where it is written as a sentence, "I.": models are poor at it."""
"""Of one letter alone it makes noise."""
STAGES = (
    Stage("load", 0.0, "Loading the model"),
    Stage("voice", 0.01, "Reading the voice"),
    Stage("prefill", 0.03, "Reading the text"),
    Stage("tokens", 0.05, "Speaking"),
    Stage("flow", 0.65, "Shaping the sound"),
    Stage("vocoder", 0.94, "Making the waveform"),
    Stage("watermark", 0.97, "Watermarking"),
)


class ChatterboxSpec(EngineSpec):
    """Chatterbox in four variants; one batch holds one variant, everything else may differ from item to item."""

    name: ClassVar[str] = "chatterbox"
    title: ClassVar[str] = "Chatterbox"
    summary: ClassVar[str] = "Speech with a voice of your own, truly batched; English, 23 languages, Turbo, voice conversion."
    medium: ClassVar[Medium] = "audio"
    params: ClassVar[type[Params]] = ChatterboxParams
    implementation: ClassVar[str] = "cosmos_workflow.engines.chatterbox.engine:ChatterboxEngine"
    stages: ClassVar[tuple[Stage, ...]] = STAGES
    inputs: ClassVar[tuple[InputSpec, ...]] = (
        InputSpec("voice", "audio", "Voice to speak with (the built-in one without it)"),
        InputSpec("speech", "audio", "Speech to convert (voice conversion only)"),
    )
    max_batch_size: ClassVar[int] = 32
    max_text: ClassVar[int] = MAX_TEXT
    min_letters: ClassVar[int] = MIN_LETTERS
    needs_text: ClassVar[bool] = False
    cost_unit: ClassVar[str] = "speech tokens"
    cost_inputs: ClassVar[Collection[str]] = ("speech",)
    output: ClassVar[str] = "audio"
    speaks: ClassVar[bool] = True

    @property
    def model_files(self) -> tuple[ModelFiles, ...]:
        """The files its variants load, each set once."""
        return tuple(dict.fromkeys(variant.model_files for variant in VARIANTS.values()))

    def availability(self) -> Availability:
        """Available when the package is installed, and the model files of at least one variant are on this machine."""
        if any(find_spec(name) is None for name in ("chatterbox", "torch")):
            return Availability(False, "Chatterbox isn't installed.", f"Run {install_chatterbox()}.")
        if any(find_model_files(model) for model in self.model_files):
            return Availability(True)
        return Availability(
            False, "The weights of Chatterbox aren't on this machine.", f"To get them, {remedy(self.model_files[0])}."
        )

    def fields(self, values: Mapping[str, Any]) -> tuple[ParamField, ...]:
        """The parameters with the defaults and ranges of the variant that `values` name."""
        return _fields_of(find_variant(str(values.get("variant", ""))).name)

    def complete_params(self, values: Mapping[str, Any], where: str = "") -> dict[str, Any]:
        """Every parameter with its value; what isn't given has the variant's own default, as has a number of steps of 0."""
        complete = super().complete_params(values, where)
        variant = find_variant(complete["variant"])
        _check_ranges(cast("ChatterboxParams", self.known_params(complete)), where)
        return {**complete, "cfm_steps": complete["cfm_steps"] or variant.cfm_steps}

    def language(self, params: Mapping[str, Any]) -> str:
        """The language of a text: only one variant speaks others than English."""
        return str(params.get("language_id", "en")) if params.get("variant") == "multilingual" else "en"

    def check_params(self, params: Params) -> None:
        """Refuse what the variant doesn't take, and one whose model files are missing; where none are, `availability` says so."""
        chosen = cast("ChatterboxParams", params)
        _check_ranges(chosen, self.name)
        variant = find_variant(chosen.variant)
        if find_model_files(variant.model_files) is None and self.availability().available:
            raise InputError(f"chatterbox: {missing_sentence(variant.model_files)}")

    def check(self, recipe: Recipe, later: Collection[str] = ()) -> None:
        variant = find_variant(cast("ChatterboxParams", recipe.params).variant)
        _check_text(recipe.text, variant)
        super().check(recipe, later)
        _check_recordings(recipe.inputs, variant, later)

    def cost(self, recipe: Recipe) -> float:
        """Expected speech tokens, 25 of them a second of sound."""
        speech = recipe.inputs.get("speech")
        if speech is not None and speech.is_file():
            return max(1.0, TOKENS_PER_SECOND * seconds_of(speech))
        return max(1.0, EXPECTED_TOKENS_PER_CHARACTER * len(recipe.text))


@cache
def _fields_of(name: str) -> tuple[ParamField, ...]:
    variant = find_variant(name)
    return tuple(_narrowed(field, variant) for field in param_fields(ChatterboxParams))


def _narrowed(field: ParamField, variant: Variant) -> ParamField:
    default = {**variant.defaults, "cfm_steps": variant.cfm_steps}.get(field.name, field.default)
    low, high = variant.ranges.get(field.name, (field.minimum, field.maximum))
    unused = f"The variant {variant.name} takes no notice of it." if field.name in variant.unused else ""
    return replace(field, default=default, minimum=low, maximum=high, unused=unused)


def _check_ranges(params: ChatterboxParams, where: str) -> None:
    """Raise InputError where a value is in the widest range, and out of the variant's."""
    variant = find_variant(params.variant)
    for field in _fields_of(variant.name):
        low, high = field.minimum, field.maximum
        value = getattr(params, field.name)
        if low is not None and high is not None and not low <= value <= high:
            prefix = f"{where}: " if where else ""
            cause = f"{shorten(value)} isn't right for the variant {variant.name}; use a number from {low:g} to {high:g}."
            raise InputError(f"{prefix}{field.name}: {cause}", key=field.name, place=where, cause=cause)


def _check_text(text: str, variant: Variant) -> None:
    if not variant.speaks:
        return
    if not text.strip():
        raise InputError("chatterbox: the prompt is empty; write some text.")
    letters = sum(map(str.isalnum, text))
    if not letters or (letters < MIN_LETTERS and not _SENTENCE_END.search(text)):
        advice = "end it with a full stop to have it spoken all the same, or write a word" if letters else "write a word or more"
        raise InputError(f"chatterbox: {shorten(text)} is too short to be spoken well; {advice}.")


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
