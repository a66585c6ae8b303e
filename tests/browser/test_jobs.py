"""A book as a job: made from a template, broken, mended, run, heard, changed in one paragraph and finished again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from page_support import Server, fits, go, open_tab
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

BOOK = """# A book of mine
engine: espeak
params: {rate: 300}
tasks:
  - name: Chapter one
    text: |
      The first paragraph stays as it is.

      The second one is about to change.

      The third one stays as well.
"""


def editor(page: Page) -> Locator:
    return page.locator("#job-editor .cm-content")


def write_at_end(page: Page, line: str, text: str) -> None:
    """Write behind a line of the editor."""
    page.locator("#job-editor .cm-line", has_text=line).first.click()
    page.keyboard.press("End")
    page.keyboard.type(text)


def row(page: Page, name: str) -> Locator:
    opener = page.locator(".cw-open", has_text=name)
    return page.locator("#jobs-table tbody tr").filter(has=opener).first


def made(server: Server) -> int:
    """How many pieces were rendered."""
    return len(list((server.workspace / "runs").glob("**/*.wav")))


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_template_is_broken_mended_saved_and_run(serve: Callable[..., Server], visit: Callable[..., Page], size: str) -> None:
    server = serve()
    page = visit(server.url, size)
    open_tab(page, "Jobs")
    page.locator("#new-job").click()
    page.locator("#job-name textarea, #job-name input").fill(f"Words {size}")
    page.locator("#create-job").click()
    job = row(page, f"Words {size}")
    expect(job).to_contain_text("New")
    expect(editor(page)).to_contain_text("Good morning.")
    fits(page)

    # Broken: the line is named and marked, and nothing can be saved.
    write_at_end(page, "engine: espeak", "x")
    problem = page.locator("#job-problems li")
    expect(problem).to_contain_text("line 2, column 9")
    expect(problem).to_contain_text("did you mean 'espeak'")
    expect(page.locator("#job-editor .cw-wrong")).to_have_text("2")
    expect(page.locator("#save-job")).to_be_disabled()
    fits(page)

    # Neither a reload nor another job loses what was written.
    expect(job).to_contain_text("unsaved changes")
    go(page, server.url)
    open_tab(page, "Jobs")
    expect(editor(page)).to_contain_text("espeakx")
    expect(page.locator("#job-editor .cw-wrong")).to_have_text("2")

    # A click on the problem leads to its place.
    problem.locator("button").click()
    page.keyboard.press("End")
    page.keyboard.press("Backspace")
    expect(problem).to_have_count(0)
    write_at_end(page, "Good night.", " Sleep well.")
    expect(page.locator("#job-plan")).to_contain_text("2 to make in 1 batch")
    page.locator("#save-job").click()
    expect(page.locator("#save-job")).to_be_disabled()
    expect(job).not_to_contain_text("unsaved changes")
    saved = (server.workspace / "jobs" / f"words-{size}.yaml").read_text()
    assert "Good night. Sleep well." in saved
    assert "# job -> task: the nearer value wins" in saved

    page.locator("#run-mode input").check()
    expect(job).to_contain_text("Completed")
    expect(page.locator("#run-mode input")).not_to_be_checked()
    expect(page.locator("#run-mode-state")).to_contain_text("run mode switched itself off")
    expect(page.locator("#job-plan")).to_contain_text("Nothing is left to make")

    row(page, "2. Good night. Sleep well.").locator(".cw-open").click()
    player = page.locator("#task-finals audio")
    expect(player).to_be_in_viewport()
    assert 0.5 < player.evaluate(LENGTH) < 10
    fits(page)


LENGTH = """async (media) => {
    if (!media.duration) await new Promise((done) => media.addEventListener("loadedmetadata", done, { once: true }));
    return media.duration;
}"""


def test_a_changed_paragraph_makes_its_own_piece_again(
    serve: Callable[..., Server], visit: Callable[..., Page], tmp_path: Path
) -> None:
    server = serve()
    (tmp_path / "My book.yaml").write_text(BOOK)
    page = visit(server.url)
    open_tab(page, "Jobs")
    with page.expect_file_chooser() as chooser:
        page.locator("#upload-job").click()
    chooser.value.set_files(tmp_path / "My book.yaml")
    job = row(page, "my-book")
    expect(job).to_contain_text("New")
    page.locator("#run-jobs").click()
    expect(job).to_contain_text("Completed")
    assert made(server) == 3

    row(page, "Chapter one").locator(".cw-open").click()
    pieces = page.locator("#task-pieces article")
    expect(pieces).to_have_count(3)
    expect(page.locator("#task-finals article")).to_have_count(1)
    write_at_end(page, "The second one", " Now it has.")
    expect(page.locator("#job-plan")).to_contain_text("1 to make in 1 batch")
    page.locator("#save-job").click()
    expect(row(page, "Chapter one")).to_contain_text("Partial 66 %")
    expect(pieces.nth(1)).to_contain_text("missing")
    page.locator("#run-jobs").click()
    expect(page.locator("#task-finals article")).to_have_count(2)
    expect(pieces.nth(1)).to_contain_text("done")
    expect(pieces.nth(1)).to_contain_text("Now it has.")
    assert made(server) == 4

    # The file is changed behind the page's back while something isn't saved.
    write_at_end(page, "engine: espeak", "  # mine")
    file = server.workspace / "jobs" / "my-book.yaml"
    file.write_text(file.read_text().replace("rate: 300", "rate: 320"))
    expect(page.locator("#job-note")).to_contain_text("changed meanwhile")
    page.locator("#discard-job").click()
    expect(editor(page)).to_contain_text("rate: 320")
    expect(page.locator("#job-note")).not_to_contain_text("changed meanwhile")

    page.locator("#delete-jobs").click()
    page.locator("#delete-jobs-yes").click()
    expect(page.locator("#jobs-table tbody tr")).to_have_count(0)
    assert not file.exists()
