"""Where a job is, as a program that looked before sees it, beside one that never looked: they are always of one mind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cosmos_workflow.checking.records import FILE
from cosmos_workflow.config import Workspace
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.reports import JobReport
from cosmos_workflow.jobs.state import JobReader
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.store import Store
from tests.jobs.conftest import make_again, takes_of

TEXT = """\
engine: tone
chunking: {target: 20, max: 40, min: 0}
tasks:
  - name: one
    text_file: one.txt
  - name: two
    text: Something else entirely.
"""


@pytest.fixture
def another(workspace: Workspace) -> Iterator[Store]:
    """The same workspace as another program has it open."""
    with Store(workspace) as store:
        yield store


@pytest.fixture
def look(manager: JobManager, another: Store, workspace: Workspace) -> Callable[[], JobReport]:
    """Looks through what was kept, and holds that beside a reader that was just made."""
    (workspace.jobs / "one.txt").write_text("The first sentence. The second sentence.")
    manager.create("story", TEXT)

    def look() -> JobReport:
        manager.look_again()
        kept = manager.orchestrator.report(manager.jobs.job("story"))
        jobs = JobStore(workspace)
        job = jobs.get("story").job
        assert job
        new = JobReader(another, jobs).read_job(job)
        assert kept.label == new.label
        for before, now in zip(kept.tasks, new.tasks, strict=True):
            assert (before.label, before.message, before.current) == (now.label, now.message, now.current)
            assert (before.finals, before.chosen) == (now.finals, now.chosen)
            assert (before.listen, before.unheard) == (now.listen, now.unheard)
            assert [piece.chunk.text for piece in before.pieces] == [piece.chunk.text for piece in now.pieces]
        return kept

    return look


def test_nothing_that_changed_is_missed(
    manager: JobManager,
    orchestrator: TaskOrchestrator,
    another: Store,
    workspace: Workspace,
    look: Callable[[], JobReport],
) -> None:
    assert look().label == "New"
    assert look().tasks[0] is look().tasks[0]  # where nothing changed, nothing is read again

    orchestrator.run(manager.jobs.job("story"))
    assert look().label == "Completed"
    first, second = (run for run in look().tasks[0].chosen if run)

    # What another program did: a run deleted, one begun and ended, a file taken away.
    another.runs.delete([first.id])
    assert look().tasks[0].label == "Partial 50 %"
    again = RunRecord("item", first.prompt_text, "tone", first.params, prompt_id=first.prompt_id, source=first.source)
    another.runs.begin([again])
    with orchestrator.jobs.job_lock("story"):
        assert manager.orchestrator.report(manager.jobs.job("story")).tasks[0].label == "Running 50 %"
        another.runs.update_progress(again.id, "speaking", 0.5)
        assert manager.orchestrator.report(manager.jobs.job("story")).tasks[0].label == "Running 75 %"
    another.runs.finish(again.id, ItemStatus.FAILED, error="no voice")
    assert "no voice" in look().tasks[0].message
    for path in another.runs.folder(second.id).glob("*.wav"):
        path.unlink()
    assert look().tasks[0].message.startswith("0 of 2 pieces")

    orchestrator.run(manager.jobs.job("story"))
    assert look().label == "Completed"
    final = look().tasks[0].final
    assert final
    final.path.unlink()
    assert look().tasks[0].label == "Partial 99 %"
    orchestrator.assemble(manager.jobs.job("story"), "one")
    assert look().label == "Completed"

    # A text, the job's file, and a choice.
    (workspace.jobs / "one.txt").write_text("The first sentence. Another second sentence.")
    assert look().tasks[0].label == "Partial 50 %"
    manager.update("story", manager.jobs.source("story").replace("Something else", "Something new"))
    assert look().tasks[1].label == "New"
    orchestrator.run(manager.jobs.job("story"))
    make_again(orchestrator, manager.jobs.job("story"), "two", 0)
    takes = [run.id for run, _ in takes_of(orchestrator, manager.jobs.job("story"), "two", 0)]
    for run_id in takes:
        manager.choose("story", "two", 0, run_id)
        assert [run.id for run in look().tasks[1].chosen if run] == [run_id]
    assert len(takes) == 2


def test_what_another_job_makes_and_loses_again_is_seen(
    manager: JobManager, orchestrator: TaskOrchestrator, another: Store, look: Callable[[], JobReport]
) -> None:
    assert look().tasks[1].label == "New"
    manager.create("other", "engine: tone\ntext: Something else entirely.\n")
    orchestrator.run(manager.jobs.job("other"))
    report = look().tasks[1]
    assert report.label == "Partial 99 %"
    (run,) = report.chosen
    assert run
    assert run.source.startswith("job:other/")
    another.runs.delete([run.id])
    assert look().tasks[1].label == "New"


def test_what_was_heard_by_another_program_is_seen(
    manager: JobManager, orchestrator: TaskOrchestrator, another: Store, look: Callable[[], JobReport]
) -> None:
    orchestrator.run(manager.jobs.job("story"))
    manager.update("story", f"check: {{model: tiny}}\n{TEXT}")
    before = look().tasks[1]
    assert before.unheard == (0,)
    (run,) = before.chosen
    assert run
    reader = JobReader(another, JobStore(manager.jobs.workspace))
    task = before.task
    heard = reader.hearings.of(task, run, Path(another.runs.folder(run.id) / run.outputs["audio"]))
    reader.hearings.keep(task, run, heard)
    assert json.loads((another.runs.folder(run.id) / FILE).read_text())
    assert look().tasks[1].unheard == ()
