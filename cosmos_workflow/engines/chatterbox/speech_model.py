"""T3 as the decoder sees it: what goes into its transformer, and the scores that come out, on the package's own modules."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from cosmos_workflow.engines.chatterbox.admission import Voices
from cosmos_workflow.engines.chatterbox.alignment import Alignment, aligned_heads
from cosmos_workflow.engines.chatterbox.backbone import Backbone, Spy
from cosmos_workflow.engines.chatterbox.params import ChatterboxParams
from cosmos_workflow.engines.chatterbox.variants import END_OF_SPEECH, SPEECH_IDS, START_OF_SPEECH


@dataclass(slots=True, eq=False)
class Line:
    """One text on its way to speech tokens.

    `text` are its token ids with start and end, [tokens]; `conditioning` the voice as T3 sees it, [positions, width], and
    `voice` names it: equal names mean equal conditioning. `tokens` grows by one a step and ends with the end token, unless
    `params.max_tokens` came first. `cfg_weight` is 0 where there is no guidance. `watched`: how far the speech has come in the
    text is looked at after each step.
    """

    id: str
    text: Tensor
    voice: Hashable
    conditioning: Tensor
    params: ChatterboxParams
    cfg_weight: float
    generator: torch.Generator
    watched: bool = False
    tokens: list[int] = field(default_factory=list)
    alignment: Alignment | None = None

    @property
    def guided(self) -> bool:
        return self.cfg_weight > 0


class SpeechModel:
    """One T3: its transformer, and what goes in and comes out of it. Keeps voices, and no other state, between two calls.

    `dtype` is that of its weights; those of the head stay float32, as its scores do. `static`: steps have fixed shapes, as long
    as no line is watched. The start of speech is `start_tokens` tokens: the package gives it twice to the Llama variants.
    """

    def __init__(self, t3: Any, dtype: torch.dtype = torch.float32, *, static: bool = False) -> None:
        self._t3 = t3
        self._hp = t3.hp
        self.turbo = bool(t3.is_gpt)
        self.start_token: int = t3.hp.start_speech_token
        self.start_tokens = 1 if self.turbo else 2
        self.backbone = Backbone(t3, dtype)
        for child in t3.children():
            if child is not t3.speech_head:
                child.to(dtype)
        self._device = self.backbone.shape.device
        self.static = static
        self.voices = Voices(self)

    def condition(self, conditioning: Any) -> Tensor:
        """The voice as T3 sees it, [positions, width], from the package's T3Cond."""
        with torch.inference_mode():
            return self._t3.prepare_conditioning(conditioning)[0]

    def has_ended(self, line: Line) -> bool:
        """Whether its last token is the end; Turbo's serial loop doesn't look at the first one."""
        return bool(line.tokens) and line.tokens[-1] == self._hp.stop_speech_token and not (self.turbo and len(line.tokens) == 1)

    def is_complete(self, line: Line) -> bool:
        return self.has_ended(line) or len(line.tokens) >= line.params.max_tokens

    def embed_text(self, text: Tensor, *, blank: bool = False) -> Tensor:
        """Token ids [tokens], or [lines, tokens] padded on the right, to [..., width]; blank: only the places of the tokens."""
        embedded = self._t3.text_emb(text)
        if blank:
            embedded = torch.zeros_like(embedded)
        return embedded if self.turbo else embedded + self._t3.text_pos_emb(torch.atleast_2d(text))

    def embed_start(self) -> Tensor:
        """The start of speech, [tokens, width]."""
        start = torch.full((self.start_tokens,), self.start_token, device=self._device)
        embedded = self._t3.speech_emb(start)
        return embedded if self.turbo else embedded + self._t3.speech_pos_emb.emb(torch.zeros_like(start))

    def embed_tokens(self, tokens: Tensor, places: Tensor) -> Tensor:
        """The last token of each line, [lines, width]; `places` counts a line's tokens, that one included."""
        embedded = self._t3.speech_emb(tokens)
        return embedded if self.turbo else embedded + self._t3.speech_pos_emb.emb(places)

    def scores(self, states: Tensor) -> Tensor:
        """[rows, width] to [rows, ids] in float32."""
        return self._t3.speech_head(states.float())

    def new_seen(self, lines: int) -> Tensor:
        """Which ids the repetition penalty concerns before the first token: the start of speech."""
        seen = torch.zeros(lines, self._t3.speech_head.out_features, dtype=torch.bool, device=self._device)
        seen[:, self.start_token] = True
        return seen

    def spy(self, rows: Sequence[int]) -> Spy | None:
        """What watches the aligned heads of these rows, if there are any."""
        return Spy(aligned_heads(), torch.tensor(list(rows), device=self._device)) if rows else None

    def align(self, line: Line) -> Alignment | None:
        """What a watched line's attention is judged by."""
        start = len(line.conditioning)
        return Alignment(start, start + len(line.text), self._hp.stop_speech_token) if line.watched else None


def speech_tokens(tokens: Sequence[int], *, turbo: bool) -> list[int]:
    """The ids that are speech: between start and end, and known to the sound model, which other ids would break."""
    kept = list(tokens)
    if not turbo:
        kept = kept[: kept.index(END_OF_SPEECH)] if END_OF_SPEECH in kept else kept
        kept = kept[len(kept) - kept[::-1].index(START_OF_SPEECH) :] if START_OF_SPEECH in kept else kept
    return [token for token in kept if token < SPEECH_IDS]
