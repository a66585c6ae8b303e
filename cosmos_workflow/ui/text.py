"""Words that all tabs share: numbers, times, names and facts. No gradio, no HTML."""

from __future__ import annotations

import time
from collections.abc import Mapping

from cosmos_workflow.engines.registry import known_engine, known_fields
from cosmos_workflow.execution.estimates import TimeLeft, format_seconds
from cosmos_workflow.queueing.rows import describe_weights

Facts = list[tuple[str, str]]
"""Labels and values, in the order in which a person asks."""


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 item", "3 items"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def shorten_text(text: str, most: int) -> str:
    """The first line of a text, cut to `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def clock(when: float) -> str:
    """A moment, in local time; only the time where it is today."""
    moment = time.localtime(when)
    same_day = moment[:3] == time.localtime()[:3]
    return time.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M", moment)


def precise_seconds(seconds: float) -> str:
    """A duration with a decimal where it is short."""
    return f"{seconds:.1f} s" if seconds < 10 else format_seconds(seconds)


def left_text(left: TimeLeft | None) -> str:
    """Time left with its error, or that it isn't known yet."""
    return f"{left} left" if left else "time left: known after the first finished batch"


def engine_title(name: str) -> str:
    """What a person calls an engine; its name where it can't be used any more."""
    return known_engine(name).title


def recipe_facts(
    engine: str,
    params: Mapping[str, object],
    weights: Mapping[str, float],
    inputs: Mapping[str, str],
    names: Mapping[str, str],
) -> Facts:
    """What an item or a run is made from, the params by their labels; `names` has the name that an input file came with."""
    facts = [("Engine", engine_title(engine)), *_param_facts(engine, params)]
    if weights:
        facts.append(("Weights", describe_weights(weights)))
    files = {name: path.rsplit("/", 1)[-1] for name, path in inputs.items()}
    return [*facts, *((f"Input: {name}", names.get(file, file)) for name, file in files.items())]


def plain(value: object) -> str:
    """A value of params or metadata as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(plain(member) for member in value)
    return f"{value:g}" if isinstance(value, float) else shorten_text(str(value), 200)


def _param_facts(engine: str, params: Mapping[str, object]) -> Facts:
    """An engine that can't be used any more gives the names of its params."""
    fields = known_fields(engine, params)
    labels = {field.name: field.label for field in fields if not field.unused} if fields else {name: name for name in params}
    return [(labels[name], plain(value)) for name, value in params.items() if name in labels and value not in ("", None)]
