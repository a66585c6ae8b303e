"""For whoever doesn't use a mouse, sees the page otherwise, looks elsewhere, or comes as a program."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from page_support import Server, add, choose_engine, fits, go, open_tab, tick, write_prompt
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
GRADIO = {("nested-interactive", ".toast-header"), ("target-size", ".download-link")}
"""What axe finds in Gradio 6.31 itself: the head of a toast is a button that holds the one that closes it, and the editor's link
is hidden behind the button of the same that it holds."""
STILL = """
() => document.getAnimations().every(
  one => one.playState !== 'running' || one.effect.getComputedTiming().endTime === Infinity)
"""
"""No colour is half way to another, and no toast half gone."""
LISTENS = """
window.heard = [];
window.AudioContext = class extends AudioContext {
  createOscillator() { window.heard.push('tone'); return super.createOscillator(); }
};
window.Notification = class {
  static async requestPermission() { return window.refuses ? 'denied' : 'granted'; }
  constructor(title, { body }) { window.heard.push(body); }
};
"""


def accessible(page: Page) -> None:
    """Axe finds nothing serious that is ours."""
    page.wait_for_function(STILL)
    answer = Axe().run(page, options={"resultTypes": ["violations"], "runOnly": RULES}).response
    found: list[tuple[str, str, str]] = [
        (rule["id"], " ".join(map(str, node["target"])), node["failureSummary"])
        for rule in answer["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    ours = [": ".join(one) for one in found if one[:2] not in GRADIO]
    assert not ours, "\n".join(ours)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_is_there_for_everybody(server: Server, visit: Callable[..., Page], scheme: str) -> None:
    page = visit(server.url, color_scheme=scheme)
    accessible(page)
    write_prompt(page, f"fail {scheme}")
    choose_engine(page, "Probe")
    add(page, 1)
    tick(page, "Welcome", "Good night")
    choose_engine(page, "eSpeak NG")
    add(page, 3)
    open_tab(page, "Queue")
    rows = page.locator("#queue-table tbody tr")
    expect(rows).to_have_count(3)
    rows.nth(1).locator("input").check()
    accessible(page)
    rows.nth(1).locator(".cw-open").click()
    expect(page.locator("#item-details")).to_contain_text("Sample rate")
    accessible(page)
    page.keyboard.press("Escape")
    expect(page.locator("#item-details")).to_be_hidden()
    page.locator("#start-queue").click()
    expect(page.locator("#queue-progress")).to_contain_text("2 succeeded, 1 failed.")
    accessible(page)
    open_tab(page, "Jobs")
    page.locator("#new-job").click()
    expect(page.locator("#job-name input")).to_be_focused()
    page.locator("#job-name input").fill(f"axe {scheme}")
    page.locator("#create-job").click()
    expect(page.locator("#job-editor .cm-content")).to_contain_text("espeak")
    accessible(page)
    open_tab(page, "Results")
    expect(page.locator("#results-gallery audio").first).to_be_visible()
    accessible(page)


def test_arrows_go_through_cards_which_are_one_stop_each(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    tick(page, "Welcome", "Good night")
    add(page, 2)
    page.locator("#start-queue").click()
    expect(page.locator("#queue-results audio")).to_have_count(2)
    open_tab(page, "Results")
    cards = page.locator("#results-gallery article")
    for number in range(2):
        expect(cards.nth(number).locator("button[tabindex='0'], a[tabindex='0']")).to_have_count(1)
    details, reuse = (cards.nth(0).locator(f"[data-action={name}]") for name in ("open", "reuse"))
    details.focus()
    page.keyboard.press("ArrowRight")
    expect(reuse).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(cards.nth(1).locator("[data-action=reuse]")).to_be_focused()
    page.keyboard.press("Home")
    expect(reuse).to_be_focused()


def test_a_row_is_dragged_by_a_finger(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url, "phone", has_touch=True, is_mobile=True)
    tick(page, "Welcome", "Good morning", "Good night")
    add(page, 3)
    open_tab(page, "Queue")
    rows = page.locator("#queue-table tbody tr")
    expect(rows).to_have_count(3)
    drag_by_finger(page, rows.nth(0).locator(".cw-grip"), rows.nth(2))
    expect(rows.nth(2)).to_contain_text("Welcome")
    # A single item is put off until nothing else waits.
    rows.nth(0).locator("input").check()
    page.locator("#move-background").click()
    expect(rows).to_have_count(2)
    expect(page.get_by_text("Moved 1 item to the background queue; it runs when nothing else waits.")).to_be_visible()
    fits(page)


def drag_by_finger(page: Page, grip: Locator, below: Locator) -> None:
    below.scroll_into_view_if_needed()
    start, end = grip.bounding_box(), below.bounding_box()
    assert start
    assert end
    x, y, goal = start["x"] + 12, start["y"] + 12, end["y"] + end["height"] - 6
    touches = page.context.new_cdp_session(page)

    def touch(kind: str, *points: dict[str, Any]) -> None:
        touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    touch("touchStart", {"x": x, "y": y})
    for step in range(1, 9):
        touch("touchMove", {"x": x, "y": y + (goal - y) * step / 8})
    touch("touchEnd")


def test_the_end_is_heard_and_told_where_that_is_switched_on(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url, init_script=LISTENS)
    page.locator(".cw-keys").click()
    switches = page.locator("#shortcuts")
    sound, notice = (switches.get_by_label(words) for words in ("Play a sound", "Show a notice of the system"))
    expect(sound).not_to_be_checked()
    page.evaluate("window.refuses = true")
    notice.click()
    expect(switches).to_contain_text("This browser doesn't let this page show notices.")
    expect(notice).not_to_be_checked()
    page.evaluate("window.refuses = false")
    notice.click()
    sound.check()
    expect(notice).to_be_checked()
    accessible(page)
    page.keyboard.press("Escape")
    go(page, server.url)  # they are remembered
    tick(page, "Good morning")
    add(page, 1)
    page.locator("#start-queue").click()
    page.wait_for_function("window.heard.length")
    assert page.evaluate("window.heard") == ["tone", "tone", "Done: 1 succeeded."]


def test_the_page_of_the_endpoints_has_an_address(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(f"{server.url}?view=api", "phone")
    endpoints = page.locator(".api-docs")
    expect(endpoints).to_contain_text("Take away waiting items.\ntoken: Which queue.")
    expect(endpoints.get_by_text("cURL", exact=True)).to_be_visible()
    expect(endpoints.get_by_text("MCP", exact=True)).to_be_hidden()
    # So it is for whoever looks for it.
    go(page, server.url)
    page.locator("footer").get_by_role("button", name="Use via API").click()
    expect(endpoints).to_be_visible()
    expect(page).to_have_url(re.compile("view=api"))
