"""A page of its own for a bench, and how it is called: as curl does, and as an open page does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from cosmos_workflow.errors import UnavailableError


@contextmanager
def served(workspace: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The page over a workspace, and its address; ended at the end of the block, unless somebody killed it."""
    command = [sys.executable, "-m", "cosmos_workflow", "--port", "0", "--workspace", str(workspace), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = next((found[1] for line in process.stdout or () if (found := re.search(r"at (http://\S+)", line))), None)
        if url is None:
            raise UnavailableError("The page didn't come up; start `cosmos-workflow` to see why.")
        yield process, url
    finally:
        process.terminate()
        process.wait(30)


def call(client: httpx.Client, name: str, *arguments: object, wait: bool = True) -> dict[str, Any]:
    """Call an endpoint of the page; with `wait`, its first answer."""
    event = client.post(f"/gradio_api/call/{name}", json={"data": arguments}).raise_for_status().json()["event_id"]
    if not wait:
        return {}
    with client.stream("GET", f"/gradio_api/call/{name}/{event}") as stream:
        data = next(line for line in stream.iter_lines() if line.startswith("data: "))
    return json.loads(data.removeprefix("data: "))[0]


class OpenPage:
    """What a browser asks for: it finds its queue, and is kept up to date by a timer."""

    def __init__(self, client: httpx.Client, token: str) -> None:
        self._client = client
        config = client.get("/config").raise_for_status().json()
        handlers = config["dependencies"]
        of_event = {event: handler for handler in handlers for _, event in handler["targets"]}
        self._tick = of_event["tick"]
        elem_ids = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
        self._clicks = {
            elem_ids.get(part): handler for handler in handlers for part, event in handler["targets"] if event == "click"
        }
        self._after = {handler["trigger_after"]: handler for handler in handlers}
        self._queued(of_event["load"], token)

    def update(self) -> None:
        """What the timer asks for while a queue runs: whatever changed."""
        self._at_once(self._tick)

    def click(self, elem_id: str, ids: list[str]) -> None:
        """A button that acts on selected rows: what it does, and what the page is sent after it."""
        handler = self._clicks[elem_id]
        self._queued(handler, ids)
        self._at_once(self._after[handler["id"]])

    def _at_once(self, handler: dict[str, Any]) -> None:
        self._post("run/predict", handler, [None, None, True][: len(handler["inputs"])])

    def _queued(self, handler: dict[str, Any], first: object) -> None:
        self._post("queue/join", handler, [first, *[None] * (len(handler["inputs"]) - 1)])
        with self._client.stream("GET", "/gradio_api/queue/data?session_hash=bench") as stream:
            done = next(line for line in stream.iter_lines() if "process_completed" in line)
        if '"success":false' in done.replace(" ", ""):
            raise UnavailableError(f"The page refused a click: {done[:300]}")

    def _post(self, route: str, handler: dict[str, Any], values: list[object]) -> None:
        body = {"fn_index": handler["id"], "data": values, "session_hash": "bench"}
        self._client.post(f"/gradio_api/{route}", json=body).raise_for_status()
