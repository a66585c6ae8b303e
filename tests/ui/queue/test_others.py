"""A person's other queues are seen, and taken over, from every page."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest
from support import DEADLINE

from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.queueing.items import Prompt
from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.page_view import PageState
from cosmos_workflow.ui.queue.others import OtherQueues


class Someone:
    """A request of a user."""

    def __init__(self, username: str | None = None) -> None:
        self.username = username


def click(token: str) -> gr.EventData:
    return gr.EventData(None, {"id": token})


@pytest.fixture
def others(page: Page) -> OtherQueues:
    return OtherQueues(page, gr.BrowserState(""))


def test_a_queue_with_items_is_shown_with_what_it_does(
    others: OtherQueues, page: Page, session: Session, sessions: Sessions, tmp_path: Path
) -> None:
    assert others.value(page.view(session.queue))["rows"] == []
    other = sessions.open()
    flag = tmp_path / "go"
    other.queue.add_to_queue([Prompt(f"wait {flag}"), Prompt("<b>second</b>")], "probe", {})
    (card,) = others.value(page.view(session.queue))["rows"]
    assert card["id"] == other.token
    assert "2 queued" in card["html"]
    assert "Start" in card["html"]
    others.start(click(other.token), Someone())  # type: ignore[arg-type]
    try:
        assert others.value(page.view(other.queue))["rows"] == [], "a page's own queue isn't among the others"
        others.pause(click(other.token), Someone())  # type: ignore[arg-type]
    finally:
        flag.touch()
    assert other.runner.join(DEADLINE)


def test_a_queue_is_shown_here_and_the_one_before_is_among_the_others(
    others: OtherQueues, page: Page, session: Session, sessions: Sessions
) -> None:
    other = sessions.open()
    for one in (session, other):
        one.queue.add_to_queue([Prompt("ok")], "probe", {})
    queue, token = others.show(session.queue, PageState(), click(other.token), Someone())  # type: ignore[arg-type]
    assert (queue, token) == (other.queue, other.token)
    assert [row["id"] for row in others.value(page.view(queue))["rows"]] == [session.token]


def test_somebody_elses_queue_is_neither_seen_nor_touched(
    others: OtherQueues, page: Page, session: Session, sessions: Sessions
) -> None:
    other = sessions.open("", "bob")
    other.queue.add_to_queue([Prompt("ok")], "probe", {})
    assert others.value(page.view(session.queue))["rows"] == []
    with pytest.raises(InputError, match="no queue with this token"):
        others.start(click(other.token), Someone())  # type: ignore[arg-type]
