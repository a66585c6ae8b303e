"""Chatterbox from the page: its weights are fetched there, and a queue of two variants and three voices is worked off."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hub_support import Hub, open_hub
from page_support import Server, add, choose_engine, go, open_tab, set_number, tick
from playwright.sync_api import Page, expect
from support import DEADLINE, digest

from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.chatterbox.variants import VARIANTS
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.store.store import Store

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TURBO_FILES = VARIANTS["turbo"].model_files
LARGE = "t3_turbo_v1.safetensors"
LARGE_BYTES = 40_000_000
"""The hub's client takes ten times 1,024 x 1,024 at a time."""

WRITE_WEIGHTS = """
import sys
from pathlib import Path
from cosmos_workflow.engines.testing.chatterbox.toy_weights import write_toy_weights

write_toy_weights(Path(sys.argv[1]) / "chatterbox", "english", ends=False)
write_toy_weights(Path(sys.argv[1]) / "chatterbox-turbo", "turbo")
"""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has Turbo's weights, as far as their names go, for pages that start now."""
    files = dict.fromkeys(TURBO_FILES.files, b"{}") | {LARGE: bytes(LARGE_BYTES)}
    with open_hub(TURBO_FILES.repo, files) as made:
        monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
        for name, value in {
            "HF_ENDPOINT": made.address,
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_CACHE": str(tmp_path / "hub"),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
        }.items():
            monkeypatch.setenv(name, value)
        yield made


def test_missing_weights_are_fetched_from_the_page(
    hub: Hub, serve: Callable[..., Server], visit: Callable[..., Page], tmp_path: Path
) -> None:
    hub.held[LARGE] = LARGE_BYTES // 2 + 5_000_000
    server = serve()
    page = visit(server.url)
    expect(page.locator("#missing-weights")).to_be_hidden()
    choose_engine(page, "Chatterbox (not available)")
    expect(page.get_by_text("The weights of Chatterbox aren't on this machine.")).to_be_visible()
    page.locator("#weights-choice input").click()
    page.get_by_role("option", name="Chatterbox Turbo").click()
    page.locator("#fetch-weights").click()
    expect(page.get_by_text("Fetch Chatterbox Turbo? 40 MB of 40 MB aren't here yet")).to_contain_text(str(tmp_path / "hub"))
    page.locator("#fetch-weights-yes").click()
    bar = page.locator("#weights-progress [role=progressbar]")
    expect(bar).to_have_attribute("aria-valuenow", "52")
    # Another page, or this one after it was reloaded, sees the same.
    go(page, server.url)
    expect(bar).to_have_attribute("aria-valuenow", "52")
    page.locator("#cancel-fetch").click()
    hub.go.set()
    expect(page.locator("#weights-progress")).to_contain_text("cancelled at")
    expect(page.locator("#cancel-fetch")).to_be_hidden()
    choose_engine(page, "Chatterbox (not available)")
    page.locator("#weights-choice input").click()
    page.get_by_role("option", name="Chatterbox Turbo").click()
    page.locator("#fetch-weights").click()
    expect(page.get_by_text("Fetch Chatterbox Turbo? 19 MB of 40 MB aren't here yet")).to_be_visible()
    page.locator("#fetch-weights-yes").click()
    expect(page.locator("#weights-progress")).to_contain_text("Chatterbox Turbo is here")
    assert hub.downloads(LARGE)[-1].startswith("bytes=")
    expect(page.get_by_text("The weights of Chatterbox aren't on this machine.")).to_have_count(0)
    expect(page.locator("#engine input")).to_have_value("Chatterbox")
    page.locator("#weights-choice input").click()
    expect(page.get_by_role("option", name="Chatterbox multilingual v2")).to_be_visible()
    expect(page.get_by_role("option", name="Chatterbox Turbo")).to_have_count(0)


@pytest.fixture(scope="module")
def toy_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of toy weights; English speech never ends by itself, so that there is time to cancel it."""
    root = tmp_path_factory.mktemp("weights")
    # The package warns while it is imported, and takes half of a gigabyte; so it is imported elsewhere.
    subprocess.run([sys.executable, "-c", WRITE_WEIGHTS, str(root)], check=True, timeout=DEADLINE)
    return root


def write_voice(path: Path, pitch: float) -> Path:
    """Six seconds of a wavering tone."""
    time = np.arange(24_000 * 6) / 24_000
    tone = 0.3 * np.sin(2 * np.pi * pitch * time * (1 + 0.1 * np.sin(3 * time)))
    soundfile.write(path, tone.astype(np.float32), 24_000)
    return path


def write_spoken(page: Page, text: str, voice: Path | None = None) -> None:
    """A prompt with a voice of its own."""
    page.locator("#new-prompt").click()
    page.locator("#prompt-text textarea").fill(text)
    if voice is not None:
        with page.expect_file_chooser() as chooser:
            page.locator("#prompt-file").click()
        chooser.value.set_files(voice)
        expect(page.locator(".cw-ask .cw-file")).to_contain_text(voice.name)
    page.locator("#save-prompt").click()
    expect(page.locator("#prompt-text textarea")).to_be_hidden()


def choose_variant(page: Page, name: str) -> None:
    """Choose the model, and wait until the form is that of the model."""
    page.get_by_label("Variant", exact=True).first.click()
    page.get_by_role("option", name=name, exact=True).click()
    expect(page.get_by_label("number input for Top p").first).to_have_value({"turbo": "0.95", "english": "1"}[name])


def sounds(workspace: Path) -> dict[tuple[str, str], list[str]]:
    """Digests of the files that were made, oldest first, by text and variant."""
    store = Store(Workspace.open(workspace))
    made: dict[tuple[str, str], list[str]] = {}
    for run in sorted(store.runs.list(), key=lambda run: run.started_at or 0):
        for path in (workspace / "runs" / run.id).rglob("speech.wav"):
            made.setdefault((run.prompt_text, str(run.params["variant"])), []).append(digest(path))
    store.close()
    return made


def batches(workspace: Path) -> list[tuple[str, int]]:
    """Variant and number of items of each batch."""
    store = Store(Workspace.open(workspace))
    found: dict[str, list[str]] = {}
    for run in store.runs.list():
        found.setdefault(run.batch_id, []).append(str(run.params["variant"]))
    store.close()
    assert all(len(set(variants)) == 1 for variants in found.values())
    return sorted((variants[0], len(variants)) for variants in found.values())


PATIENCE = 240_000
"""Milliseconds; on a busy machine the worker takes a minute to import the package."""

SPOKEN = ("With the voice it came with.", "With the voice of Anna.", "With the voice of Ben.")
ENDLESS = "This one never ends."


@pytest.mark.long
@pytest.mark.timeout(600)
def test_two_variants_and_three_voices_are_grouped_and_the_rest_of_a_cancel_is_what_it_is_alone(
    toy_weights: Path,
    serve: Callable[..., Server],
    visit: Callable[..., Page],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(toy_weights))
    server = serve()
    page = visit(server.url)
    voices = (None, write_voice(tmp_path / "anna.wav", 210), write_voice(tmp_path / "ben.wav", 120))
    for text, voice in zip(SPOKEN, voices, strict=True):
        write_spoken(page, text, voice)
    write_spoken(page, ENDLESS)
    choose_engine(page, "Toy voice")

    tick(page, *SPOKEN)
    set_number(page, "Most speech tokens", "150")
    add(page, 3)
    choose_variant(page, "turbo")
    expect(page.get_by_label("number input for CFG weight").first).to_be_disabled()
    set_number(page, "Most speech tokens", "40")
    add(page, 6)
    choose_variant(page, "english")
    set_number(page, "Most speech tokens", "1000")
    tick(page, ENDLESS)
    add(page, 7)

    open_tab(page, "Queue")
    preview = page.locator("#batch-preview li")
    expect(preview).to_have_count(2)
    expect(preview.nth(0)).to_contain_text("4 items")
    expect(preview.nth(1)).to_contain_text("variant differs: english, turbo")
    rows = page.locator("#queue-table tbody tr")
    rows.filter(has_text=ENDLESS).locator("input").check()
    page.locator("#start-queue").click()
    expect(page.locator("#queue-progress")).to_contain_text("tokens", timeout=PATIENCE)
    page.locator("#cancel-running").click()
    page.locator("#cancel-running-yes").click()
    expect(page.locator("#queue-progress")).to_contain_text("6 succeeded, 1 cancelled", timeout=PATIENCE)
    expect(page.locator("#queue-results audio")).to_have_count(6)
    assert batches(server.workspace) == [("english", 4), ("turbo", 3)]
    together = sounds(server.workspace)
    assert set(together) == {(text, variant) for text in SPOKEN for variant in ("english", "turbo")}

    for variant, tokens, text in (("turbo", "40", SPOKEN[2]), ("english", "150", SPOKEN[0]), ("english", "150", SPOKEN[1])):
        tick(page, text)
        choose_variant(page, variant)
        set_number(page, "Most speech tokens", tokens)
        add(page, 1)
        open_tab(page, "Queue")
        page.locator("#start-queue").click()
        expect(page.locator("#queue-counter")).to_have_text("Queue empty")
    twice = {key: files for key, files in sounds(server.workspace).items() if len(files) == 2}
    assert len(twice) == 3
    for key, files in twice.items():
        assert files[0] == files[1], f"{key} is another sound alone than in its batch"


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_press_writes_what_turbo_does_where_the_cursor_is(server: Server, visit: Callable[..., Page], size: str) -> None:
    page = visit(server.url, size)
    tags = page.locator("#prompt-tags")
    choose_engine(page, "Chatterbox (not available)")
    choose_variant(page, "turbo")
    page.locator("#new-prompt").click()
    expect(tags.get_by_role("button")).to_have_count(19)
    text = page.locator("#prompt-text textarea")
    text.fill("That is funny, but no.")
    text.evaluate("text => text.setSelectionRange(14, 14)")
    tags.get_by_role("button", name="laugh", exact=True).click()
    expect(text).to_have_value("That is funny, [laugh] but no.")
    expect(text).to_be_focused()
    page.keyboard.type(" really")
    tags.get_by_role("button", name="sigh", exact=True).focus()
    page.keyboard.press("Enter")
    expect(text).to_have_value("That is funny, [laugh] really [sigh] but no.")
    page.keyboard.press("ControlOrMeta+z")
    expect(text).not_to_have_value("That is funny, [laugh] really [sigh] but no.")
    page.keyboard.press("ControlOrMeta+Shift+z")
    widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1], "nothing stands out at the side"
    page.locator("#save-prompt").click()
    expect(text).to_be_hidden()
    expect(page.locator("#prompts-table")).to_contain_text("That is funny, [laugh] really [sigh] but no.")
    choose_variant(page, "english")
    page.locator("#new-prompt").click()
    expect(text).to_be_visible()
    expect(tags).to_be_hidden()
