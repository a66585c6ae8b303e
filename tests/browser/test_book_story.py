"""A book read aloud by a real voice, as somebody new does it: dropped, stopped, killed, resumed, mended, taken away."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from book_support import Epub, page, picture
from page_support import Server, fits, open_tab
from playwright.sync_api import Locator, Page, expect
from real_support import write_kokoro

from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.store import Store

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.soak, pytest.mark.timeout(1200)]

CHAPTERS = {
    "The Rope": ("The keeper let the rope down.", "It was wet.", "Mr. Quarle pulled at it twice.", "Nobody answered him."),
    "The Tide": ("The tide came in at noon.", "All boats were gone.", "He counted the gulls.", "There were nine."),
    "The Lamp": ("This one isn't read.",),
}
MINUTES = 5 * 60_000


@pytest.fixture
def tale(tmp_path: Path) -> Path:
    """Three short chapters with a cover."""
    documents = {
        f"c{number}.xhtml": page("".join(f"<p>{line}</p>" for line in lines)) for number, lines in enumerate(CHAPTERS.values(), 1)
    }
    contents = [(title, f"c{number}.xhtml", 1) for number, title in enumerate(CHAPTERS, 1)]
    return Epub(documents, contents, cover=picture()).write(tmp_path / "tale.epub")


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Kokoro's own files, where the page finds them."""
    folder = Path(os.environ.get(FOLDER_VARIABLE) or tmp_path / "models")
    if not (folder / "kokoro").is_dir():
        write_kokoro(folder / "kokoro")
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


def _made(workspace: Path) -> dict[str, str]:
    """The texts of the runs that succeeded, by id."""
    with Store(Workspace.open(workspace)) as store:
        runs = store.runs.list(None, status=ItemStatus.SUCCEEDED, limit=None)
    return {run.id: run.prompt_text for run in runs if run.source}


def _probe(path: Path) -> dict[str, Any]:
    """What another program sees in a file."""
    command = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-show_chapters", "-of", "json", str(path)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _job(page: Page) -> Locator:
    return page.locator("#jobs-table tbody tr").first


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_book_is_read_by_a_real_voice(
    serve: Callable[..., Server], visit: Callable[..., Page], tale: Path, models: Path, tmp_path: Path, size: str
) -> None:
    def look(name: str) -> None:
        fits(page)
        page.screenshot(path=tmp_path / "shots" / f"{size}-{name}.png", full_page=True)

    server = serve()
    page = visit(server.url, size)
    open_tab(page, "Jobs")
    page.locator("#drop-book input[type=file]").set_input_files(tale)
    expect(page.locator("#book-heading")).to_contain_text("The Keeper of the Light")
    page.locator("#book-chapters label", has_text="The Lamp").locator("input").uncheck()
    expect(page.locator("#book-engine input")).to_have_value("Kokoro")
    page.locator("#book-voice input").fill("jf_alpha")
    page.locator("#book-voice input").press("Enter")
    page.locator("#hear-voice").click()
    expect(page.locator("#voice-sample audio")).to_be_visible(timeout=MINUTES)
    look("dropped")

    page.locator("#make-book").click()
    expect(_job(page)).to_contain_text(re.compile(r"(Running|Partial) [1-9]"), timeout=MINUTES)
    look("running")
    page.locator("#stop-jobs").click()
    expect(page.locator(".toast-body", has_text="Stopping").first).to_be_visible()
    server.kill()
    before = _made(server.workspace)

    server = serve()
    page = visit(server.url, size)
    open_tab(page, "Jobs")
    expect(_job(page)).to_contain_text("Partial")
    look("after-the-kill")
    _job(page).locator(".cw-open").first.click()
    page.locator("#run-jobs").click()
    expect(_job(page)).to_contain_text("Completed", timeout=MINUTES)
    made = _made(server.workspace)
    assert before.items() <= made.items()  # nothing that was there was made again
    assert sorted(made.values()) == sorted(line for title in ("The Rope", "The Tide") for line in CHAPTERS[title])

    open_tab(page, "Prompts")
    for part in ("#own-pronunciations button", "#save-pronunciations"):
        button = page.locator(part).first
        # On a phone, the row that stays at the bottom would lie on it.
        button.evaluate("(element) => element.scrollIntoView({ block: 'center' })")
        button.click()
        if part.endswith("button"):
            page.locator("#own-pronunciations-text textarea").fill("Quarle: kworl")
    open_tab(page, "Jobs")
    expect(_job(page)).to_contain_text("Partial")
    _job(page).locator(".cw-open").first.click()
    page.locator("#run-jobs").click()
    expect(_job(page)).to_contain_text("Completed", timeout=MINUTES)
    mended = {run: text for run, text in _made(server.workspace).items() if run not in made}
    assert list(mended.values()) == ["Mr. Quarle pulled at it twice."]

    open_tab(page, "Results")
    book = page.locator("#results-books article")
    expect(book).to_contain_text("2 chapters")
    look("results")
    with page.expect_download() as download:
        book.locator("a", has_text=re.compile(r"\.m4b$")).click()
    taken = tmp_path / "taken.m4b"
    download.value.save_as(taken)
    found = _probe(taken)
    assert [chapter["tags"]["title"] for chapter in found["chapters"]] == ["The Rope", "The Tide"]
    assert {"aac", "mjpeg"} <= {stream["codec_name"] for stream in found["streams"]}  # the third is the text of the chapters
    tags = {name.lower(): value for name, value in found["format"]["tags"].items()}
    assert (tags["title"], tags["artist"], tags["composer"]) == (
        "The Keeper of the Light",
        "Ada Example, Ben Sample",
        "jf_alpha (Kokoro)",
    )
    second = book.locator("button[data-seek]").nth(1)
    second.click()
    expect(second).to_have_attribute("aria-current", "true")
    at, problem = book.locator("audio").first.evaluate("(player) => [player.currentTime, player.error && player.error.code]")
    assert (problem, at >= float(second.get_attribute("data-seek") or 0)) == (None, True)

    # The same in one line; what the page has made isn't made again.
    out = tmp_path / "line.m4b"
    line = ["book", str(tale), "--chapters", "1-2", "--voice", "jf_alpha", "-o", str(out), "--workspace", str(server.workspace)]
    done = subprocess.run([sys.executable, "-m", "cosmos_workflow", *line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [chapter["tags"]["title"] for chapter in _probe(out)["chapters"]] == ["The Rope", "The Tide"]
    assert len(_made(server.workspace)) == len(made) + 1
