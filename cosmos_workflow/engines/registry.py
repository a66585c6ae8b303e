"""The engines that are installed, and what is wrong with those that can't be used: one that is broken stops no other.

Built-in engines and those of other packages come in through the same door: the entry-point group `cosmos_workflow.engines`,
each entry naming an instance of `EngineSpec`.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict

from cosmos_workflow.engines.params import ParamField, Params
from cosmos_workflow.engines.spec import Availability, EngineSpec
from cosmos_workflow.errors import InputError, UnavailableError, did_you_mean, list_choices, shorten
from cosmos_workflow.progress import ProgressTracker

if TYPE_CHECKING:
    from cosmos_workflow.engines.model_files.sets import ModelFiles

log = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "cosmos_workflow.engines"
EXAMPLES_GROUP = "cosmos_workflow.engines.examples"
"""Engines to learn from: found by their name as all are, listed only when asked for."""
OWN_PACKAGE = "cosmos-workflow"
_STATED = ("title", "medium", "params", "implementation", "stages", "output")
_REMEDY = "update or uninstall that package"


def find_engine(name: str) -> EngineSpec:
    """The spec of an engine; raises InputError for an unknown name, and for an engine that can't be used, saying why."""
    found = _load(name)
    if isinstance(found, EngineSpec):
        return found
    cause = found or f"{shorten(name)} isn't installed{did_you_mean(name, engine_names())}; use {list_choices(engine_names())}."
    raise InputError(f"engine {cause}", key="engine", cause=cause)


def known_engine(name: str) -> EngineSpec:
    """The spec of an engine that a record or a queued item names; a stand-in that is never available where it can't be used."""
    try:
        return find_engine(name)
    except InputError as error:
        return _StandIn(name, f"{error.cause[0].upper()}{error.cause[1:]}")


def known_fields(engine: str, params: Mapping[str, Any]) -> tuple[ParamField, ...]:
    """The fields of an engine beside params that were kept, of whatever version; none where it can't say."""
    try:
        return known_engine(engine).fields(params)
    except Exception:
        log.info("%s doesn't understand the params %s", engine, params, exc_info=True)
        return ()


def availability_of(spec: EngineSpec) -> Availability:
    """Whether an engine can run here and now; one whose own check breaks can't."""
    try:
        return spec.availability()
    except Exception as error:
        log.info("the availability of %s could not be told", spec.name, exc_info=True)
        return Availability(False, f"Its own check broke ({told(error)}).", f"{_REMEDY[0].upper()}{_REMEDY[1:]}.")


def require_available(name: str) -> None:
    """Raise UnavailableError where an engine can't run here, InputError where there is none of that name."""
    if not name:
        raise InputError("No engine is chosen; choose one.")
    availability = availability_of(find_engine(name))
    if not availability.available:
        raise UnavailableError(f"{name}: {availability}")


def look_again() -> None:
    """Forget what was found, so that what was installed meanwhile is."""
    for found in (_group, _load):
        found.cache_clear()


def engine_names(examples: bool = False) -> tuple[str, ...]:
    """Names of the engines that can be used, sorted; those of the examples with them where these are asked for."""
    return tuple(name for name in _installed(examples) if isinstance(_load(name), EngineSpec))


def all_engines(examples: bool = False) -> list[EngineSpec]:
    """The specs of the engines that can be used, by name; those of the examples with them where these are asked for."""
    return [find_engine(name) for name in engine_names(examples)]


def broken_engines(examples: bool = False) -> dict[str, str]:
    """The engines that are installed and can't be used, each with a sentence that says why."""
    return {name: problem for name in _installed(examples) if isinstance(problem := _load(name), str)}


def all_model_files() -> dict[str, ModelFiles]:
    """Every set of model files that an installed engine has, by its name."""
    return {model.name: model for spec in all_engines() for model in spec.model_files}


def told(error: BaseException) -> str:
    """An error that another package raised, as the end of a sentence."""
    words = str(error).rstrip(".")
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _installed(examples: bool) -> tuple[str, ...]:
    groups = (ENTRY_POINT_GROUP, EXAMPLES_GROUP) if examples else (ENTRY_POINT_GROUP,)
    return tuple(sorted({entry.name for group in groups for entry in _group(group)}))


@cache
def _group(name: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=name))


@cache
def _load(name: str) -> EngineSpec | str:
    """The spec of this name, or a sentence that says why it can't be used; empty for a name that nobody has.

    Each is looked at once (see `look_again`): what is installed meanwhile is found after a restart.
    """
    entries = _entries(name)
    if not entries:
        return ""
    if len(entries) > 1:
        places = list_choices(sorted(_place(entry) for entry in entries))
        return f"{name!r} is the name of more than one engine ({places}); uninstall all but one of them."
    entry = entries[0]
    try:
        # What a package prints when it is imported doesn't belong into what a program reads.
        with contextlib.redirect_stdout(sys.stderr):
            spec = entry.load()
            problem = _what_is_wrong(spec, name)
    except (Exception, SystemExit) as error:
        log.info("the engine %s can't be used", name, exc_info=True)
        spec, problem = "", f"breaks when it is loaded ({told(error)})"
    return f"{name!r} of {_place(entry)} {problem}; {_REMEDY}." if problem else spec


def _entries(name: str) -> list[EntryPoint]:
    """What is installed under a name, each thing once.

    A built-in engine keeps its name, whoever else claims it; an example doesn't.
    """
    groups = ([entry for entry in _group(group) if entry.name == name] for group in (ENTRY_POINT_GROUP, EXAMPLES_GROUP))
    claims = {entry.value: entry for entry in next(filter(None, groups), [])}
    own = [entry for entry in claims.values() if entry.dist and entry.dist.name == OWN_PACKAGE]
    if own and len(claims) > 1:
        places = list_choices(sorted(_place(entry) for entry in claims.values() if entry not in own))
        log.warning("The built-in engine %s is used, not the one of that name of %s.", name, places)
    return own or list(claims.values())


def _what_is_wrong(spec: Any, name: str) -> str:
    """What an entry point's value lacks of a spec, or raises when it is asked the first things; empty for nothing."""
    if not isinstance(spec, EngineSpec):
        return "isn't an EngineSpec"
    missing = [stated for stated in ("name", *_STATED) if not hasattr(spec, stated)]
    if missing:
        return f"doesn't state its {list_choices(missing)}"
    if spec.name != name:
        return f"calls itself {shorten(spec.name)}"
    ProgressTracker(name, spec.stages)
    known = {model.name for model in spec.model_files}
    spec.complete_weights({})
    spec.complete_params({})
    return "" if all(known) else "has model files without a name"


def _place(entry: EntryPoint) -> str:
    return f"{entry.dist.name} ({entry.value})" if entry.dist else entry.value


class _AnyParams(Params):
    """What was kept for an engine that can't be asked."""

    model_config = ConfigDict(extra="allow")


class _StandIn(EngineSpec):
    """Has the name of an engine that can't be used: items and runs that name it can be shown, and say why they can't be made."""

    medium = "audio"
    params = _AnyParams
    implementation = ""
    stages = ()
    output = ""
    max_batch_size = 1

    def __init__(self, name: str, problem: str) -> None:
        vars(self).update(name=name, title=name)
        self._problem = problem

    def availability(self) -> Availability:
        return Availability(False, self._problem)
