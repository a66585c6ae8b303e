"""Engine of toy Cosmos Transfer: the real one with a checker that knows one forbidden word, for weights that are noise."""

from __future__ import annotations

from typing import Any

from cosmos_workflow.engines.cosmos_transfer.engine import CosmosTransferEngine

FORBIDDEN = "forbidden-toy-word"
"""A prompt with this word is refused."""


class ToyCosmosTransferEngine(CosmosTransferEngine):
    """Cosmos Transfer on weights of `write_toy_weights`, which needs no GPU."""

    def __init__(self) -> None:
        super().__init__(ToyChecker())


class ToyChecker:
    """Stands in for the guardrail: refuses prompts with `FORBIDDEN`."""

    def to(self, *_args: Any, **_kwargs: Any) -> None:
        """It has no weights to move."""

    def check_text_safety(self, prompt: str) -> bool:
        return FORBIDDEN not in prompt

    def check_video_safety(self, frames: Any) -> Any:
        return frames
