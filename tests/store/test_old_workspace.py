"""A workspace that an earlier release wrote (in `old_workspace/`, as it was after a kill): this one opens it and goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import soundfile
from support import DEADLINE

from cosmos_workflow.config import Workspace
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.sessions import Sessions
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.store import Store

QUEUE = "qt_824p9cs4cdfi2cwec8gzqf6t"
KILLED_RUN = "rs_n495d8gazkyv"
MADE_RUN = "rs_277r688nqt8z"


@pytest.fixture
def old_workspace(tmp_path: Path) -> Workspace:
    """A copy of the old workspace, in another place than it was written in."""
    root = tmp_path / "old"
    shutil.copytree(Path(__file__).parent / "old_workspace", root)
    return Workspace.open(root)


def test_the_old_settings_prompts_and_files_are_there(old_workspace: Workspace) -> None:
    assert (old_workspace.settings.startup, old_workspace.settings.batch_size) == ("resume", 1)
    with Store(old_workspace) as store:
        assert [(prompt.name, prompt.text) for prompt in store.prompts.list()] == [
            ("morning", "Good morning."),
            ("night", "Good night."),
            ("später", "Später, über alles."),
        ]
        notes = store.inputs.own(store.prompts.get("ps_later").inputs["notes"])
        assert notes.is_relative_to(old_workspace.root)
        assert notes.read_text() == "A file that a prompt names.\n"
        (known,) = store.inputs.list()
        assert (known.name, known.kind) == ("voice notes.txt", "text")


def test_what_an_old_process_left_running_is_queued_again(old_workspace: Workspace) -> None:
    with Store(old_workspace) as store:
        swept = store.recovery.sweep()
        assert (swept.interrupted, swept.failed, swept.adopted) == ((KILLED_RUN,), (), ())
        assert swept.folders == (f"{KILLED_RUN}.pr_dd5si5ehn7sf.partial",)
        assert store.queues.list_open() == [(QUEUE, "local")]
        assert store.queues.state_of(QUEUE)["state"] == "running"
        items = store.queues.load(QUEUE)
        assert [(item.prompt_text, item.status, item.attempts) for item in items] == [
            ("It was running.", ItemStatus.QUEUED, 0),
            ("Good night.", ItemStatus.QUEUED, 0),
            ("Später, über alles.", ItemStatus.QUEUED, 0),
        ]
        failed, made = store.runs.list(source="")
        assert (failed.status, failed.error) == (
            ItemStatus.FAILED,
            "espeak: the text holds nothing that can be spoken; write words.",
        )
        assert (made.id, made.status) == (MADE_RUN, ItemStatus.SUCCEEDED)
        assert soundfile.info(store.runs.output_path(made, "audio")).duration > 0.2
        assert store.repair.run() == []


def test_an_old_queue_and_an_old_job_go_on(old_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosmos_workflow.execution.sessions.LONG", 2)  # its engine is loaded while it is read
    with Operations(old_workspace) as operations:
        sessions = Sessions(operations)
        (session,) = sessions.restore()
        session.runner.join(DEADLINE)
        assert len(session.queue) == 0
        runs = operations.store.runs.list(source="", limit=3)
        assert {run.prompt_text for run in runs} == {"It was running.", "Good night.", "Später, über alles."}
        assert {run.status for run in runs} == {ItemStatus.SUCCEEDED}

        orchestrator = TaskOrchestrator(operations, JobStore(old_workspace))
        (entry,) = JobManager(orchestrator).list()
        job = entry.stored.job
        assert job is not None
        assert entry.report is not None
        assert [report.label for report in entry.report.tasks] == ["Partial 66 %", "Completed"]
        tale, greeting = orchestrator.run(job)
        assert (tale.made, tale.pieces, greeting.made) == (1, 3, 0)
        assert [path.name for path in sorted(tale.files["audio"].parent.glob("*.flac"))] == [
            "story-tale-001.flac",
            "story-tale-002.flac",
        ]
