"""A visitor who says to the server over HTTP whatever a browser could, and much that it never would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
from support import DEADLINE

FILE = {"_type": "gradio.FileData"}


def as_file(path: str, **more: Any) -> dict[str, Any]:
    """A file as a page names it in a call."""
    return {"path": path, "meta": FILE, **more}


class Visitor(httpx.Client):
    """One user's client; `session` is the name of the page that it pretends to have open."""

    def __init__(self, url: str, user: str = "", password: str = "", session: str = "") -> None:
        super().__init__(base_url=url, auth=(user, password) if user else None, timeout=DEADLINE)
        self.session = session or f"page-of-{user or 'anybody'}"
        self._config: Mapping[str, Any] = {}

    @property
    def config(self) -> Mapping[str, Any]:
        """What the server says of the page."""
        if not self._config:
            self._config = self.get("/config").raise_for_status().json()
        return self._config

    def event(self, elem_id: str, name: str) -> int:
        """The number of what happens at an event of a component."""
        component = next(one["id"] for one in self.config["components"] if one["props"].get("elem_id") == elem_id)
        return next(one["id"] for one in self.config["dependencies"] if [component, name] in one["targets"])

    @property
    def loading(self) -> int:
        """The number of what finds the queue of a page that is opened."""
        return next(one["id"] for one in self.config["dependencies"] if any(name == "load" for _, name in one["targets"]))

    def endpoint(self, name: str) -> int:
        """The number of an endpoint."""
        return next(one["id"] for one in self.config["dependencies"] if one["api_name"] == name)

    def trigger(self, path: str, number: int, *data: Any, **more: Any) -> httpx.Response:
        """A call of a handler."""
        return self.post(f"/gradio_api/{path}", json={"data": data, "fn_index": number, "session_hash": self.session, **more})

    def search(self, words: str) -> httpx.Response:
        """Search the library, as the page does."""
        number = self.event("prompt-search", "change")
        found = next(one for one in self.config["dependencies"] if one["id"] == number)
        props = {one["id"]: one["props"] for one in self.config["components"]}
        shown = [props[place] for place in found["inputs"]]
        values = [words if one.get("elem_id") == "prompt-search" else one.get("value") for one in shown]
        return self.trigger("run/predict", number, *values)

    def upload(self, content: bytes, name: str = "a.csv") -> str:
        """Send a file; returns where the server keeps it."""
        return self.post("/gradio_api/upload", files=[("files", (name, content))]).raise_for_status().json()[0]

    def open_page(self) -> str:
        """Open the page, as a browser does; returns its queue's token."""
        return self.trigger("run/predict", self.loading, "").raise_for_status().json()["data"][1]

    def call(self, name: str, *data: Any) -> dict[str, Any]:
        """Call an endpoint and wait for its answer."""
        event = self.post(f"/gradio_api/call/{name}", json={"data": data}).raise_for_status().json()["event_id"]
        return self.answer(name, event)

    def answer(self, name: str, event: str) -> dict[str, Any]:
        """What came of a call: {"complete": ...} or {"error": ...}."""
        kind, found = "", {}
        with self.stream("GET", f"/gradio_api/call/{name}/{event}") as stream:
            for line in stream.iter_lines():
                key, _, value = line.partition(": ")
                if key == "event":
                    kind = value
                elif key == "data" and kind != "heartbeat":
                    found[kind] = json.loads(value)
        return found
