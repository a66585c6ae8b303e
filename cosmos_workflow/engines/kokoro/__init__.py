"""Natural speech by Kokoro-82M on a CPU: 54 voices and their mixes. What the app knows of it without loading it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import distributions
from typing import Any, ClassVar, cast

from cosmos_workflow.engines.espeak.voices import library_path
from cosmos_workflow.engines.kokoro.model_files import KOKORO, find_kokoro, missing_voice, voices_there
from cosmos_workflow.engines.kokoro.params import BY_VOICE, FASTEST, SLOWEST, KokoroParams
from cosmos_workflow.engines.kokoro.voices import LANGUAGES, UNSPOKEN, VOICES, language_of, parse_mix
from cosmos_workflow.engines.model_files.sets import ModelFiles, remedy
from cosmos_workflow.engines.params import ParamField, Params, param_fields
from cosmos_workflow.engines.spec import Availability, EngineSpec, Medium, Recipe
from cosmos_workflow.errors import InputError, install, list_choices
from cosmos_workflow.progress import Stage

MAX_TEXT = 400
"""Characters: of ordinary text about as many phoneme tokens. The model reads 510 at once, and hurries from about 400 on. What
takes more, such as a text of digits, is spoken in parts that are joined."""

_STEPS = (3, 6, 9, 12, 15)
"""Percent by which another take is slower or faster."""


class KokoroSpec(EngineSpec):
    """Natural speech, faster than it is heard on a laptop."""

    name: ClassVar[str] = "kokoro"
    title: ClassVar[str] = "Kokoro"
    summary: ClassVar[str] = "Natural speech on any laptop: 54 voices and their mixes, English and six more languages."
    medium: ClassVar[Medium] = "audio"
    params: ClassVar[type[Params]] = KokoroParams
    implementation: ClassVar[str] = "cosmos_workflow.engines.kokoro.engine:KokoroEngine"
    stages: ClassVar[tuple[Stage, ...]] = (
        Stage("starting", 0.0, "Reading the text"),
        Stage("speaking", 0.03, "Speaking"),
        Stage("encoding", 0.95, "Writing the sound"),
        Stage("completed", 1.0, "Completed"),
    )
    max_batch_size: ClassVar[int] = 16
    max_text: ClassVar[int] = MAX_TEXT
    output: ClassVar[str] = "audio"
    speaks: ClassVar[bool] = True
    takes_ipa: ClassVar[bool] = True

    @property
    def model_files(self) -> tuple[ModelFiles, ...]:
        """The one set that it loads."""
        return (KOKORO,)

    def availability(self) -> Availability:
        """Available when its model files are on this machine."""
        if library_path() is None:
            return Availability(False, "The speech library isn't installed.", f"Run {install('espeakng-loader')}.")
        if find_kokoro() is None:
            return Availability(False, "The model files of Kokoro aren't on this machine.", f"To get them, {remedy(KOKORO)}.")
        return Availability(True, runs_on=_runs_on())

    def fields(self, values: Mapping[str, Any]) -> tuple[ParamField, ...]:
        """The parameters; of the voices those that are on this machine."""
        there = voices_there()
        known = None if there is None else tuple(voice for voice in VOICES if voice in there)
        return _fields_with(known) if known else param_fields(KokoroParams)

    def check_params(self, params: Params) -> None:
        """Refuse a voice whose file is missing; where no model is here, `availability` says so."""
        there = voices_there()
        wanted = parse_mix(cast("KokoroParams", params).voice)
        missing = None if there is None else next((voice for voice in wanted if voice not in there), None)
        if there is not None and missing is not None:
            known = [voice for voice in VOICES if voice in there]
            other = f", or use one that is there: {list_choices(known, 6)}" if known else ""
            raise InputError(f"{missing_voice(missing)}{other}.", key="voice")

    def language(self, params: Mapping[str, Any]) -> str:
        """The language that was chosen, else the voice's."""
        chosen = str(params.get("language", BY_VOICE))
        return language_of(str(params.get("voice", "af_heart"))) if chosen == BY_VOICE else chosen

    def variations(self, params: Params) -> list[dict[str, Any]]:
        """A little slower, then a little faster, and so on: the model has no seed, and at another speed it reads anew."""
        own = cast("KokoroParams", params).speed
        speeds = [round(own * (1 + sign * step / 100), 3) for step in _STEPS for sign in (-1, 1)]
        return [{"speed": speed} for speed in speeds if SLOWEST <= speed <= FASTEST]

    def check(self, recipe: Recipe, later: Collection[str] = ()) -> None:
        """As every engine; also refuses a language whose phonemes can't be had, and text without anything to say."""
        super().check(recipe, later)
        params = cast("KokoroParams", recipe.params)
        language = text_language(params)
        if language not in LANGUAGES:
            voice = max(parse_mix(params.voice).items(), key=lambda part: part[1])[0]
            raise InputError(
                f"kokoro: the language of {voice} is {UNSPOKEN[language]}, whose phonemes can't be made here; "
                f"choose another voice, or the language of the text, {list_choices(tuple(LANGUAGES))}."
            )
        if not any(character.isalnum() for character in recipe.text):
            raise InputError("kokoro: the text holds nothing that can be spoken; write words.")


@lru_cache(maxsize=8)
def _fields_with(voices: tuple[str, ...]) -> tuple[ParamField, ...]:
    """The parameters where only these voices are there."""
    return tuple(_narrowed(field, voices) if field.name == "voice" else field for field in param_fields(KokoroParams))


def _narrowed(field: ParamField, voices: tuple[str, ...]) -> ParamField:
    missing = [voice for voice in VOICES if voice not in voices]
    if not missing:
        return field
    spoken = next((voice for voice in voices if language_of(voice) in LANGUAGES), voices[0])
    told = f"{field.help} {len(missing)} of them aren't on this machine ({list_choices(missing, 3)}): {remedy(KOKORO)}."
    labels = dict(zip(field.choices, field.choice_labels, strict=True))
    default = field.default if field.default in voices else spoken
    return replace(field, choices=voices, choice_labels=tuple(labels[voice] for voice in voices), default=default, help=told)


def _runs_on() -> str:
    """Told from what is installed: the library itself is loaded by workers only."""
    if any(distributions(name="onnxruntime-gpu")):
        return "A GPU worker runs it by CUDA, any other on the CPU."
    return "It runs on the CPU."


def text_language(params: KokoroParams) -> str:
    """The language that a text is spoken in: the one that was chosen, else the voice's."""
    return language_of(params.voice) if params.language == BY_VOICE else params.language


SPEC = KokoroSpec()

__all__ = ["SPEC", "KokoroParams", "KokoroSpec", "text_language"]
