"""What an open page is sent, and how often."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from support import DEADLINE

from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.queueing import Prompt, Queue
from cosmos_workflow.ui import live
from cosmos_workflow.ui.live import TIMER, Refresher
from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.page_view import PageState
from cosmos_workflow.ui.queue.controls import QueueControls
from cosmos_workflow.ui.queue.table import QueueTable


def controls_of(page: Page) -> QueueControls:
    return QueueControls(page)


def refresher(page: Page) -> Refresher:
    return Refresher(page, gr.Timer(1, active=False), gr.Checkbox(True), gr.Button())


def sent(updates: list[Any]) -> int:
    return sum(not (isinstance(update, dict) and update.get("__type__") == "update" and len(update) == 1) for update in updates)


def test_only_what_changed_is_sent(page: Page, session: Session) -> None:
    controls_of(page)
    QueueTable(page)
    refresh, state = refresher(page), PageState()
    assert sent(refresh.refresh(session.queue, state, True)) == len(page.live) + 1
    assert sent(refresh.refresh(session.queue, state, True)) == 0
    session.queue.add_to_queue([Prompt("ok")], "probe", {})
    assert 0 < sent(refresh.refresh(session.queue, state, True)) < len(page.live)
    assert sent(refresh.refresh_all(session.queue, state, True)) == len(page.live) + 1


def test_of_another_queue_everything_is_sent(page: Page, session: Session, sessions: Sessions) -> None:
    controls_of(page)
    QueueTable(page)
    refresh, state, other = refresher(page), PageState(), sessions.open()
    for one in (session, other):  # as many changes, so that both are at the same version
        one.queue.add_to_queue([Prompt("ok")], "probe", {})
    refresh.refresh(session.queue, state, True)
    assert sent(refresh.refresh(other.queue, state, True)) == len(page.live) + 1


def test_a_page_that_has_not_found_its_queue_yet_is_sent_nothing(page: Page) -> None:
    controls_of(page)
    assert sent(refresher(page).refresh(Queue(), PageState(), True)) == 0


def test_the_timer_is_slow_while_nothing_runs(page: Page, session: Session, sessions: Sessions, tmp_path: Path) -> None:
    controls_of(page)
    refresh, state = refresher(page), PageState()
    interval = page.operations.workspace.settings.live_interval
    refresh.refresh(session.queue, state, True)
    assert state.sent[TIMER] == (interval, True)
    flag = tmp_path / "go"
    session.queue.add_to_queue([Prompt(f"wait {flag}")], "probe", {})
    session.runner.start()
    refresh.refresh(session.queue, state, True)
    assert state.sent[TIMER] == (live.RUNNING_INTERVAL, True)
    refresh.refresh(session.queue, state, False)
    assert state.sent[TIMER] == (live.RUNNING_INTERVAL, False)
    other = PageState()
    refresh.refresh(sessions.open().queue, other, True)
    assert other.sent[TIMER] == (interval, True)
    flag.touch()
    assert session.runner.join(DEADLINE)
    refresh.refresh(session.queue, state, True)
    refresh.refresh(session.queue, state, True)
    assert state.sent[TIMER] == (live.RUNNING_INTERVAL, True), "the end is told twice, a tick apart"
    state.final_update_at -= live.RUNNING_INTERVAL
    assert sent(refresh.refresh(session.queue, state, True)) == len(page.live) + 1
    assert state.sent[TIMER] == (interval, True)
    assert sent(refresh.refresh(session.queue, state, True)) == 0
