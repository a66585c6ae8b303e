"""Chatterbox through the whole app: a queue or a job, its runner, and a worker process of its own that loads toy weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile

from cosmos_workflow.engines.chatterbox.toy import write_toy_weights
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.operations import Operations
from cosmos_workflow.queueing import Prompt
from cosmos_workflow.sessions import Session
from cosmos_workflow.weights import FOLDER_VARIABLE

DEADLINE = 240.0


@pytest.fixture
def endless_weights(toy_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Toy weights whose English speech never ends by itself, so that there is time to cancel one; Turbo's as ever."""
    root = tmp_path / "weights"
    write_toy_weights(root / "chatterbox", "english", ends=False)
    (root / "chatterbox-turbo").symlink_to(toy_root / "chatterbox-turbo", target_is_directory=True)
    monkeypatch.setenv(FOLDER_VARIABLE, str(root))
    return root


def _sounds(operations: Operations) -> dict[str, Any]:
    """The samples of every finished item, by item."""
    folders = {run.item_id: operations.workspace.runs / run.id for run in operations.store.list_runs()}
    files = {item: next(iter(folder.rglob("speech.wav")), None) for item, folder in folders.items()}
    return {item: soundfile.read(path)[0] for item, path in files.items() if path is not None}


def _run(session: Session, deadline: float = DEADLINE) -> Counter[str]:
    session.runner.start()
    assert session.runner.join(deadline), "the runner never came to rest"
    return Counter(str(item.status) for item in session.queue.snapshot().finished)


@pytest.mark.slow
def test_a_queue_of_two_variants_and_three_voices_runs_grouped_by_variant_and_survives_a_cancel(
    endless_weights: Path, bench: Any, session: Session, operations: Operations
) -> None:
    voices = [{}, *({"voice": str(path)} for path in bench.voices.values())]

    def add(text: str, number: int, **params: Any) -> str:
        prompt = Prompt(text, voices[number % 3])
        values = {"seed": number, "max_tokens": 40, **params}
        return session.queue.add_to_queue([prompt], "chatterbox", values)[0].id

    english = [add(f"English number {number}.", number) for number in range(3)]
    turbo = [add(f"Turbo number {number}.", number, variant="turbo") for number in range(2)]
    english += [add("A later one, with more feeling.", 3, exaggeration=1.2), add("This one never ends.", 4, max_tokens=1000)]

    session.runner.start()
    version = 0
    while True:
        snapshot = session.runner.snapshot()
        progress = snapshot.progress.get(english[-1])
        if progress is not None and progress.message.endswith("tokens"):
            break
        assert snapshot.active, "it came to rest before the item spoke"
        version = session.runner.wait_for_change(version, DEADLINE)
    session.runner.cancel([english[-1]])

    assert _run(session) == {"succeeded": 6, "cancelled": 1}
    batches = Counter((run.batch_id, run.params["variant"]) for run in operations.store.list_runs())
    assert sorted((variant, count) for (_, variant), count in batches.items()) == [("english", 5), ("turbo", 2)]
    together = _sounds(operations)
    assert set(together) == {*english[:-1], *turbo}

    alone = add("A later one, with more feeling.", 3, exaggeration=1.2)
    session.runner.start()
    assert session.runner.join(DEADLINE)
    difference = np.abs(_sounds(operations)[alone] - together[english[3]]).max()
    assert difference <= 1.5 / 2**15, "in the batch, beside a cancelled one, it is what it is alone"


@pytest.mark.slow
def test_the_pieces_of_a_long_text_fill_one_batch(toy_weights: Path, operations: Operations) -> None:
    paragraphs = [
        f"Paragraph {number} of a long text, which a job cuts into pieces that the model reads." for number in range(12)
    ]
    text = "\n\n".join(paragraphs)
    source = "\n".join(
        ["job: long", "engine: chatterbox", "params: {max_tokens: 25}", "tasks:", "  - name: one", "    text: |"]
        + [f"      {line}" if line else "" for line in text.splitlines()]
    )
    orchestrator = TaskOrchestrator(operations, JobStore(operations.workspace))
    job = JobManager(orchestrator).create("long", source).job
    assert job is not None
    (result,) = orchestrator.run(job)
    assert (result.succeeded, result.made, result.pieces) == (True, 12, 12), result.error
    assert result.files["audio"].is_file()
    runs = operations.store.list_runs()
    assert len(runs) == 12
    assert len({run.batch_id for run in runs}) == 1


@pytest.fixture
def worker_memory() -> Callable[[], int]:
    """Bytes that the one worker process holds."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}

    def measure() -> int:
        own = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
        return max(child.memory_info().rss for child in own)

    return measure


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("items", [120, pytest.param(500, marks=pytest.mark.soak)])
def test_memory_is_flat_over_many_items(
    toy_weights: Path, bench: Any, session: Session, worker_memory: Callable[[], int], record_property: Any, items: int
) -> None:
    voices = [{}, *({"voice": str(path)} for path in bench.voices.values())]

    def run(first: int, last: int) -> int:
        for number in range(first, last):
            prompt = Prompt(f"Number {number} of many{', with more to say' * (number % 3)}.", voices[number % 3])
            values = {"seed": number, "max_tokens": 25 + number % 7, "cfm_steps": 1}
            session.queue.add_to_queue([prompt], "chatterbox", values)
        assert _run(session, 900)["succeeded"] == last
        return worker_memory()

    early, late = run(0, 50), run(50, items)
    record_property("worker_rss_mb", (early / 1e6, late / 1e6))
    assert late <= 1.05 * early, f"{early / 1e6:.0f} MB after 50 items, {late / 1e6:.0f} MB after {items}"
