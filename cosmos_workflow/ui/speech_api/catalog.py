"""The models and voices that a program can name: the engines that speak here, by name or by name and variant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cosmos_workflow.engines.params import ParamField
from cosmos_workflow.engines.registry import all_engines, availability_of, find_engine
from cosmos_workflow.engines.spec import EngineSpec
from cosmos_workflow.errors import InputError, UnavailableError, did_you_mean, list_choices, shorten
from cosmos_workflow.queueing.items import Configuration, Prompt
from cosmos_workflow.store.store import Store

OPENAI_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""What programs name that know only OpenAI: the first engine of ours stands for each of them."""
OPENAI_VOICES = frozenset(
    "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse".split()  # noqa: SIM905 - easier to read
)
"""Theirs too: each is the engine's own default voice."""
NATURAL = "kokoro"
BUILT_IN = "default"
"""The voice of an engine that is given recordings to speak like, without one."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model by the name that a program says: an engine, and the params that its variant means."""

    id: str
    engine: str
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def spec(self) -> EngineSpec:
        """Its engine."""
        return find_engine(self.engine)

    def field(self, name: str) -> ParamField | None:
        """A parameter of its engine as it is with this variant; None where there is none of that name."""
        return next((known for known in self.spec.fields(self.params) if known.name == name), None)


def list_models() -> list[Model]:
    """The models that can speak here and now, the most natural first."""
    speaking = [spec for spec in all_engines() if _speaks(spec) and availability_of(spec).available]
    speaking.sort(key=lambda spec: (spec.name != NATURAL, spec.name))
    return [model for spec in speaking for model in _variants(spec) if _can_speak(model)]


def find_model(name: str) -> Model:
    """The model of this name; raises InputError for an unknown one, UnavailableError where it can't run here, saying why."""
    engine = name.partition("/")[0]
    spec = next((spec for spec in all_engines() if _speaks(spec) and spec.name == engine), None)
    if spec is not None:
        if not (state := availability_of(spec)).available:
            raise UnavailableError(f"{engine}: {state}")
        found = next((model for model in _variants(spec) if model.id == name), None)
        if found is not None and _can_speak(found):
            return found
    models = list_models()
    if name in OPENAI_MODELS and models:
        return models[0]
    known = [model.id for model in models]
    hint = did_you_mean(name, known)
    raise InputError(f"model: {shorten(name)} isn't a model of this server{hint}; use {list_choices(known)}.", key="model")


def list_voices(model: Model, store: Store, owner: str) -> dict[str, str]:
    """The voices of a model, each with what a person reads: the engine's own, or the owner's prompts that have a recording."""
    own = model.field("voice")
    if own is not None:
        return dict(zip(own.choices, own.choice_labels or own.choices, strict=True))
    return {BUILT_IN: "Built-in", **{prompt.name: prompt.name for prompt in _recorded(store, owner)}} if _takes(model) else {}


def read_voice(model: Model, name: str, store: Store, owner: str) -> tuple[dict[str, str], dict[str, str]]:
    """Params and input files of a voice by name; an own parameter is checked by its engine. Raises InputError."""
    if not name or name.lower() in OPENAI_VOICES:
        return {}, {}
    if model.field("voice") is not None:
        return {"voice": name}, {}
    if not _takes(model) or name == BUILT_IN:
        return {}, {}
    for prompt in _recorded(store, owner):
        if name in (prompt.name, prompt.id):
            return {}, {"voice": prompt.inputs["voice"]}
    known = list_choices(list(list_voices(model, store, owner)))
    raise InputError(f"voice: {shorten(name)} isn't a voice of {model.id}; use {known}.", key="voice")


def _speaks(spec: EngineSpec) -> bool:
    return spec.speaks and spec.medium == "audio"


def _variants(spec: EngineSpec) -> list[Model]:
    variants = next((known.choices for known in spec.fields({}) if known.name == "variant"), ())
    return [Model(spec.name, spec.name), *(Model(f"{spec.name}/{name}", spec.name, {"variant": name}) for name in variants)]


def _can_speak(model: Model) -> bool:
    """Whether a text alone can be said by it: a variant's model files may be missing, or it may convert recordings only."""
    try:
        configuration = Configuration.of(model.engine, model.params)
        configuration.check_params()
        configuration.check(Prompt("Good morning."))
    except InputError:
        return False
    return True


def _takes(model: Model) -> bool:
    return any(wanted.name == "voice" for wanted in model.spec.inputs)


def _recorded(store: Store, owner: str) -> list[Prompt]:
    return [prompt for prompt in store.prompts.list(owner) if prompt.name and "voice" in prompt.inputs]
