"""Text to speech tokens, many lines at once: what `T3.inference` does for one.

Lines that finish leave the batch, and waiting ones take their places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cosmos_workflow.engines.chatterbox.batch import Batch
from cosmos_workflow.engines.chatterbox.speech_model import Line, SpeechModel


@dataclass(frozen=True, slots=True)
class Step:
    """What a step leaves behind: the lines still being spoken, those that left it, complete or cancelled, and how many wait."""

    active: list[Line]
    left: list[Line]
    waiting: int


def never(*_: object) -> bool:
    """Nothing is cancelled."""
    return False


def decode(
    model: SpeechModel, lines: Sequence[Line], max_lines: int, is_cancelled: Callable[[Line], bool] = never
) -> Iterator[Step]:
    """One step after another until no line is left; at most `max_lines` are in the batch at a time.

    A cancelled line leaves within a step. What was taken is given back when the iterator is closed.
    """
    batch = Batch(model, lines, max_lines)
    waiting = list(lines)
    while waiting or batch.members:
        left = [line for line in waiting if is_cancelled(line)]
        waiting = [line for line in waiting if line not in left]
        left += batch.leave([is_cancelled(member.line) for member in batch.members])
        places = max_lines - len(batch.members)
        batch.step(waiting[:places])
        waiting = waiting[places:]
        left += batch.leave([model.is_complete(member.line) for member in batch.members])
        yield Step([member.line for member in batch.members], left, len(waiting))
