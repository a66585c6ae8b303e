"""Real model files, assembled once a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from real_support import Listener, write_kokoro, write_whisper

from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of model files of one's own, with Kokoro in it."""
    folder = tmp_path_factory.mktemp("models")
    write_kokoro(folder / "kokoro")
    return folder


@pytest.fixture
def own_models(models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, found by the engine."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(models))
    return models


@pytest.fixture(scope="session")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Listener:
    """Somebody who writes down what is said."""
    return Listener(write_whisper(tmp_path_factory.mktemp("whisper") / "base"))
