"""What is added in the background runs when nothing else does, and in its hours."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from support import DEADLINE, wait_for

from cosmos_workflow.config import Hours
from cosmos_workflow.execution.background_queue import BackgroundQueues
from cosmos_workflow.execution.runner import RunnerState
from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.queueing import Prompt


@pytest.mark.parametrize(
    ("text", "minute", "inside"),
    [("22:00-07:00", 60, True), ("22:00-07:00", 1320, True), ("22:00-07:00", 420, False), ("09:30-12:00", 570, True)],
)
def test_hours_go_over_midnight(text: str, minute: int, inside: bool) -> None:
    hours = Hours.parse(text)
    assert hours is not None
    assert hours.contain(minute) is inside
    assert Hours.parse("") is None


def test_the_background_waits_for_every_other_queue(sessions: Sessions, session: Session, tmp_path: Path) -> None:
    flag, late = tmp_path / "go", tmp_path / "late"
    background = BackgroundQueues(sessions)
    own = background.of("local")
    assert background.of("local") is own
    assert background.of("ann") is not own
    assert BackgroundQueues(sessions).of("local") is own, "its token is kept"
    own.queue.add_to_queue([Prompt("ok"), Prompt(f"wait {late}")], "probe", {"group": 1})
    own.queue.add_to_queue([Prompt("ok")], "probe", {"group": 2})
    session.queue.add_to_queue([Prompt(f"wait {flag}")], "probe", {})
    session.runner.start()
    background.look()
    assert own.runner.snapshot().state is RunnerState.IDLE
    flag.touch()
    assert session.runner.join(DEADLINE)
    background.look()
    wait_for((tmp_path / "late.waiting").exists, "the background runs")

    # Something else comes: what runs is finished, what waits goes on waiting, and then goes on by itself.
    session.queue.add_to_queue([Prompt(f"wait {tmp_path / 'more'}")], "probe", {})
    session.runner.start()
    background.look()
    late.touch()
    assert own.runner.join(DEADLINE)
    assert len(own.queue) == 1
    (tmp_path / "more").touch()
    assert session.runner.join(DEADLINE)
    background.look()
    assert own.runner.join(DEADLINE)
    assert len(own.queue) == 0


def test_it_keeps_its_hours(sessions: Sessions) -> None:
    def at(hour: int) -> float:
        return time.mktime((2026, 3, 2, hour, 30, 0, 0, 0, -1))

    busy = True
    background = BackgroundQueues(sessions, Hours.parse("22:00-07:00"), busy=lambda: busy)
    own = background.of("local")
    own.queue.add_to_queue([Prompt("ok")], "probe", {})
    background.look(at(23))
    busy = False
    background.look(at(12))
    assert own.runner.snapshot().state is RunnerState.IDLE
    background.look(at(23))
    assert own.runner.join(DEADLINE)
    assert own.runner.snapshot().queue.done == {"succeeded": 1}
