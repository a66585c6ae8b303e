"""What a program asks to have said, read and checked before anything is queued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cosmos_workflow.errors import InputError, list_choices, shorten
from cosmos_workflow.jobs.document.schema import Audio, Chunking
from cosmos_workflow.jobs.speech.assembly import pauses_of
from cosmos_workflow.jobs.speech.chunks import cut_text
from cosmos_workflow.queueing.items import Configuration, Prompt, QueueItem
from cosmos_workflow.store.store import Store
from cosmos_workflow.ui.speech_api.catalog import Model, find_model, read_voice
from cosmos_workflow.ui.speech_api.sound import FORMATS, SoundFormat

MAX_INPUT = 100_000
"""Characters of a text; what is longer is a job."""


class SpeechBody(BaseModel):
    """The body of `POST /v1/audio/speech`. `instructions` is OpenAI's, and no engine here takes any; `params` is ours."""

    model_config = ConfigDict(extra="forbid")

    model: str
    input: str = Field(max_length=MAX_INPUT)
    voice: str | dict[str, str] = ""
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: float = Field(default=1.0, ge=0.25, le=4.0)
    stream: bool = False
    stream_format: Literal["audio"] = "audio"
    instructions: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """A text as queue items in order, with the seconds of silence behind each, and how it is to be sent."""

    items: tuple[QueueItem, ...]
    pauses: tuple[float, ...]
    format: SoundFormat
    stream: bool


def read_order(body: Mapping[str, Any], store: Store, owner: str) -> Order:
    """Raises InputError with the key that is wrong, UnavailableError where the engine can't run here."""
    asked = _read_body(body)
    model = find_model(asked.model)
    voice = asked.voice if isinstance(asked.voice, str) else asked.voice.get("id", "")
    params, inputs = read_voice(model, voice, store, owner)
    given = {**model.params, **params, **_speed(model, asked.speed), **asked.params}
    configuration = Configuration.of(model.engine, model.spec.with_pronunciations(given, store.pronunciations.of(owner)))
    configuration.check_params()
    spec = configuration.spec
    limits = Chunking().limits(spec.max_text)
    chunks, _ = cut_text(asked.input, limits, spec.language(configuration.params)[:2], (), "auto", spec.min_letters)
    if not chunks:
        raise InputError("input: the text holds nothing that can be spoken; write words.", key="input")
    items: list[QueueItem] = []
    for chunk in chunks:
        prompt = Prompt(chunk.text, inputs)
        configuration.check(prompt)
        items.append(configuration.item(prompt))
    pauses = pauses_of(chunks, Audio())
    return Order(tuple(items), tuple(pauses), FORMATS[asked.response_format], asked.stream)


def _read_body(body: Mapping[str, Any]) -> SpeechBody:
    try:
        return SpeechBody.model_validate(body)
    except ValidationError as error:
        wrong = error.errors()[0]
        key = str(wrong["loc"][0])
        if wrong["type"] == "extra_forbidden":
            sentence = f"{shorten(key)} isn't known here; use {list_choices(list(SpeechBody.model_fields))}."
        elif wrong["type"] == "missing":
            sentence = f"{key} is missing; give one."
        else:
            sentence = f"{key}: {shorten(wrong['input'])} isn't right: {wrong['msg']}."
        raise InputError(sentence, key=key) from error


def _speed(model: Model, speed: float) -> dict[str, float]:
    """The parameter by which an engine speaks faster or slower."""
    if speed == 1:
        return {}
    if model.field("speed") is not None:
        return {"speed": speed}
    rate = model.field("rate")
    if rate is None:
        raise InputError(f"speed: {model.id} speaks at its own speed only; leave it at 1.", key="speed")
    wanted = round(rate.default * speed)
    return {"rate": int(min(max(wanted, rate.minimum or wanted), rate.maximum or wanted))}
