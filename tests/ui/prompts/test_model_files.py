"""Weights that aren't here, fetched from the page: asked first, shown on the way, broken off and taken up again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
from hub_support import Hub, open_hub, own_cache
from support import wait_for

from cosmos_workflow.engines.chatterbox.variants import VARIANTS
from cosmos_workflow.engines.model_files.sets import find_model_files
from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.execution.sessions import Sessions
from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.prompts import fetcher as fetcher_module
from cosmos_workflow.ui.prompts.fetcher import Fetcher, FetchState, gigabytes
from cosmos_workflow.ui.prompts.model_files import ModelFilesPanel, fetch_words, known_model_files, missing_model_files

TURBO_FILES = VARIANTS["turbo"].model_files
LARGE = "t3_turbo_v1.safetensors"
FILES = dict.fromkeys(TURBO_FILES.files, b"{}") | {LARGE: bytes(range(256)) * 8192}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has Turbo's weights, as far as their names go."""
    own_cache(tmp_path, monkeypatch)
    with open_hub(TURBO_FILES.repo, FILES) as made:
        yield made


@pytest.fixture
def panel(hub: Hub, sessions: Sessions) -> Iterator[ModelFilesPanel]:
    """The panel on a page, as it is for Chatterbox."""
    with gr.Blocks(analytics_enabled=False):
        made = ModelFilesPanel(Page(sessions), "chatterbox", Fetcher(hub.address))
        yield made
    made.fetcher.cancel()
    hub.go.set()
    wait_for(lambda: not made.fetcher.is_running, "the end of the fetch")


def state_of(fetcher: Fetcher) -> FetchState | None:
    return fetcher.last.state if fetcher.last else None


def end(fetcher: Fetcher) -> FetchState | None:
    wait_for(lambda: not fetcher.is_running, "the end of the fetch")
    return state_of(fetcher)


def test_only_an_engine_that_lacks_weights_offers_to_fetch_them(panel: ModelFilesPanel) -> None:
    assert [weights.name for weights in missing_model_files("chatterbox")] == [
        "chatterbox",
        "chatterbox-multilingual",
        "chatterbox-multilingual-v3",
        "chatterbox-turbo",
        "chatterbox-nano",
        "chatterbox-es-es",
        "chatterbox-es-mx-latam",
        "chatterbox-hi",
        "chatterbox-pt-br",
        "chatterbox-pt-pt",
        "chatterbox-zh-cmn",
    ]
    group, choice = panel.show("chatterbox")
    assert (group.visible, choice.value) == (True, "chatterbox")
    assert panel.show("espeak")[0].visible is False
    with pytest.raises(InputError, match="No weights are chosen"):
        known_model_files("")


def test_it_asks_with_size_and_place_and_then_fetches(panel: ModelFilesPanel, tmp_path: Path) -> None:
    shown, question, *_ = panel.plan("chatterbox-turbo")
    assert shown.visible
    total = gigabytes(sum(map(len, FILES.values())))
    place = tmp_path / "hub" / "models--ResembleAI--chatterbox-turbo"
    assert f"Fetch Chatterbox Turbo? {total} of {total} aren&#x27;t here yet; they go into {place}, where " in question
    assert find_model_files(TURBO_FILES) is None, "not before yes is said"
    panel.start("chatterbox-turbo")
    assert end(panel.fetcher) is FetchState.DONE
    assert "Chatterbox Turbo is here" in fetch_words(panel.fetcher.last)
    assert panel.fetcher.finished == 1
    assert find_model_files(TURBO_FILES) is not None
    assert find_engine("chatterbox").availability().available
    assert "chatterbox-turbo" not in [weights.name for weights in missing_model_files("chatterbox")]
    assert panel.fetcher.has_news, "a page that asks a moment later still learns of it"


def test_a_fetch_shows_how_far_it_is_and_goes_on_where_it_was_cancelled(panel: ModelFilesPanel, hub: Hub) -> None:
    hub.held[LARGE] = 1_000_000
    panel.start("chatterbox-turbo")
    wait_for(lambda: panel.fetcher.last is not None and panel.fetcher.last.done_bytes > 900_000, "half of it")
    words = fetch_words(panel.fetcher.last)
    assert "Fetching Chatterbox Turbo" in words
    assert 'role="progressbar"' in words
    with pytest.raises(InputError, match="Chatterbox Turbo is being fetched; wait until it is here, or cancel it"):
        panel.start("chatterbox")
    panel.fetcher.cancel()
    hub.go.set()
    assert end(panel.fetcher) is FetchState.CANCELLED
    assert "cancelled at" in fetch_words(panel.fetcher.last)
    assert find_model_files(TURBO_FILES) is None
    panel.start("chatterbox-turbo")
    assert end(panel.fetcher) is FetchState.DONE
    assert int(hub.downloads(LARGE)[-1].removeprefix("bytes=").partition("-")[0]) > 900_000, "what had come was kept"


def test_what_goes_wrong_is_a_sentence(panel: ModelFilesPanel, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnavailableError, match="The hub didn't give ResembleAI/chatterbox"):
        panel.plan(VARIANTS["english"].model_files.name)
    hub.files[LARGE] = b"!" + FILES[LARGE][1:]
    panel.start("chatterbox-turbo")
    assert end(panel.fetcher) is FetchState.FAILED
    assert f"{LARGE} of Chatterbox Turbo is damaged" in fetch_words(panel.fetcher.last)
    monkeypatch.setattr(fetcher_module, "free_bytes", lambda _place: 1_000_000)
    with pytest.raises(InputError, match=r"Chatterbox Turbo needs 2 MB, and 1 MB are free where .* make room"):
        panel.plan("chatterbox-turbo")
