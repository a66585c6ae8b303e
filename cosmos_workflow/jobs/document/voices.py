"""What an engine is told, level by level: params, weights and input files, each checked where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cosmos_workflow.engines.params import Params, validate_params
from cosmos_workflow.engines.spec import EngineSpec
from cosmos_workflow.engines.speech_text.params import NORMALIZE, PRONUNCIATIONS, tidy_list
from cosmos_workflow.engines.speech_text.pronunciations import merged as merged_lists
from cosmos_workflow.errors import InputError, did_you_mean, list_choices, shorten
from cosmos_workflow.files import readable
from cosmos_workflow.jobs.document.cascade import MARK, Cascade, UnresolvedError
from cosmos_workflow.jobs.document.tasks import Source, Voice
from cosmos_workflow.queueing.items import Configuration
from cosmos_workflow.yaml_places import Location

SPEAKER_ID = re.compile(r"[A-Za-z0-9_-]+")


Said = tuple[Location, Mapping[str, Any]]
"""What one level says, and where it stands."""


def read_voices(cascade: Cascade, spec: EngineSpec) -> dict[str, Voice]:
    """Every speaker's voice, "" for the task's own; empty where one of them can't be made out, which is a problem then."""
    weights = _read_weights(cascade, spec)
    ids = [speaker for at in cascade.engine_levels for speaker in at.level.speakers if SPEAKER_ID.fullmatch(speaker)]
    voices: dict[str, Voice] = {}
    own = [*_speech_levels(cascade, spec), *(((*at.location, "params"), at.level.params) for at in cascade.engine_levels)]
    files: list[Said] = [((*at.location, "inputs"), at.level.inputs) for at in cascade.engine_levels]
    for speaker in ("", *dict.fromkeys(ids)):
        spoken = _speaker_levels(cascade, speaker) if speaker else []
        params = _read_params(cascade, spec, [*own, *(given for given, _ in spoken)])
        try:
            inputs = _read_inputs(cascade, spec, [*files, *(given for _, given in spoken)])
        except UnresolvedError:
            return {}
        if params is None:
            return {}
        paths = {name: value for name, value in inputs.items() if isinstance(value, str)}
        sources = {name: value for name, value in inputs.items() if isinstance(value, Source)}
        voices[speaker] = Voice(Configuration(spec, params, weights), paths, sources)
    return voices


def _read_weights(cascade: Cascade, spec: EngineSpec) -> dict[str, float]:
    """Every weight of the engine; one that isn't right is a problem, and left out."""
    merged: dict[str, float] = {}
    for at in cascade.engine_levels:
        for key, value in at.level.weights.items():
            try:
                spec.complete_weights({key: value})
            except InputError as error:
                cascade.note((*at.location, "weights", key), error.cause, of_key=key not in spec.weights)
            else:
                merged[key] = value
    return spec.complete_weights(merged)


def _speech_levels(cascade: Cascade, spec: EngineSpec) -> Iterator[Said]:
    """What the owner's own list and each level say of how texts are spoken; engines that don't speak take no notice."""
    yield (), spec.with_pronunciations({}, cascade.pronunciations)
    for at in cascade.levels if spec.speaks else ():
        given = {NORMALIZE: at.level.normalize_text, PRONUNCIATIONS: at.level.pronunciations or None}
        yield at.location, {key: value for key, value in given.items() if value is not None}


def _speaker_levels(cascade: Cascade, speaker: str) -> list[tuple[Said, Said]]:
    """The params and the input files of a speaker."""
    found: list[tuple[Said, Said]] = []
    for at in cascade.engine_levels:
        values = dict(at.level.speakers.get(speaker, {}))
        location = (*at.location, "speakers", speaker)
        files = values.pop("inputs", {})
        if not isinstance(files, dict) or not all(isinstance(value, str) for value in files.values()):
            message = f"{shorten(files)} isn't right; use a section of files such as {{voice: anna.wav}}."
            cascade.note((*location, "inputs"), message)
            files = {}
        found.append(((location, values), ((*location, "inputs"), files)))
    return found


def _read_params(cascade: Cascade, spec: EngineSpec, levels: list[Said]) -> Params | None:
    """The params of all levels, the nearest value of each; a list of pronunciations adds to the farther one."""
    merged: dict[str, Any] = {}
    places: dict[str, Location] = {}
    for level, params in levels:
        for key, value in params.items():
            location = (*level, key)
            if problem := _problem(spec, key, value):
                cascade.note(location, problem, of_key=key not in spec.params.model_fields)
                continue
            merged[key] = merged_lists(merged.get(key, ""), tidy_list(value)) if key == PRONUNCIATIONS else value
            places[key] = location
    try:
        return spec.checked_params(merged)
    except InputError as error:
        # Each value alone was right, together they aren't.
        cascade.note(places.get(error.key, cascade.own.location), str(error))
        return None


def _problem(spec: EngineSpec, key: str, value: Any) -> str:
    """What is wrong with one parameter; empty where nothing is."""
    known = list(spec.params.model_fields)
    if key not in known:
        return f"{spec.name} has no such parameter{did_you_mean(key, known)}; use {list_choices(known)}."
    try:
        validate_params(spec.params, {key: value})
    except InputError as error:
        return error.cause
    return ""


def _read_inputs(cascade: Cascade, spec: EngineSpec, levels: list[Said]) -> dict[str, str | Source]:
    """The nearest file, or earlier task, of each input. Raises UnresolvedError where such a task is wrong itself."""
    merged: dict[str, str | Source] = {}
    accepted = {entry.name: entry for entry in spec.inputs}
    known = list(accepted)
    for level, files in levels:
        for key, value in files.items():
            location = (*level, key)
            if key not in known:
                takes = f"use {list_choices(known)}" if known else "leave it out"
                cascade.note(location, f"{spec.name} takes no such file{did_you_mean(key, known)}; {takes}.", of_key=True)
            elif value.startswith(MARK) and cascade.earlier is not None:
                try:
                    merged[key] = cascade.earlier.find(value, accepted[key], spec.name)
                except InputError as error:
                    cascade.note(location, str(error))
            elif (path := cascade.path(value, location)) is not None:
                merged[key] = str(path)
                if readable(path) != str(path):
                    cascade.note(location, f"{readable(path)} has a name, or lies below one, that isn't UTF-8; rename it.")
    return merged
