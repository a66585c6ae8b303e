"""Which of the ids that T3 gives are speech."""

from __future__ import annotations

from collections.abc import Sequence

SPEECH_IDS = 6561
START_OF_SPEECH, END_OF_SPEECH = 6561, 6562


def speech_tokens(tokens: Sequence[int], *, turbo: bool) -> list[int]:
    """The ids that are speech: between start and end, and known to the sound model, which other ids would break."""
    kept = list(tokens)
    if not turbo:
        kept = kept[: kept.index(END_OF_SPEECH)] if END_OF_SPEECH in kept else kept
        kept = kept[len(kept) - kept[::-1].index(START_OF_SPEECH) :] if START_OF_SPEECH in kept else kept
    return [token for token in kept if token < SPEECH_IDS]
