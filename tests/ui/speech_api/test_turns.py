"""Whose turn it is: callers of the speech API before the background, and each caller in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from page_support import Server, start_server
from support import DEADLINE, wait_for

from cosmos_workflow.config import Workspace
from cosmos_workflow.execution.runner import RunnerState
from cosmos_workflow.execution.sessions import Sessions
from cosmos_workflow.queueing import Prompt
from cosmos_workflow.store.store import Store
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.server import background_and_speech
from cosmos_workflow.ui.speech_api import queue as speech_queue
from cosmos_workflow.ui.speech_api.order import read_order


@pytest.mark.slow
def test_a_callers_item_is_made_before_what_waits_in_the_background(
    sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech_queue, "QUIET", 3600.0)
    managers = JobManagers(sessions.operations)
    background, speech = background_and_speech(sessions, managers, None, speech_api=True)
    assert speech is not None
    store, flag = sessions.operations.store, tmp_path / "go"
    others = background.of("ann")
    others.queue.add_to_queue([Prompt(f"wait {flag}")], "probe", {"group": 1})
    others.queue.add_to_queue([Prompt("ok")], "probe", {"group": 2})
    background.start()
    wait_for((tmp_path / "go.waiting").exists, "the background runs")

    async def call() -> None:
        for text in ("Good morning.", "Good night."):
            order = read_order({"model": "espeak", "input": text}, store, "local")
            async with speech.making(order, "local") as sounds:
                asked = asyncio.ensure_future(anext(sounds))
                # The background is told at once, and makes room as soon as its batch is done.
                await asyncio.to_thread(wait_for, lambda: others.runner.snapshot().state is not RunnerState.RUNNING, "room")
                flag.touch()
                assert (await asyncio.wait_for(asked, DEADLINE))[0].is_file()

    try:
        asyncio.run(call())
        texts = [run.prompt_text for run in reversed(store.runs.list(owner=None))]
        assert texts == [f"wait {flag}", "Good morning.", "Good night."], "the rest of the background has waited"
        monkeypatch.setattr(speech, "_quiet_at", 0.0)
        background.wake()
        wait_for(lambda: not len(others.queue), "the background goes on when the callers are gone")
    finally:
        background.close()
        speech.close()
        managers.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_server(tmp_path_factory.mktemp("turns") / "workspace", speech_api=True)
    yield server
    server.stop()


@pytest.mark.long
def test_none_of_64_callers_is_passed_over(server: Server) -> None:
    callers, each = 64, 3

    def call(caller: int) -> list[str]:
        with httpx.Client(base_url=server.url, timeout=DEADLINE) as client:
            bodies = [{"model": "espeak", "input": f"{caller}, {turn}.", "response_format": "pcm"} for turn in range(each)]
            answers = [client.post("/v1/audio/speech", json=body).raise_for_status() for body in bodies]
        assert all(answer.content for answer in answers)
        return [answer.headers["x-item-ids"] for answer in answers]

    with ThreadPoolExecutor(callers) as threads:
        asked = [item for items in threads.map(call, range(callers)) for item in items]
    with Store(Workspace.open(server.workspace)) as store:
        runs = [run for run in reversed(store.runs.list(limit=None)) if run.item_id in asked]
    assert len(runs) == callers * each
    # Were a caller passed over, all that the others ask for would be made first.
    for place, run in enumerate(runs):
        assert sum(before.queued_at > run.queued_at for before in runs[:place]) < callers
