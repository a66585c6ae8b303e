"""The library and the queue's rows, as a visitor handles them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from page_support import Server, add, choose_engine, go, open_tab, tick, write_prompt
from playwright.sync_api import Page, expect

from cosmos_workflow.config import assets_dir

pytestmark = pytest.mark.browser
NASTY = '<img src=x onerror="alert(1)"><b>bold</b> =1+1 "quoted" & \'more\''


def give(page: Page, button: str, *files: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator(button).click()
    chooser.value.set_files(list(files))


def test_prompts_are_written_found_changed_copied_and_deleted(serve: Callable[..., Server], visit: Callable[..., Page]) -> None:
    page = visit(serve().url)
    rows = page.locator("#prompts-table tbody tr")
    expect(rows).to_have_count(5)
    page.locator("#new-prompt").click()
    page.locator("#prompt-text textarea").fill("A clip of mine.")
    give(page, "#prompt-file", assets_dir() / "samples" / "street.mp4")
    expect(page.locator(".cw-ask .cw-file")).to_have_text("video: street.mp4")
    page.locator("#save-prompt").click()
    expect(rows).to_have_count(6)
    expect(rows.first).to_contain_text("A clip of mine.")
    expect(rows.first.locator("input")).not_to_be_checked()
    rows.first.locator("input").check()

    # A selection survives a search, and a reload.
    page.locator("#prompt-search textarea, #prompt-search input").fill("night")
    expect(rows).to_have_count(1)
    expect(page.locator("#prompts-table .cw-count")).to_have_text("1 selected")
    page.reload(wait_until="commit")
    expect(rows).to_have_count(6)
    expect(rows.first.locator("input")).to_be_checked()

    page.locator("#edit-prompt").click()
    page.locator("#prompt-text textarea").fill("A clip, changed.")
    page.locator("#save-prompt").click()
    expect(rows.first).to_contain_text("A clip, changed.")
    page.locator("#duplicate-prompts").click()
    expect(rows).to_have_count(7)
    page.locator("#select-all-prompts").click()
    expect(page.locator("#prompts-table .cw-count")).to_have_text("7 selected")
    page.locator("#delete-prompts").click()
    expect(page.get_by_text("Delete 7 prompts from the library?")).to_be_visible()
    page.locator("#delete-prompts-no").click()
    expect(rows).to_have_count(7)
    page.locator("#delete-prompts").click()
    page.locator("#delete-prompts-yes").click()
    expect(page.get_by_text("The library is empty.")).to_be_visible()


def test_files_are_imported_whole_or_not_at_all(server: Server, visit: Callable[..., Page], tmp_path: Path) -> None:
    page = visit(server.url)
    right, wrong = tmp_path / "right.csv", tmp_path / "wrong.csv"
    right.write_text("name,text\nImported one,The first.\nImported two,The second.\n", encoding="utf-8")
    wrong.write_text("name,text\nNever,The first.\nbroken\n", encoding="utf-8")
    give(page, "#import-prompts", wrong)
    expect(page.get_by_text("wrong.csv, line 3: 1 cells, but the header has 2")).to_be_visible()
    give(page, "#import-prompts", right)
    expect(page.locator("#prompts-table")).to_contain_text("Imported two")
    expect(page.locator("#prompts-table")).not_to_contain_text("Never")
    expect(page.locator("#prompts-table .cw-count")).to_have_text("2 selected")


def test_a_file_that_is_no_clip_is_refused(server: Server, visit: Callable[..., Page], tmp_path: Path) -> None:
    page = visit(server.url)
    fake = tmp_path / "fake.mp4"
    fake.write_text("<html>not a clip</html>", encoding="utf-8")
    page.locator("#new-prompt").click()
    give(page, "#prompt-file", fake)
    expect(page.get_by_text("isn't a video: its content is text")).to_be_visible()


def test_what_is_typed_is_never_html(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    write_prompt(page, NASTY)
    expect(page.locator("#prompts-table tbody tr").first).to_contain_text(NASTY)
    add(page, 1)
    open_tab(page, "Queue")
    page.locator("#queue-table .cw-open").click()
    expect(page.locator("#item-details")).to_contain_text(NASTY)
    page.locator("#start-queue").click()
    expect(page.locator("#queue-results article")).to_contain_text("onerror")
    open_tab(page, "Results")
    page.locator("#results-gallery").get_by_role("button", name="Details").first.click()
    expect(page.locator("#run-details")).to_contain_text(NASTY)
    assert page.locator("b:text-is('bold'), img[src=x]").count() == 0


def test_an_engine_that_cannot_run_says_why_and_queues_nothing(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    tick(page, "Welcome")
    choose_engine(page, "Chatterbox (not available)")
    expect(page.get_by_text("Not available:")).to_be_visible()
    page.locator("#add-to-queue").click()
    expect(page.locator(".toast-body.error")).to_contain_text("weights fetch")
    expect(page.locator("#queue-counter")).to_have_text("Queue empty")


def test_rows_are_moved_edited_copied_and_removed(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    tick(page, "Welcome", "Good morning", "Good night")
    add(page, 3)
    open_tab(page, "Queue")
    rows = page.locator("#queue-table tbody tr")
    rows.nth(2).locator("input").check()
    page.locator("#move-up").click()
    expect(rows.nth(1)).to_contain_text("Good night")
    expect(rows.nth(1).locator("input")).to_be_checked()
    page.locator("#edit-item").click()
    page.locator("#item-text textarea").fill("Sleep well.")
    page.locator("#save-item").click()
    expect(rows.nth(1)).to_contain_text("Sleep well.")
    page.locator("#duplicate-items").click()
    expect(rows).to_have_count(4)
    page.locator("#remove-selected").click()
    expect(rows).to_have_count(3)
    expect(rows.nth(2)).to_contain_text("Sleep well.")
    go(page, server.url)
    expect(page.locator("#queue-counter")).to_have_text("3 queued")


def test_a_result_is_made_again_reused_downloaded_and_deleted(serve: Callable[..., Server], visit: Callable[..., Page]) -> None:
    page = visit(serve().url)
    tick(page, "Welcome")
    page.get_by_label("number input for Rate").first.fill("240")
    page.get_by_label("number input for Rate").first.press("Tab")
    add(page, 1)
    open_tab(page, "Queue")
    page.locator("#start-queue").click()
    expect(page.locator("#queue-results audio")).to_have_count(1)
    open_tab(page, "Results")
    card = page.locator("#results-gallery article")
    with page.expect_download() as download:
        card.get_by_text("Download").click()
    assert Path(download.value.path()).read_bytes()[:4] == b"RIFF"
    with page.expect_download() as download:
        page.get_by_text("Download all that succeeded").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.namelist() == ["01-welcome-to-cosmos-workflow-everything-you-hear-w.wav"]
    card.get_by_text("Queue again").click()
    expect(page.locator("#queue-counter")).to_have_text("1 queued")
    open_tab(page, "Prompts")
    page.locator("#clear-config").click()
    expect(page.get_by_label("number input for Rate").first).to_have_value("175")
    open_tab(page, "Results")
    card.get_by_text("Reuse as the one prompt").click()
    expect(page.get_by_label("number input for Rate").first).to_have_value("240")
    expect(page.locator("#prompts-table .cw-count")).to_have_text("1 selected")
    expect(page.get_by_label("Select Welcome", exact=True)).to_be_checked()
    open_tab(page, "Results")
    page.locator("#result-status input").click()
    page.get_by_role("option", name="failed").click()
    expect(page.get_by_text("No result matches.")).to_be_visible()
    for gone in ("Download all that succeeded", "Delete all that match"):
        expect(page.get_by_text(gone)).to_be_hidden()
    page.locator("#result-status input").click()
    page.get_by_role("option", name="Any status").click()
    expect(card).to_have_count(1)
    open_tab(page, "Queue")
    page.locator("#start-queue").click()
    expect(page.locator("#queue-counter")).to_have_text("Queue empty")
    open_tab(page, "Results")
    expect(card).to_have_count(2)
    card.first.get_by_text("Delete").click()
    page.locator("#delete-run-yes").click()
    expect(card).to_have_count(1)
    page.locator("#delete-runs").click()
    expect(page.get_by_text("Delete 1 result with all files?")).to_be_visible()
    page.locator("#delete-run-yes").click()
    expect(page.get_by_text("Nothing was made yet.")).to_be_visible()
