"""Operations: which batches they make of items, as large as they may be, and how long all of it takes on these devices."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from support import DEADLINE, wait_for

from cosmos_workflow.config import Settings, Workspace
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.queueing.items import Prompt, QueueItem
from cosmos_workflow.queueing.queue import Queue

JOB = """
job: eight
engine: probe
tasks:
""" + "\n".join(f"  - text: ok {number}" for number in range(8))


def queued(count: int, attempts: int = 0) -> list[QueueItem]:
    added = Queue().add_to_queue([Prompt("ok")] * count, "probe", {})
    return [replace(item, attempts=attempts) for item in added]


def sizes(operations: Operations) -> dict[str, int]:
    return dict(Counter(run.batch_id for run in operations.store.runs.list(limit=100)))


def test_the_batch_that_the_page_shows_is_the_one_that_runs(session: Session, operations: Operations) -> None:
    """16 items that were interrupted once are planned in halves, and made in these, not in halves of halves."""
    session.queue.extend(queued(16, attempts=1))
    shown: dict[str, int] = {}

    def look() -> None:
        shown.update({batch.id: len(batch) for batch in session.runner.snapshot().batches})

    planned = [len(batch) for batch in session.queue.plan()]
    with session.runner.changes.watch() as wait:
        session.runner.start()
        while not session.runner.join(0):
            assert wait(DEADLINE)
            look()
    assert planned == [4, 4, 4, 4]
    assert sorted(sizes(operations).values()) == planned
    assert shown.items() <= sizes(operations).items()


def test_a_claimed_batch_is_made_under_its_own_id(operations: Operations) -> None:
    queue = Queue(size_of=lambda _item: 16)
    queue.extend(queued(16, attempts=1))
    batch = queue.claim()
    assert batch is not None
    results = list(operations.run(batch))
    assert [result.item_id for result in results] == [item.id for item in batch.items]
    assert sizes(operations) == {batch.id: 8}


def test_a_batch_is_never_larger_than_the_engine_takes(operations: Operations) -> None:
    assert {result.outcome for result in operations.batch_inference(queued(20))} == {"succeeded"}
    assert sorted(sizes(operations).values()) == [4, 8, 8]


def test_the_setting_caps_every_batch_also_those_of_jobs(workspace: Workspace) -> None:
    small = replace(workspace, settings=Settings(batch_size=3))
    (small.jobs / "eight.yaml").write_text(JOB)
    with Operations(small) as operations:
        orchestrator = TaskOrchestrator(operations, JobStore(small))
        job = orchestrator.jobs.load(small.jobs / "eight.yaml")
        assert [len(batch) for batch, _ in orchestrator.check(job).batches] == [3, 3, 2]
        orchestrator.run(job)
        assert sorted(sizes(operations).values()) == [2, 3, 3]
        list(operations.batch_inference(queued(4)))
        assert sorted(sizes(operations).values()) == [1, 2, 3, 3, 3]


@pytest.mark.parametrize(("devices", "share"), [(1, 1), (4, 4), (40, 8)])
def test_devices_share_the_time_that_is_left(workspace: Workspace, devices: int, share: int) -> None:
    """The queue, a task and `check` say the same; more devices than batches make nothing shorter."""
    capped = replace(workspace, settings=Settings(batch_size=1))
    (capped.jobs / "eight.yaml").write_text(JOB)
    with Operations(capped) as operations:
        list(operations.batch_inference(queued(2)))
    with Operations(capped) as operations:
        job = JobStore(capped).load(capped.jobs / "eight.yaml")
        alone = operations.time_left(queued(8))
        assert alone is not None
    with Operations(capped, gpu_ids=(None,) * devices) as operations:
        session = Sessions(operations).open()
        session.queue.extend(queued(8))
        left = session.runner.snapshot().left
        assert left is not None
        assert left.seconds == pytest.approx(alone.seconds / share)
        orchestrator = TaskOrchestrator(operations, JobStore(capped))
        assert orchestrator.check(job).time == str(left)


def test_models_leave_the_memory_when_nothing_is_to_do_and_come_back(tmp_path: Path) -> None:
    workspace = Workspace(Workspace.open(tmp_path).root, Settings(unload_after=0.2))
    with Operations(workspace) as operations:
        for _ in range(2):
            assert [result.outcome for result in operations.batch_inference(queued(1))] == ["succeeded"]
            wait_for(lambda: all(slot.pid is None for slot in operations.router.slots()), "the worker has gone")
