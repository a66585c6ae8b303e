"""A video that was made once, and a language model's endpoint."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from explainer_support import KEY, MODEL, SAMPLE, Made, Stub, make_video, serve_stub

from cosmos_workflow.config import HOME_VARIABLE
from cosmos_workflow.engines.explainer import SPEC
from cosmos_workflow.engines.explainer.cache import cache_folder
from cosmos_workflow.engines.explainer.endpoint import KEY_VARIABLE, MODEL_VARIABLE, URL_VARIABLE


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The sample outline as a video; skips where the extra isn't installed."""
    if not SPEC.availability().available:
        pytest.skip(str(SPEC.availability()))
    folder = tmp_path_factory.mktemp("explainer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(folder / "home"))
        output, files, context = make_video(folder, inputs={"outline": SAMPLE})
        return Made(output, files, context, cache_folder())


@pytest.fixture
def cache(made: Made, own_home: None) -> Path:
    """This test's own cache, with the scenes of the sample in it."""
    return Path(shutil.copytree(made.cache, cache_folder()))


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """An endpoint on this machine, named by the environment."""
    with serve_stub() as state:
        for name, value in ((URL_VARIABLE, state.url), (MODEL_VARIABLE, MODEL), (KEY_VARIABLE, KEY)):
            monkeypatch.setenv(name, value)
        yield state
