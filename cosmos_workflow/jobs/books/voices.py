"""Who reads a book: an engine that is here, with a voice that speaks the book's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cosmos_workflow.engines.registry import all_engines, availability_of, find_engine, known_engine
from cosmos_workflow.engines.spec import EngineSpec
from cosmos_workflow.errors import InputError, list_choices, shorten

PREFERRED = ("kokoro", "espeak")
"""Engines in the order in which they are taken where nobody chose: the first that can run here."""


@dataclass(frozen=True, slots=True)
class Reader:
    """An engine with its params, and a recording where the voice is one; `name` is what a listener reads of it."""

    engine: str
    params: Mapping[str, Any] = field(default_factory=dict)
    recording: str = ""
    name: str = ""


def reading_engines() -> list[EngineSpec]:
    """The engines that read aloud."""
    return [spec for spec in all_engines() if spec.speaks]


def default_engine() -> str:
    """The engine that reads where nobody chose one."""
    return next((name for name in PREFERRED if availability_of(known_engine(name)).available), PREFERRED[-1])


def reader(engine: str = "", voice: str = "", language: str = "") -> Reader:
    """Who reads a book of this language; without `voice`, the engine's first one that speaks it.

    `voice` is one of the engine's, or the path of a recording for an engine that takes one. Raises InputError.
    """
    spec = find_engine(engine or default_engine())
    if not spec.speaks:
        raise InputError(f"{spec.name} doesn't read aloud; use {list_choices([known.name for known in reading_engines()])}.")
    fields = {parameter.name: parameter for parameter in spec.fields({})}
    params: dict[str, Any] = {}
    if "language_id" in fields and language.partition("-")[0] in fields["language_id"].choices:
        params["language_id"] = language.partition("-")[0]
    if "voice" not in fields:
        if voice and not any(accepted.name == "voice" for accepted in spec.inputs):
            raise InputError(f"{spec.name} has no voices to choose from; leave the voice out.")
        return Reader(spec.name, params, voice, spec.title)
    chosen = voice or voice_for(spec, language)
    if "language" in fields and not _speaks(spec, chosen, language):
        # A voice of another language reads the book in the book's own, where the engine can.
        known = [
            choice for choice in map(str, fields["language"].choices) if choice.partition("-")[0] == language.partition("-")[0]
        ]
        params |= {"language": language if language in known else known[0]} if known else {}
    # The engine's own check says what is wrong with a name.
    spec.complete_params({**params, "voice": chosen})
    return Reader(spec.name, {**params, "voice": chosen}, "", f"{chosen} ({spec.title})")


def _speaks(spec: EngineSpec, voice: str, language: str) -> bool:
    return not language or spec.language({"voice": voice}).partition("-")[0] == language.partition("-")[0]


def voice_for(spec: EngineSpec, language: str) -> str:
    """The engine's usual voice where it speaks this language, else its first one that does, else the usual one where that can be
    told to; raises InputError for none."""
    fields = {parameter.name: parameter for parameter in spec.fields({})}
    usual, wanted = str(fields["voice"].default), language.partition("-")[0]
    near = [voice for voice in [usual, *fields["voice"].choices] if _speaks(spec, voice, language)]
    exact = [voice for voice in near if spec.language({"voice": voice}) == language]
    told = fields["language"].choices if "language" in fields else ()
    if not wanted or (not near and any(str(choice).partition("-")[0] == wanted for choice in told)):
        return usual
    if not near:
        raise InputError(
            f"{spec.name} has no voice that speaks {shorten(language)}, the book's language; use another engine, or name a voice."
        )
    # The usual voice speaks a usual dialect of its language, whichever dialect the book is in.
    return near[0] if near[0] == usual or not exact else exact[0]
