"""Speech by espeak-ng: no download, every language of the wheel. The smallest engine, and the one to copy for a new one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, cast

from cosmos_workflow.engines.espeak.clauses import fit, fit_ssml
from cosmos_workflow.engines.espeak.ssml import clean_ssml
from cosmos_workflow.engines.espeak.voices import NO_LIBRARY, KnownVoice, library_path, readers, suggestions, unread_script
from cosmos_workflow.engines.params import Params, param
from cosmos_workflow.engines.spec import Availability, EngineSpec, Recipe
from cosmos_workflow.engines.speech_text.marks import Segment
from cosmos_workflow.engines.speech_text.params import Pronunciations, SampleRate, normalize_param, pronunciations_param
from cosmos_workflow.errors import InputError, list_choices
from cosmos_workflow.progress import Stage


class EspeakParams(Params):
    """Each item has a process of its own, so nothing must be equal in a batch."""

    voice: KnownVoice = param(
        "en-us+f2",
        label="Voice",
        help="A language, and after a plus the speaker: en-us+f2, de+m3, fr+whisper.",
        choices=suggestions,
        open_choices=True,
    )
    rate: int = param(175, label="Rate", help="Words per minute.", ge=80, le=450, step=5)
    pitch: int = param(50, label="Pitch", help="0 is the lowest, 99 the highest.", ge=0, le=99, step=1)
    volume: int = param(100, label="Volume", help="100 is the usual loudness.", ge=0, le=200, step=5)
    sample_rate: SampleRate = param("native", label="Sample rate", help="native is 22,050 Hz, as it is made; 48000 suits video.")
    format: Literal["wav", "flac"] = param("wav", label="Format", help="FLAC is about half as large, without loss.")
    ssml: bool = param(False, label="SSML", help="The text is SSML: <break>, <prosody>, <emphasis>, <voice> and the like.")
    normalize_text: bool = normalize_param(False)
    pronunciations: Pronunciations = pronunciations_param()


class EspeakSpec(EngineSpec):
    """Speech that sounds like a machine, in a second."""

    name = "espeak"
    title = "eSpeak NG"
    summary = "Speech in more than 130 languages and dialects without any download: clear, fast, robotic."
    medium = "audio"
    params = EspeakParams
    implementation = "cosmos_workflow.engines.espeak.engine:EspeakEngine"
    stages = (
        Stage("starting", 0.0, "Starting the voice"),
        Stage("speaking", 0.05, "Speaking"),
        Stage("encoding", 0.85, "Writing the sound"),
        Stage("completed", 1.0, "Completed"),
    )
    max_batch_size = 16
    output = "audio"
    speaks = True

    def availability(self) -> Availability:
        """Whether the wheel with the library and its voices is installed."""
        return NO_LIBRARY if library_path() is None else Availability(True)

    def spoken(self, text: str, params: Params) -> str:
        """As every engine; SSML is left as it is."""
        return text if cast("EspeakParams", params).ssml else super().spoken(text, params)

    def segments(self, text: str, params: Params) -> list[Segment]:
        """As every engine; SSML is one stretch, and has its own pauses."""
        return [Segment(text)] if cast("EspeakParams", params).ssml else super().segments(text, params)

    def check(self, recipe: Recipe, later: Collection[str] = ()) -> None:
        """As every engine; also refuses SSML that isn't well formed and text without anything to say."""
        super().check(recipe, later)
        spoken_text(recipe.text, cast("EspeakParams", recipe.params))


def spoken_text(text: str, params: EspeakParams) -> str:
    """What is handed to the voice: the text or checked SSML, cut where the library couldn't hold it. Raises InputError."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"espeak: the text has a broken character at position {error.start + 1}; type it again.") from error
    # The library reads C strings, where a NUL would silently end the text.
    spoken = fit_ssml(clean_ssml(text)) if params.ssml else fit(text.replace("\0", " "))
    script = "" if params.ssml else unread_script(text, params.voice)
    if script:
        others = f"use a voice that reads it: {list_choices(readers(script), 6)}" if readers(script) else "use another engine"
        name = "Chinese characters" if script == "CJK" else script.capitalize()
        raise InputError(f"espeak: the voice {params.voice} can't read the text, which is mostly {name}; {others}.", key="voice")
    return spoken


SPEC = EspeakSpec()
