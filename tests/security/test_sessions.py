"""What one user has open, no other user sees or changes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from page_support import Server
from visitors import Visitor

pytestmark = pytest.mark.slow

BUTTONS = ("start-queue", "pause-queue", "clear-queue", "cancel-running", "retry-failed")


@pytest.fixture
def opened(ann: Visitor) -> str:
    """A page of ann's with three items in its queue; returns the queue's token."""
    token = ann.open_page()
    added = ann.call("add_to_queue", token, ["Words of ann's.", "Two.", "Three."], "espeak", {}, {})
    assert added["complete"][0]["queued"] == 3
    return token


def queued(visitor: Visitor, token: str) -> int:
    return visitor.call("get_queue_display", token)["complete"][0]["queued"]


def test_a_page_is_not_found_by_its_name(ann: Visitor, bob: Visitor, opened: str) -> None:
    bob.session = ann.session
    wake = ann.event("wake-up", "click")
    for number in (wake, *(bob.event(button, "click") for button in BUTTONS), wake):
        assert "Words of ann" not in bob.trigger("run/predict", number, None, None, True).text
    assert queued(ann, opened) == 3
    assert "Words of ann" in ann.trigger("run/predict", wake, None, None, True).text


def test_a_pages_messages_reach_nobody_else(ann: Visitor, bob: Visitor) -> None:
    event = ann.trigger("queue/join", ann.loading, "").json()["event_id"]
    for path in (f"queue/data?session_hash={ann.session}", f"call/x/{ann.session}"):
        with bob.stream("GET", f"/gradio_api/{path}") as answer:
            assert event not in "".join(answer.iter_lines())
    bob.post("/gradio_api/cancel", json={"session_hash": ann.session, "fn_index": ann.loading, "event_id": "x"})
    with ann.stream("GET", "/gradio_api/queue/data", params={"session_hash": ann.session}) as answer:
        messages = [json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line]
    assert any(one.get("event_id") == event and one["msg"] == "process_completed" for one in messages)


def test_a_token_is_its_owners(ann: Visitor, bob: Visitor, opened: str) -> None:
    calls: list[tuple[str, list[Any]]] = [
        ("get_queue_display", []),
        ("get_results", []),
        ("clear_queue", []),
        ("remove_from_queue", [["qi_1"]]),
        ("pause_queue", [False]),
        ("process_queue", []),
        ("add_to_queue", [["One."], "espeak", {}, {}]),
    ]
    for name, more in calls:
        assert "no queue with this token" in str(bob.call(name, opened, *more)["error"])
    assert queued(ann, opened) == 3


def test_there_are_no_deep_links(ann: Visitor, bob: Visitor, server: Server, opened: str) -> None:
    for visitor in (ann, bob):
        assert visitor.get("/gradio_api/deep_link", params={"session_hash": ann.session}).status_code == 404
    assert not (server.workspace / "uploads" / "deep_links").exists()
    before = len(ann.get("/").text)
    assert abs(len(ann.get("/", params={"deep_link": "../../x"}).text) - before) < 200


@pytest.mark.parametrize(
    "path",
    [
        "login",
        "login_check",
        "token",
        "gradio_api/token",
        "gradio_api/user",
        "gradio_api/runs",
        "gradio_api/component_server",
        "gradio_api/custom_component/x/client/component/index.js",
        "gradio_api/stream/x/1/2/playlist.m3u8",
        "gradio_api/process_recording",
        "gradio_api/vibe-edit",
        "gradio_api/vibe-code",
        "gradio_api/dev/reload",
        "gradio_api/profiling/traces",
        "gradio_api/file=/etc/passwd",
        "gradio_api//file=/etc/passwd",
        "gradio_api/./file=/etc/passwd",
        "file=/etc/passwd",
        "gradio_api/proxy=http://127.0.0.1/",
        "gradio_api/mcp",
        "monitoring",
        "monitoring/summary",
        "svelte/../../users",
        "manifest.json",
        "pwa_icon",
        "docs",
        "openapi.json",
    ],
)
def test_a_route_that_the_page_does_not_need_is_not_there(ann: Visitor, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        assert ann.request(method, f"/{path}", json={} if method == "POST" else None).status_code in (404, 405), method


def test_what_the_page_needs_is_there(ann: Visitor) -> None:
    page = ann.get("/").raise_for_status().text
    for path in ("config", "theme.css", "gradio_api/info", "gradio_api/app_id", *re.findall(r'"\./(assets/[^"]+)"', page)):
        assert ann.get(f"/{path}").status_code == 200, path


@pytest.mark.parametrize(
    "path", ["assets/../../users", "static/../../../etc/passwd", "assets/%2e%2e/%2e%2e/routes.py", "static//etc/passwd"]
)
def test_no_static_route_leaves_its_folder(ann: Visitor, path: str) -> None:
    assert ann.get(f"/{path}").status_code in (403, 404)


def test_the_workspace_keeps_nothing_of_a_page(ann: Visitor, server: Server, opened: str) -> None:
    assert not list(Path(server.workspace).rglob("state.json"))
