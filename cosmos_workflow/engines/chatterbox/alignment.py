"""The multilingual variant's look at how far the speech has come in the text, a line at a time and without hooks.

The package's analyser finds lines that run on, repeat or stop early, and changes the scores so that speech ends or goes on.
Its own way to see the attention is hooks that it never removes; here it is handed what a pass has seen. Newer states of the
package have dropped it, so it is looked for where it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from cosmos_workflow.errors import InputError

SHORTEST = 6
"""Text tokens from which the analyser can be asked: it looks at what stands before the last five."""


@cache
def _package() -> tuple[Callable[..., Any], tuple[tuple[int, int], ...]]:
    """The package's analyser, without its hooks, and the heads it looks at as (layer, head)."""
    from chatterbox.models.t3.inference import alignment_stream_analyzer as found

    class Analyser(found.AlignmentStreamAnalyzer):
        def _add_attention_spy(self, tfmr: Any, buffer_idx: int, layer_idx: int, head_idx: int) -> None:
            """It is handed what a pass has seen: see `Alignment.check`."""

    return Analyser, tuple((int(layer), int(head)) for layer, head in found.LLAMA_ALIGNED_HEADS)


def check_analyser() -> None:
    """Raise InputError where the installed package has no analyser."""
    try:
        _package()
    except ImportError as error:
        raise InputError(
            "chatterbox: the installed chatterbox-tts no longer has the old stop rule; turn alignment_check off."
        ) from error


def aligned_heads() -> tuple[tuple[int, int], ...]:
    """The heads, (layer, head), whose attention follows the text."""
    return _package()[1]


class Alignment:
    """Where one line is in its text, whose tokens stand at positions `start` to `end` (excluded) of its row."""

    def __init__(self, start: int, end: int, end_token: int) -> None:
        self._start, self._end = start, end
        self._analyser = _package()[0](None, None, (start, end), eos_idx=end_token)

    def check(self, scores: Tensor, last_token: int, attention: Sequence[Tensor], *, first: bool) -> Tensor:
        """The scores [ids] as the analyser wants them, given the attention [queries, positions] of the aligned heads.

        `first`: the pass that read the text; its last two queries are the start of speech.
        """
        if self._end - self._start < SHORTEST:
            return scores
        self._analyser.last_aligned_attns = [self._as_seen(head, first) for head in attention]
        return self._analyser.step(scores[None], next_token=last_token)[0]

    def _as_seen(self, head: Tensor, first: bool) -> Tensor:
        if not first:
            return head[:, : self._end]
        queries = self._end + 2
        whole = torch.zeros(queries, self._end)
        # The text stands before the start of speech, and padding may stand behind it.
        place = self._end - self._start
        whole[self._end :] = head[place : place + 2, : self._end]
        return whole
