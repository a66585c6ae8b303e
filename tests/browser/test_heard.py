"""A chapter with planted faults, heard back by a real recogniser: the faults are seen, heard and mended on the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from page_support import Server, add, fits, open_tab, tick
from planting import plant_faults
from playwright.sync_api import Locator, Page, expect
from real_support import write_whisper

from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.store import JobStore

pytestmark = [pytest.mark.browser, pytest.mark.real]

JOB = """engine: espeak
params: {rate: 150}
check: {model: base, retries: 0}
tasks:
  - name: Chapter one
    text: |
      After the storm the river was higher than the bridge.

      On stormy nights the waves broke against the rocks and the wind shook the windows.

      My grandmother kept all her letters in a painted box.

      In the morning he walked home along the beach and slept until noon.
"""
AT = "(player) => player.currentTime"


def chapter_with_faults(folder: Path) -> None:
    """A workspace with the chapter, made without being heard back, and two of its four pieces spoilt afterwards."""
    with Operations(Workspace.open(folder)) as operations:
        orchestrator = TaskOrchestrator(operations, JobStore(operations.workspace))
        manager = JobManager(orchestrator)
        unheard = "".join(line for line in JOB.splitlines(keepends=True) if "check" not in line)
        job_id = manager.create("Chapter", unheard).id
        orchestrator.run(manager.job(job_id))
        faults = {1: "cut end", 3: "another text"}
        plant_faults(orchestrator, manager.job(job_id), "chapter-one", faults, folder.parent / "spoilt")  # pyright: ignore[reportArgumentType]
        manager.update(job_id, JOB)
        manager.close()


def test_faults_are_found_seen_and_mended(
    serve: Callable[..., Server], visit: Callable[..., Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whisper(tmp_path / "models" / "whisper-base")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "models"))
    chapter_with_faults(tmp_path / "page")
    page = visit(serve().url)
    open_tab(page, "Jobs")
    page.locator(".cw-open", has_text="Chapter one").click()
    page.locator("#run-jobs").click()
    only = page.locator("#to-listen-to")
    expect(only).to_contain_text("To listen to (2)")
    expect(page.locator("#task-heading")).to_contain_text("2 pieces to listen to: 2, 4")
    only.locator("input").check()
    pieces = page.locator("#task-pieces article")
    expect(pieces).to_have_count(2)
    cut, other = pieces.nth(0), pieces.nth(1)

    # The faults are named and coloured; a click on one, or on a word, plays from there, and so does the keyboard.
    expect(cut.locator(".cw-fault-name").first).to_be_visible()
    expect(cut.locator(".cw-used .cw-wave-span").first).to_be_attached()
    expect(cut.locator("mark.cw-missing").first).to_be_visible()
    expect(other.locator(".cw-fault-name", has_text="another text")).to_be_visible()
    player = cut.locator(".cw-used audio")
    word = cut.locator("[data-words] [data-at]", has_text="broke").first
    word.click()
    expect(word).to_have_class("cw-now")
    assert player.evaluate(AT) >= float(word.get_attribute("data-at") or 0)
    player.evaluate("(player) => player.pause()")
    words = cut.locator("[data-words]").first
    words.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(words.locator("[data-at]").nth(1)).to_have_class("cw-chosen-word cw-now")
    fits(page)

    # Another take is chosen, another text is said: both are mended where they stand, and the count follows.
    before(cut).click()
    expect(only).to_contain_text("To listen to (1)")
    expect(pieces).to_have_count(1)
    other = pieces.first
    other.get_by_text("Edit the text").click()
    text = other.locator("textarea")
    expect(text).to_be_focused()
    text.fill("In the morning he walked home and slept.")
    text.press("Control+Enter")
    expect(only).to_contain_text("To listen to (0)")
    expect(page.locator("#task-heading")).to_contain_text("4 of 4 pieces.")
    only.locator("input").uncheck()
    expect(pieces).to_have_count(4)
    expect(pieces.nth(3).locator("[data-words]").first).to_have_text("In the morning he walked home and slept.")

    # The chapter stands in Results, and is read along.
    open_tab(page, "Results")
    final = page.locator("#results-books article")
    expect(final).not_to_contain_text("to listen to")
    final.get_by_text("Read along").click()
    said = final.locator(".cw-read [data-at]", has_text="grandmother")
    said.click()
    expect(said).to_have_class("cw-now")
    expect(page.locator("#results-gallery article")).to_have_count(0)

    # What is queued on the page is heard back as well.
    tick(page, "Welcome")
    page.locator("#check-said input").check()
    add(page, 1)
    page.locator("#start-queue").click()
    open_tab(page, "Results")
    expect(page.locator("#results-gallery article")).to_contain_text("word error rate")


def before(piece: Locator) -> Locator:
    """The button that chooses the take that isn't used."""
    return piece.locator(".cw-take:not(.cw-used) [data-action=use]")
