"""Natural speech by Kokoro-82M on a CPU: 54 voices and their mixes. What the app knows of it without loading it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import distributions
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator

from cosmos_workflow.engines.espeak.voices import NO_LIBRARY, library_path
from cosmos_workflow.engines.kokoro.model_files import KOKORO, find_kokoro, missing_voice, voices_there
from cosmos_workflow.engines.kokoro.voices import LANGUAGES, UNSPOKEN, VOICES, language_of, parse_mix, tidy_mix
from cosmos_workflow.engines.model_files.sets import ModelFiles, remedy
from cosmos_workflow.engines.params import ParamField, Params, param, param_fields
from cosmos_workflow.engines.spec import Availability, EngineSpec, Recipe
from cosmos_workflow.engines.speech_text.params import Pronunciations, SampleRate, normalize_param, pronunciations_param
from cosmos_workflow.errors import InputError, list_choices
from cosmos_workflow.progress import Stage

MAX_TEXT = 400
"""Characters: of ordinary text about as many phoneme tokens. The model reads 510 at once, and hurries from about 400 on. What
takes more, such as a text of digits, is spoken in parts that are joined."""

BY_VOICE = "by voice"
"""The language that the voice speaks."""
SLOWEST, FASTEST = 0.5, 2.0

_STEPS = (3, 6, 9, 12, 15)
"""Percent by which another take is slower or faster."""


class KokoroParams(Params):
    """Nothing must be equal in a batch."""

    voice: Annotated[str, AfterValidator(tidy_mix)] = param(
        "af_heart",
        label="Voice",
        help="One of 54, or a mix such as af_heart:0.7+bm_george:0.3. The first letter is the language, the second the sex.",
        choices=tuple(VOICES),
        open_choices=True,
        label_of=lambda voice: f"{voice}: {VOICES[voice]}",
    )
    language: str = param(
        BY_VOICE, label="Language", help="The language of the text, where it isn't the voice's.", choices=(BY_VOICE, *LANGUAGES)
    )
    speed: float = param(1.0, label="Speed", help="1 is the voice's own.", ge=SLOWEST, le=FASTEST, step=0.05)
    sample_rate: SampleRate = param("native", label="Sample rate", help="native is 24,000 Hz, as it is made; 48000 suits video.")
    format: Literal["wav", "flac"] = param("wav", label="Format", help="FLAC is about half as large, without loss.")
    normalize_text: bool = normalize_param(True)
    pronunciations: Pronunciations = pronunciations_param()


class KokoroSpec(EngineSpec):
    """Natural speech, faster than it is heard on a laptop."""

    name = "kokoro"
    title = "Kokoro"
    summary = "Natural speech on any laptop: 54 voices and their mixes, English and six more languages."
    medium = "audio"
    params = KokoroParams
    implementation = "cosmos_workflow.engines.kokoro.engine:KokoroEngine"
    stages = (
        Stage("starting", 0.0, "Reading the text"),
        Stage("speaking", 0.03, "Speaking"),
        Stage("encoding", 0.95, "Writing the sound"),
        Stage("completed", 1.0, "Completed"),
    )
    max_batch_size = 16
    max_text = MAX_TEXT
    output = "audio"
    speaks = True
    takes_ipa = True

    @property
    def model_files(self) -> tuple[ModelFiles, ...]:
        """The one set that it loads."""
        return (KOKORO,)

    def availability(self) -> Availability:
        """Available when its model files are on this machine."""
        if library_path() is None:
            return NO_LIBRARY
        if find_kokoro() is None:
            return Availability(False, "The model files of Kokoro aren't on this machine.", f"To get them, {remedy(KOKORO)}.")
        # Told from what is installed: the library itself is loaded by workers only.
        gpu = any(distributions(name="onnxruntime-gpu"))
        runs_on = "A GPU worker runs it by CUDA, any other on the CPU." if gpu else "It runs on the CPU."
        return Availability(True, runs_on=runs_on)

    def fields(self, values: Mapping[str, Any]) -> tuple[ParamField, ...]:
        """The parameters; of the voices those that are on this machine."""
        known = voices_there()
        return _fields_with(known) if known and len(known) < len(VOICES) else param_fields(KokoroParams)

    def check_params(self, params: Params) -> None:
        """Refuse a voice whose file is missing; where no model is here, `availability` says so."""
        known = voices_there()
        missing = [voice for voice in parse_mix(cast("KokoroParams", params).voice) if known and voice not in known]
        if known and missing:
            raise InputError(f"{missing_voice(missing[0])}, or use one that is there: {list_choices(known, 6)}.", key="voice")

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
        language = self.language(vars(params))
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
    voice, *others = param_fields(KokoroParams)
    missing = [name for name in VOICES if name not in voices]
    told = f"{voice.help} {len(missing)} of them aren't on this machine ({list_choices(missing, 3)}): {remedy(KOKORO)}."
    labels = dict(zip(voice.choices, voice.choice_labels, strict=True))
    spoken = next((name for name in voices if language_of(name) in LANGUAGES), voices[0])
    default = voice.default if voice.default in voices else spoken
    narrowed = replace(voice, choices=voices, choice_labels=tuple(labels[name] for name in voices), default=default, help=told)
    return narrowed, *others


SPEC = KokoroSpec()

__all__ = ["SPEC", "KokoroParams", "KokoroSpec"]
