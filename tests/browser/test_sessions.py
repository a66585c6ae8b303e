"""Whose queue it is, who may call, and that a crash loses nothing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client.exceptions import AppError
from page_support import Server, add, choose_engine, connect, go, open_tab, tick, write_prompt
from playwright.sync_api import Locator, Page, expect
from support import DEADLINE

pytestmark = pytest.mark.browser


def test_two_browsers_have_a_queue_each_and_may_show_the_other_one(server: Server, visit: Callable[..., Page]) -> None:
    one, other = visit(server.url), visit(server.url)
    tick(one, "Good morning")
    add(one, 1)
    tick(other, "Welcome", "Good night")
    add(other, 2)
    for page, texts in ((one, ["Good morning"]), (other, ["Welcome", "Good night"])):
        go(page, server.url)
        open_tab(page, "Queue")
        expect(rows_of(page)).to_have_count(len(texts))
        for row, text in enumerate(texts):
            expect(rows_of(page).nth(row)).to_contain_text(text)
    one.locator("#clear-queue").click()
    one.locator("#clear-queue-yes").click()
    expect(one.locator("#queue-counter")).to_have_text("Queue empty")
    expect(other.locator("#queue-counter")).to_have_text("2 queued")
    # Without passwords both are the same person's, who may want to pause what runs in a browser that was closed.
    card = one.locator("#other-queues article").filter(has_text="2 queued").filter(has_text="Welcome")
    card.get_by_role("button", name="Show here").click()
    expect(one.locator("#queue-counter")).to_have_text("2 queued")
    expect(rows_of(one)).to_have_count(2)


def rows_of(page: Page) -> Locator:
    return page.locator("#queue-table tbody tr")


def test_two_tabs_of_one_visitor_show_one_queue(server: Server, visit: Callable[..., Page]) -> None:
    first = visit(server.url)
    tick(first, "Good morning")
    add(first, 1)
    second = first.context.new_page()
    go(second, server.url)
    expect(second.locator("#queue-counter")).to_have_text("1 queued")


def test_a_failure_names_its_reason_and_can_be_retried(server: Server, visit: Callable[..., Page], tmp_path: Path) -> None:
    page = visit(server.url)
    flag = tmp_path / "go"
    write_prompt(page, f"wait {flag}")
    write_prompt(page, "fail")
    choose_engine(page, "Probe")
    add(page, 2)
    open_tab(page, "Queue")
    page.locator("#start-queue").click()
    failed = page.locator("#queue-results article", has_text="failed")
    expect(failed).to_contain_text("the probe was told to fail")
    failed.get_by_text("Technical details").click()
    expect(failed.locator("pre")).to_contain_text("ValueError")
    expect(page.locator("#queue-progress")).to_contain_text("waited")
    # What runs can be cancelled, and only while it runs.
    expect(page.locator("#cancel-running")).to_have_text("Cancel 1 running")
    page.locator("#cancel-running").click()
    page.locator("#cancel-running-yes").click()
    expect(page.locator("#queue-results article", has_text="cancelled")).to_be_visible()
    expect(page.locator("#cancel-running")).to_be_hidden()
    expect(page.locator("#queue-progress")).to_contain_text("Failed: fail.")
    expect(page.locator("#retry-failed")).to_have_text("Retry 1 failed, 1 cancelled")
    page.locator("#retry-failed").click()
    expect(page.locator("#queue-counter")).to_contain_text("2 queued")
    expect(page.locator("#retry-failed")).to_be_hidden()


def test_adding_while_it_runs_loses_nothing(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    flag = Path(tempfile.mkdtemp()) / "go"  # short, so that the prompt's name is none of another test's
    write_prompt(page, f"wait {flag}")
    choose_engine(page, "Probe")
    add(page, 1)
    open_tab(page, "Queue")
    page.locator("#start-queue").click()
    expect(page.locator("#queue-progress")).to_contain_text("waited")
    open_tab(page, "Prompts")
    for _ in range(10):
        page.locator("#add-to-queue").click()
    expect(page.locator("#queue-counter")).to_have_text("1 running, 10 queued")
    flag.touch()
    expect(page.locator("#queue-counter")).to_have_text("Queue empty")
    open_tab(page, "Queue")
    expect(page.locator("#queue-results .cw-succeeded")).to_have_count(11)


def test_a_queue_survives_a_power_cut(serve: Callable[..., Server], visit: Callable[..., Page], tmp_path: Path) -> None:
    first = serve()
    page = visit(first.url)
    flag = tmp_path / "go"
    write_prompt(page, f"wait {flag}")
    choose_engine(page, "Probe")
    add(page, 1)
    page.locator("#add-to-queue").click()
    expect(page.locator("#queue-counter")).to_have_text("2 queued")
    open_tab(page, "Queue")
    page.locator("#start-queue").click()
    expect(page.locator("#queue-progress")).to_contain_text("waited")
    first.kill()
    second = serve(port=int(first.url.rpartition(":")[2]))
    go(page, second.url)
    expect(page.locator("#queue-counter")).to_have_text("2 queued")
    open_tab(page, "Queue")
    expect(page.locator("#queue-progress")).to_contain_text("2 items came back from before; press Start.")
    flag.touch()
    page.locator("#start-queue").click()
    expect(page.locator("#queue-results .cw-succeeded")).to_have_count(2)


def test_users_have_their_own_library_results_and_files(
    serve: Callable[..., Server], visit: Callable[..., Page], tmp_path: Path
) -> None:
    users = tmp_path / "users.txt"
    users.write_text("ann:one\nbob:two\n", encoding="utf-8")
    url = serve(auth=str(users)).url
    assert httpx.get(url, timeout=DEADLINE).status_code == 401
    assert httpx.get(f"{url}/gradio_api/info", auth=("ann", "two"), timeout=DEADLINE).status_code == 401

    ann = visit(url, http_credentials={"username": "ann", "password": "one"})
    write_prompt(ann, "A word of Ann's.")
    add(ann, 1)
    open_tab(ann, "Queue")
    ann.locator("#start-queue").click()
    player = ann.locator("#queue-results audio")
    source = f"{url}/{player.get_attribute('src')}"
    assert httpx.get(source, auth=("ann", "one"), timeout=DEADLINE).status_code == 200
    assert httpx.get(source, auth=("bob", "two"), timeout=DEADLINE).status_code == 404

    bob = visit(url, http_credentials={"username": "bob", "password": "two"})
    expect(bob.locator("#prompts-table tbody tr")).to_have_count(5)
    expect(bob.locator("#prompts-table")).not_to_contain_text("Ann")
    open_tab(bob, "Results")
    expect(bob.locator("#results-gallery article")).to_have_count(0)

    client = connect(url, ("ann", "one"))
    token = client.predict("", ["Hello."], "espeak", {}, {}, api_name="/add_to_queue")["token"]
    stranger = connect(url, ("bob", "two"))
    with pytest.raises(AppError, match="There is no queue with this token"):
        stranger.predict(token, api_name="/get_queue_display")


def test_the_endpoints_work_from_a_client(server: Server) -> None:
    client = connect(server.url)
    added = client.predict("", ["One.", "Two.", "Three."], "espeak", {"rate": 300}, {}, api_name="/add_to_queue")
    token = added["token"]
    assert (added["queued"], len(added["added"])) == (3, 3)
    shown = client.predict(token, api_name="/get_queue_display")
    assert [row[shown["headers"].index("Prompt")] for row in shown["data"]] == ["One.", "Two.", "Three."]
    part = client.predict(token, 1, 1, api_name="/get_queue_display")
    assert (part["data"], part["queued"]) == (shown["data"][1:2], 3)
    removed = client.predict(token, added["added"][:1], api_name="/remove_from_queue")
    assert (removed["token"], removed["removed"]) == (token, added["added"][:1])
    answers: list[Any] = list(client.submit(token, api_name="/process_queue"))
    assert answers[-1]["done"] == {"succeeded": 2}
    assert answers[-1]["message"] == "Done: 2 succeeded."
    assert client.predict(token, api_name="/clear_queue")["removed"] == []
    assert client.predict(token, True, api_name="/pause_queue")["token"] == token


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["", ["x"], "nothing", {}, {}], "engine 'nothing' isn't installed"),
        (["", ["x"], "espeak", {"rate": 9999}, {}], "rate: 9999 isn't right; use a whole number from 80 to 450."),
        (["", [" "], "espeak", {}, {}], "the prompt is empty"),
        (["", [], "espeak", {}, {}], "give a list of texts"),
        (["nobody's", ["x"], "espeak", {}, {}], "There is no queue with this token"),
        (["", [{"text": "x", "inputs": {"video": "/etc/passwd"}}], "control-preview", {}, {}], "There is no input file"),
        (["", ["ps_nobody"], "espeak", {}, {}], "There is no prompt"),
    ],
)
def test_a_wrong_call_gets_one_sentence(server: Server, arguments: list[object], sentence: str) -> None:
    client = connect(server.url)
    with pytest.raises(AppError) as caught:
        client.predict(*arguments, api_name="/add_to_queue")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_endpoints_work_from_curl(server: Server) -> None:
    call = f"{server.url}/gradio_api/call/add_to_queue"
    event = httpx.post(call, json={"data": ["", ["Good morning."], "espeak", {}, {}]}, timeout=DEADLINE).json()["event_id"]
    with httpx.stream("GET", f"{call}/{event}", timeout=DEADLINE) as stream:
        data = next(line for line in stream.iter_lines() if line.startswith("data: "))
    assert json.loads(data.removeprefix("data: "))[0]["queued"] == 1


def test_only_the_endpoints_can_be_called(server: Server) -> None:
    named = httpx.get(f"{server.url}/gradio_api/info", timeout=DEADLINE).json()
    names = {
        "add_to_queue",
        "remove_from_queue",
        "clear_queue",
        "get_queue_display",
        "get_results",
        "process_queue",
        "pause_queue",
    }
    assert set(named["named_endpoints"]) == {f"/{name}" for name in names}
    assert not named["unnamed_endpoints"]
