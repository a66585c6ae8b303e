"""A hub on loopback that holds one repository."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PATIENCE = 60.0
LARGE = 100_000


@dataclass
class Hub:
    """`files` are what it sends, `stated` what its digests are of; `requests` are (method, file, range).

    `cut` is a file that breaks off once after this many bytes; one in `held` waits there until `go` is set.
    `etags` and `answer` are told instead of a file's digest and of what the repository holds.
    """

    address: str
    repo: str
    files: dict[str, bytes]
    stated: Mapping[str, bytes]
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    cut: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    go: threading.Event = field(default_factory=threading.Event)
    gated: bool = False
    etags: dict[str, str] = field(default_factory=dict)
    answer: bytes | None = None

    def downloads(self, name: str) -> list[str]:
        """The ranges in which a file was asked for."""
        return [asked for method, file, asked in self.requests if method == "GET" and file == name]


@contextlib.contextmanager
def open_hub(repo: str, files: Mapping[str, bytes]) -> Iterator[Hub]:
    """A hub with these files of a repository."""
    handler: Any = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    made = handler.hub = Hub(f"http://127.0.0.1:{server.server_port}", repo, dict(files), dict(files))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.go.set()
    server.shutdown()
    server.server_close()
    thread.join()


def own_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the hub's client ask, into an empty cache of its own, and no folder of weights; returns the cache."""
    cache = folder / "hub"
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 64 * 1024)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    return cache


class _Handler(BaseHTTPRequestHandler):
    hub: ClassVar[Hub]
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        # A branch's name has its slashes written as %2F.
        name = path.removeprefix(f"/{self.hub.repo}/resolve/").partition("/")[2]
        if self.hub.gated:
            self._refuse(403, "GatedRepo")
        elif path.startswith(f"/api/models/{self.hub.repo}/"):
            self._send(
                self.hub.answer or json.dumps(self._info()).encode(), {"Content-Type": "application/json"}, with_body=with_body
            )
        elif path.startswith(f"/{self.hub.repo}/resolve/") and name in self.hub.files:
            self._send_file(name, with_body=with_body)
        else:
            self._refuse(404, "RepoNotFound")

    def _info(self) -> dict[str, Any]:
        siblings: list[dict[str, Any]] = [{"rfilename": name, "size": len(content)} for name, content in self.hub.files.items()]
        for file in siblings:
            # Large files are kept apart, and their digest is told.
            if file["size"] > LARGE:
                digest = hashlib.sha256(self.hub.stated[file["rfilename"]]).hexdigest()
                file["lfs"] = {"size": file["size"], "sha256": digest, "pointerSize": 100}
        return {"id": self.hub.repo, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False, "downloads": 0}

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_file(self, name: str, *, with_body: bool) -> None:
        asked = self.headers.get("Range", "")
        self.hub.requests.append((self.command, name, asked))
        digest = hashlib.sha256(self.hub.stated[name]).hexdigest()
        headers = {"ETag": f'"{self.hub.etags.get(name, digest)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        first = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        self._send(
            self.hub.files[name][first:],
            headers,
            206 if asked else 200,
            with_body=with_body,
            cut=self.hub.cut.pop(name, None) if with_body else None,
            held=self.hub.held.pop(name, None) if with_body else None,
        )

    def _send(
        self,
        content: bytes,
        headers: dict[str, str],
        status: int = 200,
        *,
        with_body: bool,
        cut: int | None = None,
        held: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            if with_body:
                self._write(content[:cut], held)
        if cut is not None:
            self.close_connection = True

    def _write(self, content: bytes, held: int | None) -> None:
        if held is None:
            self.wfile.write(content)
            return
        self.wfile.write(content[:held])
        self.hub.go.wait(PATIENCE)
        self.wfile.write(content[held:])
