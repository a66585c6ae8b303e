"""What Kokoro can be told. Voice, language and speed may differ from item to item; a batch shares the loaded model."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from cosmos_workflow.engines.kokoro.voices import LANGUAGES, VOICES, tidy_mix
from cosmos_workflow.engines.params import Params, param
from cosmos_workflow.engines.speech_text.params import PRONUNCIATIONS, normalize_param, pronunciations_param, tidy_list

BY_VOICE = "by voice"
"""The language that the voice speaks."""


SLOWEST, FASTEST = 0.5, 2.0


class KokoroParams(Params):
    """Nothing must be equal in a batch."""

    voice: str = param(
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
    sample_rate: Literal["native", "48000"] = param(
        "native", label="Sample rate", help="native is 24,000 Hz, as it is made; 48000 suits video."
    )
    format: Literal["wav", "flac"] = param("wav", label="Format", help="FLAC is about half as large, without loss.")
    normalize_text: bool = normalize_param(True)
    pronunciations: str = pronunciations_param()

    _tidy_pronunciations = field_validator(PRONUNCIATIONS, mode="before")(tidy_list)

    @field_validator("voice")
    @classmethod
    def _known_voice(cls, value: str) -> str:
        return tidy_mix(value)

    @field_validator("sample_rate", mode="before")
    @classmethod
    def _rate_as_number(cls, value: object) -> object:
        # A job file says `sample_rate: 48000` without quotes.
        return str(value) if isinstance(value, int) else value
