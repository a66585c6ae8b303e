"""What an engine says of itself without being loaded.

A spec imports nothing heavy; the implementation is named by string and imported only in the worker that runs it. How a spec
is found is in `cosmos_workflow.engines.registry`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cosmos_workflow.engines.params import ParamField, Params, param_fields, validate_params
from cosmos_workflow.errors import InputError, list_choices, shorten
from cosmos_workflow.progress import Stage

if TYPE_CHECKING:
    from cosmos_workflow.engines.model_files.sets import ModelFiles
    from cosmos_workflow.engines.speech_text.marks import Segment

MAX_TEXT = 10_000

Medium = Literal["audio", "video"]
InputKind = Literal["audio", "video", "text"]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """An input file an engine takes from a prompt: `name` is its key in the prompt's inputs."""

    name: str
    kind: InputKind
    label: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an item is made from.

    `params` is an instance of the engine's own params model, `weights` states every weight, `inputs` are its files by name.
    """

    text: str
    params: Params
    weights: Mapping[str, float]
    inputs: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether an engine can run here; if not, `reason` says why and `remedy` what to do, a sentence each.

    `runs_on` is a sentence of what it would run on, for an engine that has a choice.
    """

    available: bool
    reason: str = ""
    remedy: str = ""
    runs_on: str = ""

    def __str__(self) -> str:
        return "available" if self.available else f"{self.reason} {self.remedy}".strip()


class EngineSpec:
    """What the queue, the page and the command line need to know of an engine.

    Subclass it, fill in the class variables, and name an instance in the entry-point group. Nothing here may import the
    model's libraries: these methods run in the app's own process.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str] = ""
    medium: ClassVar[Medium]
    params: ClassVar[type[Params]]
    implementation: ClassVar[str]
    """"module:Class" of the `cosmos_workflow.engines.base.Engine` that does the work."""
    stages: ClassVar[tuple[Stage, ...]]
    inputs: ClassVar[tuple[InputSpec, ...]] = ()
    weights: ClassVar[Mapping[str, float]] = {}
    """Control weights, each with its default in [0, 1]; empty for an engine without controls."""
    max_batch_size: ClassVar[int] = 8
    max_text: ClassVar[int] = MAX_TEXT
    needs_text: ClassVar[bool] = True
    cost_unit: ClassVar[str] = "characters"
    cost_inputs: ClassVar[Collection[str]] = ()
    """Names of the inputs that `cost` looks at."""
    output: ClassVar[str]
    """Key of the output file that a person plays, e.g. "audio"."""
    min_letters: ClassVar[int] = 1
    """Letters and digits that a text needs to be spoken; a job says shorter paragraphs with their neighbours."""
    speaks: ClassVar[bool] = False
    """It says the text aloud; its params have `normalize_text` and `pronunciations` then."""
    takes_ipa: ClassVar[bool] = False
    """It says a word by its phonemes, where the text gives them."""

    @property
    def model_files(self) -> tuple[ModelFiles, ...]:
        """The sets of model files it can use; none for an engine that needs no download."""
        return ()

    def availability(self) -> Availability:
        """Whether it can run here and now; cheap enough to ask each time a page is drawn."""
        return Availability(True)

    def recipe(
        self, text: str, params: Params | Mapping[str, Any], weights: Mapping[str, float], inputs: Mapping[str, str | Path]
    ) -> Recipe:
        """What an item is made from, for this engine; params that aren't checked yet are, weights are complete already."""
        checked = params if isinstance(params, Params) else validate_params(self.params, params)
        return Recipe(text, checked, weights, {name: Path(path) for name, path in inputs.items()})

    def check_params(self, params: Params) -> None:
        """Raise InputError where nothing can be made with these params here and now, such as where a model's files are missing.

        Called once, before items with them are queued, and before a batch of them.
        """

    def check(self, recipe: Recipe, later: Collection[str] = ()) -> None:
        """Raise InputError where this engine can't make this item: called before anything is queued, and before a batch.

        `later` names the inputs that other tasks of a job are still to make; what they hold can't be said yet.
        """
        self._check_text(recipe)
        self._check_inputs(recipe.inputs, later)

    def _check_text(self, recipe: Recipe) -> None:
        text = recipe.text
        if self.needs_text and not text.strip():
            raise InputError(f"{self.name}: the prompt is empty; write some text.")
        if self.speaks:
            self._check_marks(recipe)
        stretches = [len(segment.text) for segment in self.segments(text, recipe.params)] if self.speaks else []
        longest = max(stretches) if len(stretches) > 1 else max([len(text), *stretches])
        most = self.longest_text(recipe.params)
        if longest > most:
            written = "" if longest <= len(text) else " as it is spoken"
            raise InputError(
                f"{self.name}: the prompt has {longest:,} characters{written}; use at most {most:,}, or a job with "
                "text_file, which cuts long text into pieces."
            )

    def longest_text(self, params: Params) -> int:
        """Characters that it takes at once with these params, at most `max_text`."""
        return self.max_text

    def _check_marks(self, recipe: Recipe) -> None:
        if "[" in recipe.text:
            from cosmos_workflow.engines.speech_text.marks import check_pauses

            try:
                check_pauses(recipe.text)
            except InputError as error:
                raise InputError(f"{self.name}: {error}") from error
        if not self.takes_ipa and (given := getattr(recipe.params, "pronunciations", "")):
            from cosmos_workflow.engines.speech_text.pronunciations import ipa_words, parse_list

            if words := ipa_words(parse_list(given)):
                raise InputError(
                    f"{self.name}: pronunciations: it takes no IPA; write how {shorten(words[0])} sounds in letters."
                )

    def tags(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """What it does where a text has it in brackets, instead of saying it, such as "laugh"; the most reliable first."""
        return ()

    def language(self, params: Mapping[str, Any]) -> str:
        """The language that params speak of, as a code such as "en" or "en-us"; English where they don't say."""
        for name in ("language_id", "language", "lang", "voice"):
            found = re.match(r"[a-z]{2,3}(?:-[a-z]{2,3})?(?=$|[-_+])", str(params.get(name, "")).lower())
            if found:
                return found[0]
        return "en"

    def spoken(self, text: str, params: Params) -> str:
        """The text as an engine that speaks says it: words respelt, numbers and signs written out. Pauses stay in it."""
        if not self.speaks:
            return text
        from cosmos_workflow.engines.speech_text.normalize import as_spoken

        said = vars(params)  # what a model holds: asked for each item of a long queue
        normalized, pronunciations = bool(said.get("normalize_text")), str(said.get("pronunciations", ""))
        if not normalized and not pronunciations and "](/" not in text:
            return text
        return as_spoken(text, self.language(said), normalized, pronunciations, self.takes_ipa)

    def with_pronunciations(self, params: Mapping[str, Any], words: str) -> dict[str, Any]:
        """Params that also say these words so, unless they say them otherwise; an engine takes what it can of them."""
        if not self.speaks or not words:
            return dict(params)
        from cosmos_workflow.engines.speech_text.params import PRONUNCIATIONS, tidy_list
        from cosmos_workflow.engines.speech_text.pronunciations import merged

        try:
            own = tidy_list(params.get(PRONUNCIATIONS, ""))
        except ValueError:
            return dict(params)  # whoever checks the params says what is wrong with them
        return {**params, PRONUNCIATIONS: merged(words, own, self.takes_ipa)}

    def variations(self, params: Params) -> list[dict[str, Any]]:
        """Values of some params that say the same a little differently, to be tried in turn where it didn't come out well; for
        an engine that has no seed. Empty for one that would say it the same way again."""
        return []

    def segments(self, text: str, params: Params) -> list[Segment]:
        """The text as it is spoken, in stretches with the pause behind each."""
        from cosmos_workflow.engines.speech_text.marks import split_pauses

        return split_pauses(self.spoken(text, params))

    def identity(self, text: str, params: Params) -> tuple[str, dict[str, Any]]:
        """Text and params as they decide how an item is made: the text as it is spoken, and no params that only led to that."""
        led = {"normalize_text", "pronunciations"} if self.speaks else None
        return self.spoken(text, params), params.model_dump(exclude=led)

    def _check_inputs(self, inputs: Mapping[str, Path], later: Collection[str]) -> None:
        for spec in self.inputs:
            path = inputs.get(spec.name)
            if path is None and spec.required and spec.name not in later:
                sentence = f"{self.name}: the input {spec.name!r} is missing; give the prompt a {spec.kind} file."
                raise InputError(sentence, key=spec.name)
            if path is not None and not Path(path).is_file():
                sentence = f"{self.name}: the input {spec.name!r} ({Path(path).name}) isn't there; choose the file again."
                raise InputError(sentence, key=spec.name)
        takes = [spec.name for spec in self.inputs]
        if takes and (unknown := sorted(set(inputs).difference(takes))):
            sentence = f"{self.name}: unknown input {shorten(unknown[0])}; it takes {list_choices(takes)}."
            raise InputError(sentence, key=unknown[0])

    def key_extra(self, params: Params, weights: Mapping[str, float]) -> Mapping[str, Any]:
        """What must be equal in a batch beside the invariant params."""
        return {}

    def cost(self, recipe: Recipe) -> float:
        """What drives the time an item takes, in `cost_unit`; above 0."""
        return float(max(1, len(recipe.text)))

    def batch_size(self, params: Params) -> int:
        """How many items of these params a batch may hold."""
        return self.max_batch_size

    def repair(self, apply: bool) -> list[tuple[str, str, str]]:
        """What is broken in files the engine keeps between runs: name, problem, and where it goes to, or went with `apply`."""
        return []

    def fields(self, values: Mapping[str, Any]) -> tuple[ParamField, ...]:
        """The parameters as they are beside these values, which may be incomplete and wrong.

        Override it where a choice, such as a model's variant, changes another parameter's default or range, or leaves it unused.
        """
        return param_fields(self.params)

    def checked_params(self, values: Mapping[str, Any], where: str = "") -> Params:
        """Every parameter with its value, checked; what isn't given has the default of its field. Raises InputError."""
        defaults = {field.name: field.default for field in self.fields(values)}
        return validate_params(self.params, {**defaults, **values}, where)

    def complete_params(self, values: Mapping[str, Any], where: str = "") -> dict[str, Any]:
        """The same as plain values."""
        return self.checked_params(values, where).model_dump()

    def complete_weights(self, values: Mapping[str, float] | None, where: str = "") -> dict[str, float]:
        """Every weight of this engine with its value, checked; raises InputError."""
        given = dict(values or {})
        prefix = f"{where}: " if where else ""
        for name, value in given.items():
            if name not in self.weights:
                takes = list_choices(list(self.weights)) if self.weights else "none"
                cause = f"unknown weight {shorten(name)}; {self.name} takes {takes}."
                raise InputError(f"{prefix}{cause}", key=name, place=where, cause=cause)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                cause = f"{shorten(value)} isn't right; use a number from 0 to 1."
                raise InputError(f"{prefix}weight {name}: {cause}", key=name, place=where, cause=cause)
        return {name: float(given.get(name, default)) for name, default in self.weights.items()}
