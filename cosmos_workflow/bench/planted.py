"""Faults put into speech on purpose, as neural voices make them by themselves: in the text before it is spoken, or in the sound.

Pure but for `speak`, which runs an engine in this process.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from cosmos_workflow.engines.base import Device, Output
from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.errors import UnavailableError
from cosmos_workflow.jobs.speech.sentences import split_sentences

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Sound = NDArray[np.float32]

Planted = Literal["dropped word", "doubled sentence", "noise", "cut end", "wrong language", "another text"]
PLANTED: tuple[Planted, ...] = get_args(Planted)
NAMES: dict[Planted, frozenset[str]] = {
    "dropped word": frozenset({"missing words"}),
    "doubled sentence": frozenset({"repeated words", "repeated"}),
    "noise": frozenset({"after the end", "noise"}),
    "cut end": frozenset({"cut off", "missing words"}),
    "wrong language": frozenset({"wrong language"}),
    "another text": frozenset({"another text"}),
}
"""What each is called when it is found; one of the names is enough."""
_WHOLE = frozenset({"wrong language", "another text"})
"""Names that are about the whole sound: wrong for any other fault."""
_NOISE_SECONDS = 2.0


class Line(NamedTuple):
    """A text, who says it, and how."""

    text: str
    engine: str
    params: dict[str, Any]


def named_rightly(planted: Planted, names: Sequence[str]) -> bool:
    """Whether the names of the faults that were found say what was planted, and nothing that it isn't."""
    return bool(NAMES[planted] & set(names)) and not (_WHOLE - NAMES[planted]) & set(names)


def spoilt_text(planted: Planted, text: str, number: int = 0, other: str = "") -> str:
    """The text that is spoken instead: a word dropped (the `number`th of the long ones), its first sentence said twice, or
    `other`, in another language or about something else. The text itself where the fault is in the sound."""
    if planted == "dropped word":
        long = list(re.finditer(r"\s(\w{5,})(?=\s)", text)) or list(re.finditer(r"\s(\w+)(?=\s)", text))
        found = long[number % len(long)]
        return text[: found.start()] + text[found.end() :]
    if planted == "doubled sentence":
        first = split_sentences(text)[0].strip()
        return f"{first} {text}"
    return other if planted in ("wrong language", "another text") else text


def spoilt_sound(planted: Planted, sound: Sound, rate: int, number: int = 0) -> Sound:
    """The sound with its fault: two seconds of noise behind it, or its end cut off where somebody speaks."""
    import numpy as np

    if planted == "noise":
        level = 0.01 * (1 + number % 4)
        noise = level * np.random.default_rng(number).standard_normal(round(_NOISE_SECONDS * rate))
        return np.concatenate([sound, noise.astype(np.float32)])
    if planted == "cut end":
        share = 0.6 + 0.025 * (number % 10)
        # To the loudest place nearby: in the middle of a word.
        start, reach = round(share * len(sound)), round(0.4 * rate)
        return sound[: start + int(np.argmax(np.abs(sound[start : start + reach])))]
    return sound


def speak(lines: Sequence[Line], folder: Path) -> list[Path]:
    """The sounds of these lines, each in a folder of its own below `folder`; raises UnavailableError where one can't be made."""
    from cosmos_workflow.engines.testing.harness import RecordingContext, make_request, run_engine

    made: dict[int, Path] = {}
    for name in dict.fromkeys(line.engine for line in lines):
        spec = find_engine(name)
        with closing(resolve_name(spec.implementation)()) as engine:
            engine.load(Device())
            requests = {
                number: make_request(spec, folder, line.text, line.params, item_id=f"{number}")
                for number, line in enumerate(lines)
                if line.engine == name
            }
            outcomes = run_engine(engine, list(requests.values()), RecordingContext(spec))
        for number, request in requests.items():
            outcome = outcomes[request.id]
            if not isinstance(outcome, Output):
                raise UnavailableError(f"{name} failed on {lines[number].text!r}: {outcome}")
            made[number] = request.folder / outcome.files[spec.output or next(iter(outcome.files))]
    return [made[number] for number in range(len(lines))]
