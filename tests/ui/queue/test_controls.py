"""The queue's buttons: handlers, called as what they are, functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, cast

import gradio as gr
import pytest
from support import DEADLINE, wait_for

from cosmos_workflow.config import Settings
from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.runner import RunnerSnapshot, RunnerState
from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.queueing import Prompt
from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.page_view import PageState
from cosmos_workflow.ui.queue import following
from cosmos_workflow.ui.queue.controls import QueueControls
from cosmos_workflow.ui.queue.following import follow
from cosmos_workflow.ui.queue.start import StartAndPause
from cosmos_workflow.ui.queue.table import MOVES, QueueTable


def test_what_runs_cannot_be_removed(page: Page, session: Session) -> None:
    table = QueueTable(page)
    (item,) = session.queue.add_to_queue([Prompt("ok")], "probe", {})
    session.queue.claim()
    with pytest.raises(InputError, match="use Cancel running"):
        table.remove([item.id], session.queue)
    with pytest.raises(InputError, match="tick at least one"):
        table.move(MOVES["move-up"], [], session.queue)


@pytest.mark.parametrize("startup", ["ask", "stay_paused"])
def test_what_came_back_is_asked_about_only_where_the_settings_say_so(
    operations: Operations, session: Session, startup: Literal["ask", "stay_paused"]
) -> None:
    session.queue.add_to_queue([Prompt("ok")], "probe", {})
    operations.workspace = replace(operations.workspace, settings=Settings(startup=startup))
    with gr.Blocks(analytics_enabled=False):
        later = Page(Sessions(operations))
        controls = StartAndPause(later)
        controls.ask()
    queue = later.sessions.open(session.token).queue
    asked = controls.ask_to_resume(queue)
    assert ("1 item came back from before." in str(asked[1])) is (startup == "ask")
    controls.begin_restored(queue)
    assert later.session(queue).runner.join(DEADLINE)
    assert later.view(queue).snapshot.queue.done == {"succeeded": 1}


def test_process_queue_starts_reports_and_says_how_it_ended(page: Page, session: Session, toasts: list[str]) -> None:
    controls = StartAndPause(page)
    session.queue.add_to_queue([Prompt("ok"), Prompt("fail")], "probe", {})
    shares: list[float] = []

    async def follow() -> None:
        progress = cast("gr.Progress", lambda fraction, **_words: shares.append(fraction))
        async for _ in controls.process_queue(session.queue, progress):
            pass

    asyncio.run(follow())
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert toasts == ["Done: 1 succeeded, 1 failed. Failed: fail."]


def test_a_follower_that_is_dropped_stops_nothing(page: Page, session: Session, tmp_path: Path) -> None:
    flag = tmp_path / "go"
    session.queue.add_to_queue([Prompt(f"wait {flag}")], "probe", {})
    session.runner.start()

    async def look_once() -> None:
        follower = follow(session, lambda *_fraction, **_words: None)
        await anext(follower)
        await cast("Any", follower).aclose()

    asyncio.run(look_once())
    assert session.runner.snapshot().active
    flag.touch()
    assert session.runner.join(DEADLINE)
    assert session.runner.snapshot().state is RunnerState.IDLE


def test_cancel_asks_and_takes_the_selected_ones_or_all(page: Page, session: Session, tmp_path: Path) -> None:
    controls = QueueControls(page)
    (item,) = session.queue.add_to_queue([Prompt(f"wait {tmp_path / 'never'}")], "probe", {})
    session.runner.start()
    wait_for((tmp_path / "never.waiting").exists, "the item runs")
    question, (subject,) = str((asked := controls.ask_cancel(["qi_other"], session.queue))[1]), asked[-1]
    assert "Cancel 1 running item?" in question
    controls.cancel_running((subject,), session.queue)
    assert session.runner.join(DEADLINE)
    cancelled = session.queue.get(item.id)
    assert cancelled is not None
    assert cancelled.status == "cancelled"


class Scripted:
    """A runner that shows what it is given, and counts who looks and who listens."""

    def __init__(self, snapshot: RunnerSnapshot) -> None:
        self.shown = snapshot
        self.changes = self
        self.looks = 0
        self.listeners: list[Callable[[], object]] = []

    def snapshot(self) -> RunnerSnapshot:
        self.looks += 1
        return self.shown

    def subscribe(self, listener: Callable[[], object]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)


def test_a_follower_looks_when_something_changed_and_not_before(monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    monkeypatch.setattr(following, "REPORT_INTERVAL", 0)
    idle = session.runner.snapshot()
    runner = Scripted(replace(idle, state=RunnerState.RUNNING))

    async def watch() -> None:
        follower = follow(cast("Session", SimpleNamespace(runner=runner)), lambda *_fraction, **_words: None)
        await anext(follower)
        end = asyncio.ensure_future(anext(follower))
        for _ in range(100):
            await asyncio.sleep(0)
        assert runner.looks == 1
        runner.shown = idle
        await asyncio.to_thread(runner.listeners[0])
        assert not (await end).active
        assert runner.looks == 2
        assert [snapshot async for snapshot in follower] == []

    asyncio.run(watch())
    assert runner.listeners == []


def test_single_items_go_to_the_background_and_back(page: Page, session: Session, sessions: Sessions) -> None:
    table, state = QueueTable(page), PageState()
    now, later = session.queue.add_to_queue([Prompt("now"), Prompt("later")], "probe", {})
    table.move_background([later.id], session.queue, state)
    background = page.background.of(session.queue.owner)
    assert [[item.id for item in one.queue.snapshot().items] for one in (session, background)] == [[now.id], [later.id]]
    # The page that shows the background queue came from the other one.
    state.before = session.token
    table.move_background([later.id], background.queue, state)
    assert [item.id for item in sessions.open(session.token).queue.snapshot().items] == [now.id, later.id]
    session.queue.claim()
    with pytest.raises(InputError, match="Only what waits can be moved"):
        table.move_background([now.id], session.queue, state)
