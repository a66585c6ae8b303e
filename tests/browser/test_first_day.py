"""What a stranger does on the first day: queue speech and clips, run, pause, resume, reload, play."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from page_support import Server, add, choose_engine, fits, go, open_tab, plays, set_number, tick
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

SPEECH = ("Welcome", "Good morning", "Good night")
CLIPS = ("Street, rain", "Street, snow")


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_speech_and_clips_are_queued_grouped_paused_resumed_and_played(
    serve: Callable[..., Server], visit: Callable[..., Page], size: str
) -> None:
    server = serve()
    url = server.url
    page = visit(url, size)
    queue_speech_and_clips(page)
    fits(page)

    open_tab(page, "Queue")
    rows = page.locator("#queue-table tbody tr")
    expect(rows).to_have_count(7)
    batches = page.locator("#batch-preview li")
    expect(batches).to_have_count(3)
    expect(batches.nth(0)).to_contain_text("3 items")
    expect(batches.nth(1)).to_contain_text("2 items")
    expect(batches.nth(1)).to_contain_text("engine differs")
    expect(batches.nth(2)).to_contain_text("fps differs: 30, 6")
    expect(rows.locator(".cw-group")).to_have_text([*"AAABBCC"])
    expect(page.locator("#cancel-running")).to_be_hidden()
    fits(page)

    # A reload while the first clips are made loses nothing, and shows how far they are.
    page.locator("#start-queue").click()
    expect(page.locator("#queue-results audio")).to_have_count(3)
    expect(page.locator("#queue-progress")).to_contain_text("frame")
    with server.held():
        go(page, url)
        expect(page.locator("#queue-counter")).to_contain_text("2 running")
        open_tab(page, "Queue")
        expect(page.locator("#queue-progress")).to_contain_text("frame")
        expect(page.locator("#cancel-running")).to_be_visible()
        expect(page).to_have_title(re.compile("/7"))
        fits(page)
        page.locator("#pause-queue").click()
        expect(page.locator("#queue-progress")).to_contain_text("Pausing")

    # Paused, they are finished first; the next batch waits, also over a reload.
    expect(page.locator("#queue-progress")).to_contain_text("Paused")
    expect(page.locator("#queue-results video[controls]")).to_have_count(2)
    expect(page.locator("#queue-counter")).to_have_text("2 queued, 5 of 7 done")
    expect(page.locator("#cancel-running")).to_be_hidden()
    go(page, url)
    open_tab(page, "Queue")
    expect(rows).to_have_count(2)
    page.locator("#start-queue").click()
    expect(page.locator("#queue-results article")).to_have_count(7)
    expect(page.locator("#queue-counter")).to_have_text("Queue empty")
    expect(page.locator("#queue-progress")).to_contain_text("7 succeeded.")
    expect(page).to_have_title("Cosmos Workflow")

    for player in ("audio", "video[controls]"):
        plays(page.locator(f"#queue-results {player}").first)
    open_tab(page, "Results")
    expect(page.locator("#results-gallery article")).to_have_count(7)
    expect(page.locator("#results-gallery .cw-succeeded")).to_have_count(7)
    plays(page.locator("#results-gallery video[controls]").first)
    fits(page)


def queue_speech_and_clips(page: Page) -> None:
    tick(page, *SPEECH)
    add(page, 3)
    tick(page, *CLIPS)
    choose_engine(page, "Control preview")
    depth = page.get_by_label("number input for Weight: depth").first
    expect(depth).to_have_value("0.25")
    # The first configuration takes long enough to look at it, the second no longer than it must.
    set_number(page, "Frames per second", "30")
    add(page, 5)
    set_number(page, "Weight: depth", "0")
    set_number(page, "Frames per second", "6")
    add(page, 7)
    # Clear Config puts the weights back, and leaves the selection.
    page.locator("#clear-config").click()
    expect(depth).to_have_value("0.25")
    expect(page.locator("#prompts-table .cw-count")).to_have_text("2 selected")
