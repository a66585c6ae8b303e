"""diffusers' real classes at toy size, with random weights that are written here and loaded by the engine's normal path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cosmos_workflow.engines.base import Device
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.engines.testing.cosmos_transfer.toy_weights import write_toy_weights
from tests.engines.cosmos_transfer.support import Studio, write_clip

if TYPE_CHECKING:
    from cosmos_workflow.engines.cosmos_transfer.engine import CosmosTransferEngine

# diffusers 0.42's scheduler and numpy 2 disagree about __array__; nothing of ours can mend that.
UPSTREAM = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The upstream warning is no error in this folder, and what runs a model is slow."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            if "toy_weights" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.filterwarnings(UPSTREAM))


@pytest.fixture(scope="session")
def toy_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of toy weights, as COSMOS_WORKFLOW_WEIGHTS takes it."""
    return write_toy_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def loaded(toy_weights: Path) -> Iterator[CosmosTransferEngine]:
    """The engine, loaded once for all tests."""
    from cosmos_workflow.engines.testing.cosmos_transfer.toy_engine import ToyCosmosTransferEngine

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(toy_weights))
        engine = ToyCosmosTransferEngine()
        engine.load(Device())
    yield engine
    engine.close()


@pytest.fixture
def studio(loaded: CosmosTransferEngine, toy_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """The loaded engine with a clip, ready to make items."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(toy_weights))
    return Studio(loaded, tmp_path, write_clip(tmp_path / "clip.mp4"))
