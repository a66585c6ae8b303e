"""The engine that the page opens with, and the offer of a natural voice."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from cosmos_workflow.engines.kokoro.model_files import RELEASED
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.engines.registry import all_engines, find_engine
from cosmos_workflow.ui.engine_forms import EngineForm, first_engine
from cosmos_workflow.ui.prompts.configuration import offers_natural


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of model files of one's own, empty, and an empty cache of the hub."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "models"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "models"


def test_without_the_files_it_is_espeak_with_an_offer() -> None:
    assert first_engine(all_engines()) == "espeak"
    assert offers_natural("espeak")
    assert not offers_natural("kokoro")


def test_where_the_files_are_it_is_kokoro(models: Path) -> None:
    (models / RELEASED.folder).mkdir(parents=True)
    for name in RELEASED.files:
        (models / RELEASED.folder / name).write_bytes(b"there")
    assert first_engine(all_engines()) == "kokoro"
    assert not offers_natural("espeak")


def test_voices_are_shown_with_language_sex_and_grade() -> None:
    with gr.Blocks():
        form = EngineForm(find_engine("kokoro"), visible=True)
    shown = dict(form.params["voice"].choices)
    assert shown["af_heart: English (US), female, grade A"] == "af_heart"
    assert len(shown) == 54
