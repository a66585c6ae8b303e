"""The endpoints, for gradio_client and curl: a queue's token first, plain JSON after it.

An empty token makes a new queue; every answer carries the token.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import gradio as gr
from gradio.events import api as endpoint_of
from gradio.utils import get_function_description

from cosmos_workflow.engines.registry import require_available
from cosmos_workflow.errors import InputError, shorten
from cosmos_workflow.execution.runner import RunnerSnapshot
from cosmos_workflow.execution.sessions import Session
from cosmos_workflow.ids import new_ids
from cosmos_workflow.queueing.items import Prompt
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.store import Store
from cosmos_workflow.ui.page import Page, guard, owner_of
from cosmos_workflow.ui.queue.following import follow
from cosmos_workflow.ui.queue.view import end_notice

MAX_AT_ONCE = 10_000
ROWS_AT_ONCE = 1000
"""Rows of the queue that are answered where a call doesn't say how many."""


def build(page: Page) -> None:
    """The endpoints; nothing else of the page can be called from outside."""

    def open_session(token: str, request: gr.Request) -> Session:
        if not isinstance(token, str | None):
            raise InputError(f"token: {shorten(token)} isn't right; give the text of an earlier answer, or an empty one.")
        owner = owner_of(request)
        return page.sessions.find(token, owner) if token else page.sessions.open("", owner)

    def add_to_queue(
        token: str,
        prompts: list[Any],
        engine: str,
        params: dict[str, Any] | None = None,
        weights: dict[str, Any] | None = None,
        request: gr.Request = None,  # type: ignore[assignment]
    ) -> dict[str, Any]:
        """Add prompts to a queue.

        Args:
            token: Which queue; an empty one makes a new queue, whose token the answer says.
            prompts: Texts, ids of the library ("ps_..."), or objects such as {"text": "...", "inputs": {"video": "clip.mp4"}}.
            engine: The name of an engine, as `cosmos-workflow engines` lists them.
            params: What the engine is told; what isn't said has its default.
            weights: Control weights, for engines that have them.

        Returns:
            The token, the state of the queue, and under "added" the ids of the new items.
        """
        wanted = read_prompts(prompts, page.store, owner_of(request))
        if not isinstance(engine, str):
            raise InputError(f"engine: {shorten(engine)} isn't right; give the name of an engine.")
        require_available(engine)
        session = open_session(token, request)
        spoken = page.spoken_params(engine, read_object(params, "params"), owner_of(request))
        added = session.queue.add_to_queue(wanted, engine, spoken, read_object(weights, "weights"))
        return answer(session, added=[item.id for item in added])

    def remove_from_queue(token: str, ids: list[str], request: gr.Request) -> dict[str, Any]:
        """Take away waiting items.

        Args:
            token: Which queue.
            ids: The ids of the items, as add_to_queue said them.

        Returns:
            The token, the state of the queue, and under "removed" the ids of the items that are gone.
        """
        wanted = read_ids(ids)
        session = open_session(token, request)
        return answer(session, removed=[item.id for item in session.queue.remove_from_queue(wanted)])

    def clear_queue(token: str, request: gr.Request) -> dict[str, Any]:
        """Take away everything that waits; what runs goes on.

        Args:
            token: Which queue.

        Returns:
            The token, the state of the queue, and under "removed" the ids of the items that are gone.
        """
        session = open_session(token, request)
        return answer(session, removed=[item.id for item in session.queue.clear_queue()])

    def get_queue_display(
        token: str,
        first: int = 0,
        rows: int = ROWS_AT_ONCE,
        request: gr.Request = None,  # type: ignore[assignment]
    ) -> dict[str, Any]:
        """The queue as a table, or a part of it.

        Args:
            token: Which queue.
            first: The first row, counted from 0.
            rows: How many rows at most, 1,000 where nothing is said.

        Returns:
            The token, the state of the queue, and the table as "headers" and "data", a list a row.
        """
        session = open_session(token, request)
        start, most = read_number(first, "first", 0, 2**53), read_number(rows, "rows", 1, MAX_AT_ONCE)
        frame = session.queue.get_queue_display(start, most)
        return answer(session, headers=list(frame.columns), data=frame.to_numpy().tolist())

    def get_results(token: str, newest: int = MAX_AT_ONCE, request: gr.Request = None) -> dict[str, Any]:  # type: ignore[assignment]
        """What became of the items of a queue.

        Args:
            token: Which queue.
            newest: How many at most, the newest ones.

        Returns:
            The token, the state of the queue, and "results", in the order in which they began: item, run, status, text, error
            and files, each file as a path of this server, such as "/media/rs_.../audio".
        """
        most = read_number(newest, "newest", 1, MAX_AT_ONCE)
        session = open_session(token, request)
        runs = page.store.runs.list(owner_of(request), token=session.token, limit=most)
        return answer(session, results=[result_of(run) for run in reversed(runs)])

    def pause_queue(token: str, free_devices: bool = False, request: gr.Request = None) -> dict[str, Any]:  # type: ignore[assignment]
        """Stop after the running batch.

        Args:
            token: Which queue.
            free_devices: Whether the engines are unloaded then.

        Returns:
            The token and the state of the queue.
        """
        if not isinstance(free_devices, bool | None):
            raise InputError(f"free_devices: {shorten(free_devices)} isn't right; give true or false.")
        session = open_session(token, request)
        session.runner.pause(free_devices=bool(free_devices))
        return answer(session)

    async def process_queue(token: str, request: gr.Request) -> AsyncIterator[dict[str, Any]]:
        """Start a queue, or attach to it where it runs; answers whenever something is done, until it stops.

        Args:
            token: Which queue.

        Returns:
            The token, the state of the queue, how far it is, and at its end a message.
        """
        session = open_session(token, request)
        if len(session.queue):
            session.runner.start()
        async for snapshot in follow(session, lambda *_fraction, **_words: None):
            yield {**answer(session, snapshot), "message": end_notice(snapshot) if not snapshot.active else ""}

    endpoints = (add_to_queue, remove_from_queue, clear_queue, get_queue_display, get_results, pause_queue, process_queue)
    for endpoint in endpoints:
        endpoint_of(
            guard(endpoint, str),
            api_name=endpoint.__name__,
            api_description=described(endpoint),
            concurrency_limit=None,
        )


def described(endpoint: Callable[..., Any]) -> str:
    """What an endpoint does and takes, an argument a line: gradio's page of the endpoints shows no text for an argument."""
    text, arguments, _ = get_function_description(endpoint)
    said = [f"{name}: {sentence}" for name, sentence in arguments.items() if sentence]
    return "\n".join([text, *said])


def result_of(run: RunRecord) -> dict[str, Any]:
    """A run as `get_results` tells of it; its files are paths of the server, for whoever may see the queue."""
    files = {key: f"/media/{run.id}/{key}" for key in run.outputs}
    told = {"item": run.item_id, "run": run.id, "status": str(run.status), "text": run.prompt_text, "error": run.error}
    return {**told, "files": files, "metadata": dict(run.metadata)}


def answer(session: Session, snapshot: RunnerSnapshot | None = None, **more: Any) -> dict[str, Any]:
    """What every endpoint says: the token, the state, and how far it is; times in seconds."""
    now = snapshot or session.runner.snapshot()
    queue = now.queue
    return {
        "token": session.token,
        "state": str(now.state),
        "reason": now.reason,
        "queued": queue.waiting,
        "running": len(queue.running),
        "done": {str(status): number for status, number in queue.done.items()},
        "progress": round(now.fraction, 4),
        "seconds_left": round(now.left.seconds, 1) if now.left else None,
        **more,
    }


def read_prompts(given: Any, store: Store, owner: str) -> list[Prompt]:
    """The prompts of a call; raises InputError with the number of the one that isn't right."""
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise InputError(f'prompts: {shorten(given)} isn\'t right; give a list of texts, such as ["Good morning."].')
    if len(given) > MAX_AT_ONCE:
        raise InputError(f"prompts: {len(given):,} at once are too many; give at most {MAX_AT_ONCE:,}.")
    numbered = enumerate(zip(given, new_ids("ps", len(given)), strict=True), 1)
    return [_read_prompt(entry, new, store, owner, number) for number, (entry, new) in numbered]


def _read_prompt(entry: Any, new_id: str, store: Store, owner: str, number: int) -> Prompt:
    if isinstance(entry, str):
        return store.prompts.get(entry, owner) if entry.startswith("ps_") else Prompt(entry, id=new_id)
    where = f"prompts, number {number}"
    if not isinstance(entry, dict) or not set(entry) <= {"text", "inputs"}:
        raise InputError(f'{where}: {shorten(entry)} isn\'t right; give a text, an id, or {{"text": ..., "inputs": ...}}.')
    inputs = read_object(entry.get("inputs"), f"{where}, inputs")
    # Only files that were given to the library: a path of this machine is nobody's to name.
    files = {str(name): str(store.inputs.own(str(path), owner)) for name, path in inputs.items()}
    text = entry.get("text") or ""
    if not isinstance(text, str):
        raise InputError(f"{where}, text: {shorten(text)} isn't right; give a text.")
    return Prompt(text, files, new_id)


def read_ids(given: Any) -> list[str]:
    """The ids of a call; raises InputError for anything but a list of texts."""
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise InputError(f'ids: {shorten(given)} isn\'t right; give a list of ids, such as ["qi_..."].')
    return given


def read_number(given: Any, where: str, least: int, most: int) -> int:
    """A whole number; raises InputError for anything else."""
    if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= most:
        raise InputError(f"{where}: {shorten(given)} isn't right; give a number from {least} to {most:,}.")
    return given


def read_object(given: Any, where: str) -> dict[str, Any]:
    """A JSON object, empty for nothing; raises InputError for anything else."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InputError(f"{where}: {shorten(given)} isn't right; give an object, such as {{}}.")
    return given
