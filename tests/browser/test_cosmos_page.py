"""Cosmos Transfer on the page, with toy weights in a folder: what shares a call, and the control signals beside the result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from page_support import Server, add, choose_engine, open_tab, plays, set_number, tick
from playwright.sync_api import Page, expect

from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.engines.testing.cosmos_transfer.toy_weights import write_toy_weights
from cosmos_workflow.queueing import Prompt
from cosmos_workflow.store.store import Store
from tests.engines.cosmos_transfer.support import write_clip

pytestmark = [pytest.mark.browser, pytest.mark.long]


def test_two_weights_are_one_batch_two_seeds_are_two_and_the_controls_are_beside_the_result(
    serve: Callable[..., Server], visit: Callable[..., Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(write_toy_weights(tmp_path / "weights")))
    store = Store(Workspace.open(tmp_path / "page"))
    clip = store.inputs.add(write_clip(tmp_path / "clip.mp4", frames=12, width=96, height=64))
    store.prompts.save([Prompt("A fox in the rain.", name=name, inputs={"video": str(clip)}) for name in ("Rain", "Snow")])
    store.close()
    page = visit(serve().url)
    choose_engine(page, "Toy clip")
    set_number(page, "Frames per second", "6")
    set_number(page, "Steps", "1")
    for queued, (prompt, vis) in enumerate([("Rain", "0.9"), ("Snow", "0.2")], 1):
        tick(page, prompt)
        set_number(page, "Weight: vis", vis)
        add(page, queued)
    page.locator(".cw-seed:visible input").fill("2")
    add(page, 3)

    open_tab(page, "Queue")
    batches = page.locator("#batch-preview li")
    expect(batches).to_have_count(2)
    expect(batches.nth(0)).to_contain_text("2 items")
    expect(batches.nth(1)).to_contain_text("seed differs: 1, 2")
    page.locator("#start-queue").click()
    results = page.locator("#queue-results article")
    expect(results).to_have_count(3, timeout=180_000)
    with Store(Workspace.open(tmp_path / "page")) as store:
        assert sorted(run.metadata["made_at_once"] for run in store.runs.list()) == [1, 2, 2]
    for number in range(3):
        card = results.nth(number)
        expect(card.locator("figcaption")).to_have_text(["control vis", "control edge", "control depth", "control seg"])
        plays(card.locator("video[controls]"))
        for signal in range(4):
            plays(card.locator("figure video").nth(signal))

    # They follow the player.
    card = results.nth(0)
    signal = card.locator("figure video").nth(0)
    card.locator("video[controls]").evaluate("(media) => media.play()")
    page.wait_for_function("(clip) => !clip.paused", arg=signal.element_handle())
    card.locator("video[controls]").evaluate("(media) => media.pause()")
    page.wait_for_function("(clip) => clip.paused", arg=signal.element_handle())
