"""What the server remembers and keeps doesn't grow with the calls, the reloads and the uploads."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from starlette.testclient import TestClient
from support import DEADLINE

from cosmos_workflow.bench.page import call
from cosmos_workflow.config import Workspace
from cosmos_workflow.execution.sessions import Sessions
from cosmos_workflow.ui.server import make_app, serve
from cosmos_workflow.ui.session_states import KEPT, SessionStates

pytestmark = pytest.mark.slow


def test_open_pages_are_remembered_and_calls_and_closed_pages_only_for_a_while() -> None:
    with gr.Blocks() as demo:
        value = gr.State("")
    states = SessionStates()
    states.set_blocks(demo)
    states["page"][value._id] = "its queue"
    for number in range(3 * KEPT):
        assert states[f"call {number}"] is states[f"call {number}"]
    assert states["page"][value._id] == "its queue"
    assert len(states.session_data) == len(states.time_last_used) == KEPT + 1
    states["page"].is_closed = True
    for number in range(KEPT):
        assert f"other {number}" not in states
        assert states[f"other {number}"]
    assert "page" not in states


def test_calls_of_a_page_are_not_remembered(sessions: Sessions) -> None:
    app = make_app(sessions, {})
    with TestClient(app, base_url="http://127.0.0.1") as browser:
        client: Any = browser
        token = call(client, "get_queue_display", "")["token"]
        for _ in range(2 * KEPT):
            assert call(client, "get_queue_display", token)["token"] == token
    assert 0 < len(app.state.pages.session_data) <= KEPT


def test_what_a_browser_sent_lies_in_the_workspace_until_the_next_start(workspace: Workspace) -> None:
    sent: list[Path] = []

    def send(url: str) -> None:
        assert not any(path.exists() for path in sent)
        answer = httpx.post(f"{url}/gradio_api/upload", files={"files": ("a.txt", b"One.")}, timeout=DEADLINE)
        sent.append(Path(answer.json()[0]))
        assert workspace.uploads in sent[-1].parents
        assert sent[-1].read_bytes() == b"One."

    def visit(url: str) -> None:
        try:
            send(url)
        finally:
            signal.raise_signal(signal.SIGINT)

    for number in (1, 2):
        serve(workspace, port=0, on_ready=lambda url: threading.Thread(target=visit, args=(url,)).start())
        assert len(sent) == number
