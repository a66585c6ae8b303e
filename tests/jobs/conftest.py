"""Jobs in a workspace of their own, on an engine with seeds that does what its texts say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.registry import look_again
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.jobs.document.tasks import JobFile
from cosmos_workflow.jobs.events import TaskResult
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.store.records import RunRecord

PLUGIN = Path(__file__).parent / "plugin"


@pytest.fixture
def tone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[], list[str]]]:
    """Installs the engine "tone"; gives what it made, "seed text" a line."""
    log = tmp_path / "tone.log"
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setenv("COSMOS_TONE_LOG", str(log))
    monkeypatch.setenv("COSMOS_TONE_GATE", str(tmp_path / "gate"))
    monkeypatch.setenv("COSMOS_TONE_MENDED", str(tmp_path / "mended"))
    look_again()
    yield lambda: log.read_text().splitlines() if log.exists() else []
    look_again()


@pytest.fixture
def orchestrator(tone: Callable[[], list[str]], workspace: Workspace, operations: Operations) -> TaskOrchestrator:
    """Jobs of the workspace on one CPU worker."""
    return TaskOrchestrator(operations, JobStore(workspace))


@pytest.fixture
def manager(orchestrator: TaskOrchestrator) -> JobManager:
    """The jobs of the workspace."""
    return JobManager(orchestrator)


def job_of(manager: JobManager, text: str) -> JobFile:
    """A new job in the workspace."""
    job = manager.create("story", text).job
    assert job is not None
    return job


def changed(manager: JobManager, job: JobFile, old: str, new: str) -> JobFile:
    """The job after an edit of its file."""
    assert old in job.source
    edited = manager.update(job.id, job.source.replace(old, new)).job
    assert edited is not None
    return edited


def make_again(orchestrator: TaskOrchestrator, job: JobFile, key: str, piece: int) -> list[TaskResult]:
    """One more take of a piece, made at once."""
    return orchestrator.run(job, "all", takes=[orchestrator.want_again(job, key, piece)])


def takes_of(orchestrator: TaskOrchestrator, job: JobFile, key: str, piece: int) -> Sequence[tuple[RunRecord, Any]]:
    """The takes of a piece that can be heard, with what is known of each."""
    return JobManager(orchestrator).takes(orchestrator.report_task(job, key), [piece])[0].runs
