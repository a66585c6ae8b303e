"""The guardrail: NVIDIA's licence asks for it, so nothing of NVIDIA's model is made without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from cosmos_workflow.engines.cosmos_transfer.models import GUARDRAIL_FETCH
from cosmos_workflow.errors import UnavailableError, install

REFUSED_PROMPT = "The guardrail refused the prompt; write another one."
REFUSED_CLIP = "The guardrail refused the finished clip; use another prompt or clip."


class SafetyChecker(Protocol):
    """What `cosmos_guardrail.CosmosSafetyChecker` offers."""

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Move its models to a device."""
        ...

    def check_text_safety(self, prompt: str) -> bool:
        """Whether a prompt may be used."""
        ...

    def check_video_safety(self, frames: Any) -> Any:
        """The frames (T, H, W, 3), uint8, with faces made unrecognisable; None where the clip may not be shown."""
        ...


class Guardrail:
    """A checker as the pipeline sees it: each prompt is asked about once, and what it refused is known afterwards."""

    def __init__(self, checker: SafetyChecker) -> None:
        self._checker = checker
        self._prompts: dict[str, bool] = {}
        self._clips: list[bool] = []

    def to(self, *args: Any, **kwargs: Any) -> None:
        self._checker.to(*args, **kwargs)

    def check_text_safety(self, prompt: str) -> bool:
        if prompt not in self._prompts:
            self._prompts[prompt] = self._checker.check_text_safety(prompt)
        return self._prompts[prompt]

    def check_video_safety(self, frames: Any) -> Any:
        checked = self._checker.check_video_safety(frames)
        self._clips.append(checked is not None)
        return checked

    def take_verdicts(self) -> Sequence[bool]:
        """For each clip since the last time, whether it may be shown."""
        verdicts, self._clips = self._clips, []
        return verdicts


def load_checker() -> SafetyChecker:
    """NVIDIA's checker with its models, from the hub's cache; raises UnavailableError with what to do."""
    try:
        from cosmos_guardrail import CosmosSafetyChecker  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UnavailableError(
            f"The guardrail, which NVIDIA's licence asks for, can't be loaded ({error}); "
            f"run {install('cosmos-workflow', 'cosmos')}."
        ) from error
    try:
        return CosmosSafetyChecker()
    except (OSError, ValueError) as error:
        raise UnavailableError(
            f"The guardrail's weights can't be read ({type(error).__name__}); fetch them with {GUARDRAIL_FETCH}."
        ) from error
