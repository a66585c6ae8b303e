"""Outcomes in the order of their tasks."""

from __future__ import annotations

from .events import Outcome


class Line:
    """Lets outcomes through as they come or, if `ordered`, each after all before it. Tasks are numbered from 0 on."""

    def __init__(self, ordered: bool) -> None:
        self._ordered = ordered
        self._waiting: dict[int, Outcome] = {}
        self._due = 0

    def take(self, number: int, outcome: Outcome) -> list[Outcome]:
        """What may go on, now that task `number` has its outcome."""
        if not self._ordered:
            return [outcome]
        self._waiting[number] = outcome
        ready: list[Outcome] = []
        while self._due in self._waiting:
            ready.append(self._waiting.pop(self._due))
            self._due += 1
        return ready

    def __len__(self) -> int:
        """How many wait for one before them."""
        return len(self._waiting)
