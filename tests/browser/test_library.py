"""The library and the queue's rows, as a visitor handles them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from page_support import Server, add, choose_engine, go, open_tab, set_number, tick, write_prompt
from playwright.sync_api import Locator, Page, expect

from cosmos_workflow.config import assets_dir

pytestmark = pytest.mark.browser
NASTY = '<img src=x onerror="alert(1)"><b>bold</b> =1+1 "quoted" & \'more\''


def give(page: Page, button: str, *files: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator(button).click()
    chooser.value.set_files(list(files))


def test_a_newcomer_hears_the_first_own_sound_after_four_clicks(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    made = page.locator("#queue-results audio")
    clicks = [page.locator("#welcome audio").first, page.locator("#welcome-add"), page.locator("#start-queue"), made.first]
    hear(clicks[0])
    clicks[1].click()
    expect(page.locator("#queue-counter")).to_have_text("2 queued")
    expect(page.locator("#welcome")).to_be_hidden()
    clicks[2].click()
    expect(made).to_have_count(2)
    hear(clicks[3])
    # The address has the tab, so that a refresh stays there; arrows go on from it.
    page.reload(wait_until="commit")
    tab = page.get_by_role("tab", name="Queue", exact=True)
    expect(tab).to_have_attribute("aria-selected", "true")
    tab.focus()
    tab.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Prompts", exact=True)).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#shortcuts")).to_be_hidden()


def hear(player: Locator) -> None:
    """Click on a player's button, and wait until it is heard."""
    player.click(position={"x": 20, "y": 20})
    player.evaluate("async (sound) => { while (!sound.currentTime) await new Promise(requestAnimationFrame); }")


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
    expect(page.locator("#prompts-table .cw-count")).to_have_text("1 selected, 1 not shown")
    page.reload(wait_until="commit")
    expect(rows).to_have_count(6)
    expect(rows.first.locator("input")).to_be_checked()

    # An editor takes the focus and gives it back; what isn't saved is asked about before another row takes its place.
    text = page.locator("#prompt-text textarea")
    rows.nth(1).locator(".cw-open").click()
    expect(page.locator("#prompt-name input")).to_be_focused()
    page.keyboard.press("Escape")
    expect(text).to_be_hidden()
    expect(rows.nth(1).locator(".cw-open")).to_be_focused()
    page.locator("#edit-prompt").click()
    text.fill("A clip, changed.")
    rows.nth(1).locator(".cw-open").click()
    page.get_by_role("button", name="Go on writing").click()
    expect(text).to_have_value("A clip, changed.")
    text.press("Control+Enter")
    expect(text).to_be_hidden()
    expect(rows.first).to_contain_text("A clip, changed.")
    page.locator("#duplicate-prompts").click()
    expect(rows).to_have_count(7)
    page.locator("#select-all-prompts").click()
    expect(page.locator("#prompts-table .cw-count")).to_have_text("7 selected")
    # What a filter hides is named, on every button that acts on it.
    search = page.locator("#prompt-search textarea, #prompt-search input")
    search.fill("night")
    expect(page.locator("#add-to-queue")).to_have_text("Add 7 (6 not shown)")
    page.locator("#delete-prompts").click()
    expect(page.get_by_text("Delete 7 prompts from the library, 6 of them hidden by the search")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#delete-prompts-yes")).to_be_hidden()
    search.fill("")
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
    expect(page.locator("#engine-note")).to_contain_text("Not available here")
    expect(page.locator("#engine-note li").last).to_contain_text("uv run cosmos-workflow weights fetch")
    expect(page.locator("#add-to-queue")).to_be_disabled()
    # A number out of its range stays as it was written, and is told by its name.
    choose_engine(page, "eSpeak NG")
    expect(page.locator("#add-to-queue")).to_be_enabled()
    set_number(page, "Rate", "9999")
    expect(page.get_by_label("number input for Rate").first).to_have_value("9999")
    expect(page.get_by_text("9999 is out of range: write 80 to 450.")).to_be_visible()
    page.locator("#add-to-queue").click()
    expect(page.locator(".toast-body.error")).to_contain_text("rate: 9999 isn't right; use a whole number from 80 to 450.")
    expect(page.locator("#queue-counter")).to_have_text("Queue empty")


def test_rows_are_found_moved_edited_copied_saved_and_removed(server: Server, visit: Callable[..., Page], tmp_path: Path) -> None:
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

    # Four ways to another place: a button, a number, the mouse, the keyboard.
    rows.nth(3).locator("input").check()
    rows.nth(1).locator("input").uncheck()
    page.locator("#move-top").click()
    expect(rows.nth(0)).to_contain_text("Sleep well.")
    page.locator("#item-place").locator("input, textarea").fill("3")
    page.locator("#move-to-place").click()
    expect(rows.nth(0)).to_contain_text("Welcome")
    expect(rows.nth(2)).to_contain_text("Sleep well.")
    last = rows.nth(3).bounding_box()
    assert last is not None
    rows.nth(0).locator(".cw-grip").drag_to(rows.nth(3), target_position={"x": 10, "y": last["height"] - 4})
    expect(rows.nth(3)).to_contain_text("Welcome")
    rows.nth(3).locator("input").focus()
    page.keyboard.press("Alt+ArrowUp")
    expect(rows.nth(2)).to_contain_text("Welcome")
    # A row is one stop of Tab, arrows go on from there; Shift selects all between.
    expect(rows.nth(2).locator("[tabindex='0']")).to_have_count(1)
    page.keyboard.press("ArrowUp")
    expect(rows.nth(1).locator("input")).to_be_focused()
    page.locator("#queue-table .cw-none").click()
    rows.nth(0).locator("input").click()
    rows.nth(2).locator("input").click(modifiers=["Shift"])
    expect(page.locator("#remove-selected")).to_have_text("Remove 3")
    page.locator("#queue-search input, #queue-search textarea").fill("sleep")
    expect(rows).to_have_count(2)
    page.locator("#queue-search input, #queue-search textarea").fill("")
    expect(rows).to_have_count(4)

    with page.expect_download() as download:
        page.get_by_text("Save queue").click()
    saved = tmp_path / "queue.zip"
    download.value.save_as(saved)
    page.locator("#remove-selected").click()
    expect(rows).to_have_count(1)
    give(page, "#load-queue", saved)
    expect(rows).to_have_count(5)
    go(page, server.url)
    expect(page.locator("#queue-counter")).to_have_text("5 queued")


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
    expect(page.locator("#prompts-table").get_by_label("Select Welcome", exact=True)).to_be_checked()
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
