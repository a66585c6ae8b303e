"""The engine in its worker, with toy weights in a folder: what a person gets to see, and the bench."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest
from playwright.sync_api import sync_playwright
from rich.console import Console

from cosmos_workflow.bench.frame import table
from cosmos_workflow.engines.base import Device
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.engines.spec import Availability
from cosmos_workflow.errors import UnavailableError
from tests.engines.cosmos_transfer.support import Studio

CONTROLS = {"vis": 0.5, "edge": 0.5, "depth": 0.0, "seg": 0.0}


@pytest.mark.browser
def test_everything_plays_in_chromium(studio: Studio) -> None:
    request = studio.request(weights=CONTROLS, num_steps=1)
    studio.make(request)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium" if Path("/usr/bin/chromium").exists() else None,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page()
        for name in ("video", "control_vis", "control_edge"):
            site = request.folder / "page.html"
            site.write_text(f"<video src='{name}.mp4' muted autoplay></video>")
            page.goto(site.as_uri())
            page.wait_for_function("document.querySelector('video').currentTime > 0.2")
            video = "document.querySelector('video')"
            shown = cast("list[float]", page.evaluate(f"[{video}.duration, {video}.videoWidth, {video}.videoHeight]"))
            assert shown == [pytest.approx(1.0, abs=0.05), 48, 32]
        browser.close()


def test_small_weights_are_not_run_without_the_guardrail(toy_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmos_workflow.engines.cosmos_transfer.engine import CosmosTransferEngine

    monkeypatch.setenv(FOLDER_VARIABLE, str(toy_weights))
    with pytest.raises(UnavailableError, match=r"guardrail|GPU"):
        CosmosTransferEngine().load(Device())


def test_small_weights_are_run_with_the_real_guardrail(toy_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmos_workflow.engines.cosmos_transfer import SPEC
    from cosmos_workflow.engines.cosmos_transfer.engine import CosmosTransferEngine

    class CosmosSafetyChecker:
        """As the real one, where a prompt is asked about before anything is made."""

        def to(self, *_args: object, **_options: object) -> None:
            """It has no weights to move."""

        def check_text_safety(self, prompt: str) -> bool:
            return False

    real = ModuleType("cosmos_guardrail")
    vars(real)["CosmosSafetyChecker"] = CosmosSafetyChecker
    monkeypatch.setitem(sys.modules, "cosmos_guardrail", real)
    monkeypatch.setenv(FOLDER_VARIABLE, str(toy_weights))
    monkeypatch.setattr(type(SPEC), "availability", lambda _: Availability(True))
    engine = CosmosTransferEngine()
    engine.load(Device())
    assert not engine.model.guardrail.check_text_safety("a fox")


def test_a_guardrail_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmos_workflow.engines.cosmos_transfer.guardrail import load_checker

    monkeypatch.setitem(__import__("sys").modules, "cosmos_guardrail", None)
    with pytest.raises(UnavailableError, match=r"The guardrail, which NVIDIA's licence asks for, can't be loaded"):
        load_checker()


@pytest.mark.slow
def test_the_bench_says_what_each_batch_costs_an_item(monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmos_workflow.bench.cosmos import bench_cosmos

    monkeypatch.setenv(FOLDER_VARIABLE, "/nowhere")
    figures = bench_cosmos(batch=(1, 2), rounds=1, steps=1)
    assert [figure.items for figure in figures] == [1, 2]
    assert all(figure.seconds_per_item for figure in figures)
    assert figures[0].gain == 1.0
    assert figures[0].device == "CPU, toy weights"
    console = Console(width=100, record=True, file=StringIO())
    console.print(table(figures))
    shown = console.export_text()
    assert "Cosmos Transfer, CPU, toy weights" in shown
    assert "seconds per item" in shown
