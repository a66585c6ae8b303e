"""What one open page looks for among the results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cosmos_workflow.queueing.items import ItemStatus

ENDED = tuple(status for status in ItemStatus if status.is_terminal)


@dataclass(slots=True)
class ResultFilter:
    """Which results an open page shows; empty means any. `job` is the one whose pieces are shown, and nothing else."""

    engine: str = ""
    status: str = ""
    text: str = ""
    job: str = ""

    def query(self) -> dict[str, Any]:
        """As the store takes it."""
        status = [ItemStatus(self.status)] if self.status else ENDED
        return {"engine": self.engine or None, "status": status, "text": self.text}

    @property
    def shows_finals(self) -> bool:
        """Whether what is whole is among what is looked for."""
        return self.status in ("", ItemStatus.SUCCEEDED)
