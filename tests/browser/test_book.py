"""A book dropped on the page: chapters chosen, a voice heard, made, and played from Results chapter by chapter."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from book_support import simple_epub
from page_support import Server, fits, open_tab
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_book_is_dropped_made_and_played(
    serve: Callable[..., Server], visit: Callable[..., Page], tmp_path: Path, size: str
) -> None:
    path = simple_epub(tmp_path / "tale.epub", chapters=3, characters=120)
    page = visit(serve().url, size)
    open_tab(page, "Jobs")
    page.locator("#drop-book input[type=file]").set_input_files(path)
    expect(page.locator("#book-heading")).to_contain_text("The Keeper of the Light")
    expect(page.locator("#book-heading img")).to_be_visible()
    chapters = page.locator("#book-chapters label", has_text="Chapter ")
    expect(chapters).to_have_count(3)
    expect(chapters.first).to_contain_text("characters")
    fits(page)

    chapters.nth(2).locator("input").uncheck()
    expect(page.locator("#book-note")).to_contain_text("2 chapters")
    page.locator("#hear-voice").click()
    expect(page.locator("#voice-sample audio")).to_be_visible()
    page.locator("#book-quotes input").click()
    page.get_by_role("option", name="en-us+m3").first.click()
    page.locator("#make-book").click()
    expect(page.locator("#book-panel")).to_be_hidden()
    expect(page.locator("#job-editor .cm-content")).to_contain_text("The Keeper of the Light")
    expect(page.locator("#job-editor .cm-content")).to_contain_text("dialogue: dialogue")
    expect(page.locator("#jobs-table tbody tr").first).to_contain_text("Completed")

    open_tab(page, "Results")
    book = page.locator("#results-books article")
    expect(book).to_contain_text("The Keeper of the Light")
    expect(book).to_contain_text("2 chapters")
    expect(book.locator("img")).to_be_visible()
    expect(book.locator("a", has_text=re.compile(r"\.m4b$"))).to_be_visible()
    second = book.locator("button[data-seek]").nth(1)
    second.click()
    expect(second).to_have_attribute("aria-current", "true")
    played = book.locator("audio").evaluate("(player) => [player.currentTime, player.error && player.error.code]")
    assert played[0] >= float(second.get_attribute("data-seek") or 0)
    assert played[1] is None
    fits(page)

    # The pieces of the book are folded away; what else was made, the sample of the voice, stands there.
    expect(page.locator("#results-gallery article")).to_have_count(1)
    book.locator("button", has_text="Show its pieces").click()
    expect(page.locator("#results-gallery article")).not_to_have_count(1)
    book.locator("button", has_text="Hide its pieces").click()
    expect(page.locator("#results-gallery article")).to_have_count(1)
