"""Who is told what has ended: a receiver on loopback, its signature, a try again, and addresses that nobody named."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any, cast

import pytest
from support import DEADLINE

from cosmos_workflow.config import Notify, Settings, Workspace
from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.notice import Notifier, address_of, signature
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.sessions import Sessions
from cosmos_workflow.queueing.items import Prompt


class Receiver(HTTPServer):
    """Takes notices, the first one only at the second try."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: SimpleQueue[tuple[dict[str, str], bytes]] = SimpleQueue()
        self.tries: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/done"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver = cast("Receiver", self.server)
        body = self.rfile.read(int(self.headers["content-length"]))
        receiver.tries.append(self.headers["webhook-id"])
        first = len(receiver.tries) == 1
        self.send_response(503 if first else 204)
        self.end_headers()
        if not first:
            receiver.taken.put((dict(self.headers.items()), body))

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


def test_what_a_queue_made_is_told_and_signed(receiver: Receiver, tmp_path: Path) -> None:
    settings = Settings(notify=Notify(url=receiver.url, secret="between us"))  # noqa: S106 - a test
    sessions = Sessions(Operations(Workspace(Workspace.open(tmp_path).root, settings)))
    sessions.operations.notifier = Notifier(settings.notify, pauses=(0.0,))
    session = sessions.open()
    session.queue.add_to_queue([Prompt("ok"), Prompt("fail please")], "probe", {})
    session.runner.start()
    headers, body = receiver.taken.get(timeout=DEADLINE)
    sessions.close()
    told = json.loads(body)
    assert (told["event"], told["counts"], told["queued"]) == ("queue.ended", {"succeeded": 1, "failed": 1}, 0)
    assert [Path(file).is_file() for file in told["files"]] == [True]
    assert [bool(failure["error"]) for failure in told["failures"]] == [True]
    assert session.token not in body.decode()
    assert headers["webhook-signature"] == signature("between us", headers["webhook-id"], headers["webhook-timestamp"], body)
    assert receiver.tries == [headers["webhook-id"]] * 2


def test_the_signature_is_that_of_the_standard() -> None:
    told = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}'
    )
    assert told == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_address_at_home_is_told_only_where_it_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", (host if host[0].isdigit() else "192.168.1.7", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(InputError, match=r"printer\.example is an address of your own network"):
        address_of("http://printer.example/x", private=False)
    assert address_of("http://printer.example/x", private=True) == "192.168.1.7"
    assert address_of("http://192.168.1.9/x", private=False) == "192.168.1.9"
