"""Chatterbox through the whole app: a queue or a job, its runner, and a worker process of its own that loads toy weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from dispatch_support import worker_processes

from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.sessions import Session
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.queueing import Prompt
from tests.engines.chatterbox.conftest import write_voice

DEADLINE = 240.0


@pytest.fixture(scope="module")
def operations(toy_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operations]:
    """One worker for these tests: it takes a quarter of a minute to import the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(toy_root))
        with Operations(Workspace.open(tmp_path_factory.mktemp("app"))) as built:
            yield built


def _run(session: Session, deadline: float = DEADLINE) -> Counter[str]:
    session.runner.start()
    assert session.runner.join(deadline), "the runner never came to rest"
    return Counter(str(item.status) for item in session.queue.snapshot().finished)


@pytest.mark.long
def test_the_pieces_of_a_long_text_fill_one_batch(toy_weights: Path, operations: Operations) -> None:
    paragraphs = [
        f"Paragraph {number} of a long text, which a job cuts into pieces that the model reads." for number in range(12)
    ]
    text = "\n\n".join(paragraphs)
    source = "\n".join(
        ["job: long", "engine: toy-chatterbox", "params: {max_tokens: 25}", "tasks:", "  - name: one", "    text: |"]
        + [f"      {line}" if line else "" for line in text.splitlines()]
    )
    orchestrator = TaskOrchestrator(operations, JobStore(operations.workspace))
    job = JobManager(orchestrator).create("long", source).job
    assert job is not None
    (result,) = orchestrator.run(job)
    assert (result.succeeded, result.made, result.pieces) == (True, 12, 12), result.error
    assert result.files["audio"].is_file()
    runs = operations.store.runs.list(source="job:long/*")
    assert len(runs) == 12
    assert len({run.batch_id for run in runs}) == 1


def worker_memory() -> int:
    """Bytes that the one worker process holds for itself; the pages of its libraries' files come and go as the system likes."""
    held = [psutil.Process(pid).memory_info() for pid in worker_processes()]
    return max(memory.rss - getattr(memory, "shared", 0) for memory in held)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("items", "most"), [(120, 1.25), pytest.param(500, 1.05, marks=pytest.mark.soak)])
def test_memory_is_flat_over_many_items(toy_weights: Path, session: Session, tmp_path: Path, items: int, most: float) -> None:
    """In the second half; until some 250 items oneDNN and the allocator still meet new lengths, and keep what these took."""
    voices = [{}, *({"voice": str(write_voice(tmp_path / f"{pitch}.wav", pitch))} for pitch in (210.0, 120.0))]

    def run(first: int, last: int) -> int:
        for number in range(first, last):
            prompt = Prompt(f"Number {number} of many{', with more to say' * (number % 3)}.", voices[number % 3])
            values = {"seed": number, "max_tokens": 25 + number % 7, "cfm_steps": 1}
            session.queue.add_to_queue([prompt], "toy-chatterbox", values)
        ended = _run(session, 900)
        assert sum(ended.values()) == last
        # Random weights may end a line before it began; that is said, and nothing else goes wrong.
        errors = {item.error for item in session.queue.snapshot().finished if item.status != "succeeded"}
        assert all(error.startswith("The model made no speech") for error in errors)
        assert ended["succeeded"] >= 0.98 * last
        return worker_memory()

    early, late = run(0, items // 2), run(items // 2, items)
    assert late <= most * early, f"{early / 1e6:.0f} MB after half of the items, {late / 1e6:.0f} MB after {items}"
