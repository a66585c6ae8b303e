"""What every test shares: no network, one thread for torch, a workspace of its own, and an engine that obeys."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

PLUGIN = Path(__file__).parent / "plugin"
TOGETHER = ("tests/engines/chatterbox/", "tests/engines/cosmos_transfer/")
"""Folders whose tests go to one process: what they share takes longer to make than they do."""

# How long an example may take is a matter of what else the machine does.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")

# The probe engine comes in by the door for everybody: an installed distribution with an entry point.
sys.path.insert(0, str(PLUGIN))

from cosmos_workflow.config import Workspace  # noqa: E402 - the engines are found at the first look
from cosmos_workflow.execution.operations import Operations  # noqa: E402
from cosmos_workflow.execution.sessions import Session, Sessions  # noqa: E402


class ByFile(LoadFileScheduling):
    """The tests of a file in one process, and those of a whole folder of `TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Which process runs which test."""
    return ByFile(config, log)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test ever touches the workspace of the person who runs it."""
    monkeypatch.setenv("COSMOS_WORKFLOW_HOME", str(tmp_path / "home"))


@pytest.fixture
def probe_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What the probe engine did, a line each, without its process ids."""
    path = tmp_path / "probe.log"
    monkeypatch.setenv("COSMOS_PROBE_LOG", str(path))

    def lines() -> list[str]:
        return [line.split(" ", 1)[1] for line in path.read_text().splitlines()] if path.exists() else []

    return lines


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def operations(workspace: Workspace) -> Iterator[Operations]:
    """Operations on one CPU worker."""
    with Operations(workspace, cancel_grace=2.0) as built:
        yield built


@pytest.fixture
def sessions(operations: Operations) -> Sessions:
    """The sessions of a server that just started."""
    return Sessions(operations)


@pytest.fixture
def session(sessions: Sessions) -> Session:
    """A new session."""
    return sessions.open()
