"""A chapter by a real voice with planted faults, heard back by a real recogniser: the faults are seen, heard and mended on the
page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import pytest
from page_support import Server, add, choose_engine, fits, open_tab, tick
from planting import CHAPTER, plant_faults
from playwright.sync_api import Page, expect
from real_support import write_kokoro, write_whisper

from cosmos_workflow.bench.planted import Planted
from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.store import JobStore

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.timeout(900)]

JOB = f"""engine: kokoro
params: {{voice: jm_kumo, language: en-us}}
chunking: {{min: 0, target: 60, max: 120}}
check: {{model: base, retries: 0}}
tasks:
  - name: Chapter one
    text: |
{indent(CHAPTER, "      ")}"""
FAULTS: dict[int, Planted] = {0: "dropped word", 1: "doubled sentence", 2: "noise", 3: "cut end", 4: "another text"}
AT = "(player) => player.currentTime"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kokoro and Whisper in one folder."""
    folder = Path(os.environ.get(FOLDER_VARIABLE) or tmp_path_factory.mktemp("models"))
    for name, write in (("kokoro", write_kokoro), ("whisper-base", write_whisper)):
        if not (folder / name).is_dir():
            write(folder / name)
    return folder


@pytest.fixture(scope="module")
def chapter(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the chapter, made without being heard back, and five of its six pieces spoilt afterwards."""
    folder = tmp_path_factory.mktemp("chapter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(models))
        with Operations(Workspace.open(folder / "page"), gpu_ids=[None]) as operations:
            orchestrator = TaskOrchestrator(operations, JobStore(operations.workspace))
            manager = JobManager(orchestrator)
            unheard = "".join(line for line in JOB.splitlines(keepends=True) if "check" not in line)
            job_id = manager.create("Chapter", unheard).id
            orchestrator.run(manager.jobs.job(job_id))
            plant_faults(orchestrator, manager.jobs.job(job_id), "chapter-one", FAULTS, folder / "spoilt")
            manager.update(job_id, JOB)
            manager.background.close()
    return folder / "page"


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_five_faults_are_found_seen_and_mended(
    serve: Callable[..., Server],
    visit: Callable[..., Page],
    models: Path,
    chapter: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: str,
) -> None:
    def look(name: str) -> None:
        fits(page)
        page.screenshot(path=tmp_path / "shots" / f"{size}-{name}.png", full_page=True)

    monkeypatch.setenv(FOLDER_VARIABLE, str(models))
    shutil.copytree(chapter, tmp_path / "page")
    page = visit(serve().url, size)
    open_tab(page, "Jobs")
    page.locator(".cw-open", has_text="Chapter one").click()
    expect(page.locator("#task-heading")).to_contain_text("Chapter one")
    page.locator("#run-jobs").click()
    only = page.locator("#to-listen-to")
    expect(only).to_contain_text("To listen to (5)")
    expect(page.locator("#task-heading")).to_contain_text("5 pieces to listen to: 1, 2, 3, 4, 5")
    only.locator("input").check()
    pieces = page.locator("#task-pieces article")
    expect(pieces).to_have_count(5)
    dropped, doubled, noisy, cut, other = (pieces.filter(has_text=f"Piece {number + 1}") for number in FAULTS)

    # The faults are named and coloured; a click on one, or on a word, plays from there, and so does the keyboard.
    expect(dropped.locator("mark.cw-missing").first).to_be_visible()
    names = ("missing words", "repeated", "after the end", "cut off", "another text")
    for piece, name in zip((dropped, doubled, noisy, cut, other), names, strict=True):
        expect(piece.locator(".cw-used .cw-fault-name", has_text=name).first).to_be_visible()
        expect(piece.locator(".cw-used .cw-wave-span").first).to_be_attached()
    word = cut.locator("[data-words] [data-at]", has_text="winter").first
    word.click()
    expect(word).to_have_class("cw-now")
    player = cut.locator(".cw-used audio")
    assert player.evaluate(AT) >= float(word.get_attribute("data-at") or 0)
    player.evaluate("(player) => player.pause()")
    words = cut.locator("[data-words]").first
    words.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(words.locator("[data-at]").nth(1)).to_have_class("cw-chosen-word cw-now")
    player.evaluate("(player) => player.pause()")
    look("found")

    # Each is mended where it stands, and the count follows: another take is chosen, one is accepted, one made again, and one
    # says another text.
    for left, piece in ((4, doubled), (3, cut)):
        piece.locator(".cw-take:not(.cw-used) [data-action=use]").click()
        expect(only).to_contain_text(f"To listen to ({left})")
        expect(pieces).to_have_count(left)
    noisy.get_by_text("Accept").click()
    expect(only).to_contain_text("To listen to (2)")
    dropped.get_by_text("Make again").click()
    expect(only).to_contain_text("To listen to (1)")
    expect(pieces).to_have_count(1)
    other.get_by_text("Edit the text").click()
    text = other.locator("textarea")
    expect(text).to_be_focused()
    text.fill("A bird got up and flew over the water.")
    look("edited")
    text.press("Control+Enter")
    expect(only).to_contain_text("To listen to (0)")
    expect(page.locator("#task-heading")).to_contain_text("6 of 6 pieces.")
    only.locator("input").uncheck()
    expect(pieces).to_have_count(6)
    expect(other.locator("[data-words]").first).to_have_text("A bird got up and flew over the water.")
    finals = page.locator("#task-finals article")
    expect(finals.nth(1).locator("audio").first).to_be_hidden()  # what was put together before is out of the way
    finals.nth(1).locator("summary").click()
    expect(finals.nth(1).locator("audio").first).to_be_visible()
    look("mended")

    # The chapter stands in Results, and is read along.
    open_tab(page, "Results")
    expect(page.locator("#results-gallery")).to_contain_text("What was made is above, in its jobs.")
    final = page.locator("#results-books article")
    expect(final).not_to_contain_text("to listen to")
    final.get_by_text("Read along").click()
    said = final.locator(".cw-read [data-at]", has_text="machine")
    said.click()
    expect(said).to_have_class("cw-now")
    expect(page.locator("#results-gallery article")).to_have_count(0)
    look("read-along")

    # What is queued on the page is heard back as well.
    tick(page, "Welcome")
    choose_engine(page, "eSpeak")
    page.locator("#check-said input").check()
    add(page, 1)
    page.locator("#start-queue").click()
    open_tab(page, "Results")
    expect(page.locator("#results-gallery article")).to_contain_text("word error rate")
