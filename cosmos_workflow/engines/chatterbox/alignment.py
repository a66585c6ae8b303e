"""The multilingual variant's look at how far the speech has come in the text, a line at a time and without hooks.

The package's analyser finds lines that run on, repeat or stop early, and changes the scores so that speech ends or goes on.
Its own way to see the attention is hooks that it never removes; here it is handed what a pass has seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from chatterbox.models.t3.inference.alignment_stream_analyzer import LLAMA_ALIGNED_HEADS, AlignmentStreamAnalyzer
from torch import Tensor

ALIGNED_HEADS: tuple[tuple[int, int], ...] = tuple((int(layer), int(head)) for layer, head in LLAMA_ALIGNED_HEADS)


class _Analyser(AlignmentStreamAnalyzer):
    """The package's analyser, told what it would have listened for."""

    def _add_attention_spy(self, tfmr: object, buffer_idx: int, layer_idx: int, head_idx: int) -> None:
        """No hook: see `Alignment.check`."""


class Alignment:
    """Where one line is in its text, whose tokens stand at positions `start` to `end` (excluded) of its row."""

    def __init__(self, start: int, end: int, end_token: int) -> None:
        self._end = end
        self._analyser = _Analyser(None, None, (start, end), eos_idx=end_token)

    def check(self, scores: Tensor, last_token: int, attention: Sequence[Tensor], *, first: bool) -> Tensor:
        """The scores [ids] as the analyser wants them, given the attention [queries, positions] of the aligned heads.

        `first`: the pass that read the text; its last two queries are the start of speech.
        """
        self._analyser.last_aligned_attns = [self._as_seen(head, first) for head in attention]
        return self._analyser.step(scores[None], next_token=last_token)[0]

    def _as_seen(self, head: Tensor, first: bool) -> Tensor:
        if not first:
            return head[:, : self._end]
        queries = self._end + 2
        whole = torch.zeros(queries, self._end)
        # The text stands before the start of speech, and padding may stand behind it.
        place = self._place_of_start
        whole[self._end :] = head[place : place + 2, : self._end]
        return whole

    @property
    def _place_of_start(self) -> int:
        start, end = self._analyser.text_tokens_slice
        return end - start
