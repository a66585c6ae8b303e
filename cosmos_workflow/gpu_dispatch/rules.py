"""What a slot goes by: the states it may be in, the rules of its pool, and who it answers to."""

from __future__ import annotations

import selectors
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from .events import Event, Outcome, SlotState
from .process import Process
from .tasks import Task

if TYPE_CHECKING:
    from .seat import Seat

GONE_STATES: Final[frozenset[SlotState]] = frozenset({"empty", "away", "broken"})
TRANSITIONS: Final[Mapping[SlotState, frozenset[SlotState]]] = {
    "away": frozenset({"empty", "broken"}),
    "empty": frozenset({"starting", "pausing", "away", "broken"}),
    "pausing": GONE_STATES,
    "starting": frozenset({"idle", "retiring", "killed", *GONE_STATES}),
    "idle": frozenset({"busy", "retiring", "killed", *GONE_STATES}),
    "busy": frozenset({"busy", "idle", "killed", *GONE_STATES}),
    "retiring": frozenset({"killed", *GONE_STATES}),
    "killed": GONE_STATES,
    "broken": frozenset(),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """How a pool treats its workers; times in seconds, None for no limit. `here`: they run on this machine."""

    worker: str | bytes
    with_main: bool
    base_seed: int
    setup_timeout: float | None
    cleanup_timeout: float | None
    cancel_grace: float | None
    max_retries: int
    setup_retries: int
    retire_failed_slots: bool
    quiet: bool
    env: Mapping[str, str]
    here: bool = True


class Owner(Protocol):
    """Who has the slots and the tasks; see `Scheduler`."""

    rules: Rules
    selector: selectors.BaseSelector
    closing: bool

    def launch(self, slot: Seat, /) -> Process: ...
    def emit(self, event: Event) -> None: ...
    def settle(self, task: Task, outcome: Outcome) -> None: ...
    def give_back(self, task: Task) -> None: ...
    def fail_unservable(self) -> None: ...
