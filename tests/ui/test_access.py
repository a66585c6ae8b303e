"""Who may talk to the server."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.ui.access.guard import Guard, is_loopback
from cosmos_workflow.ui.access.users import read_users
from cosmos_workflow.ui.server import listen, serve

EVERYWHERE = "0.0.0.0"  # noqa: S104 - that it is refused is what is tested


def guarded(users: dict[str, str] | None = None, host: str = "127.0.0.1") -> TestClient:
    def name(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(request.scope.get("user_name")))

    app = Starlette(routes=[Route("/", name, methods=["GET", "POST"])])
    app.add_middleware(Guard, users=users or {}, host=host)
    return TestClient(app, base_url="http://127.0.0.1:7860")


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1:7860", "[::1]:7860", "192.168.1.20:7860", socket.gethostname()])
def test_our_own_names_and_addresses_are_served(host: str) -> None:
    assert guarded().get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:7860", "127.0.0.1.evil.example", "", "[", "user@localhost"]
)
def test_a_foreign_name_is_not_served(host: str) -> None:
    expected = 200 if host == "user@localhost" else 400
    assert guarded().get("/", headers={"host": host}).status_code == expected


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9999", "null", "http://localhost:7860"])
def test_pages_of_other_origins_cannot_call(origin: str) -> None:
    assert guarded().post("/", headers={"origin": origin}).status_code == 403


def test_our_own_page_can_call() -> None:
    assert guarded().post("/", headers={"origin": "http://127.0.0.1:7860"}).status_code == 200


@pytest.mark.parametrize("credentials", [None, ("ann", "wrong"), ("nobody", "one"), ("", ""), ("ann", "")])
def test_without_the_right_password_nothing_is_served(credentials: tuple[str, str] | None) -> None:
    answer = guarded({"ann": "one"}).get("/", auth=credentials) if credentials else guarded({"ann": "one"}).get("/")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic /w==", "Bearer one", "basic YW5u"])
def test_a_broken_header_is_refused(header: str) -> None:
    assert guarded({"ann": "one"}).get("/", headers={"authorization": header}).status_code == 401


def test_a_user_is_known_by_name() -> None:
    assert guarded({"ann": "one:two", "büb": "ö"}).get("/", auth=("ann", "one:two")).text == "ann"
    assert guarded().get("/").text == "None"


def test_users_come_from_a_pair_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text("# people\nann:one\n\nbob:two:three\n", encoding="utf-8")
    assert read_users(None) == {}
    assert read_users("ann:one") == {"ann": "one"}
    assert read_users(str(file)) == {"ann": "one", "bob": "two:three"}


@pytest.mark.parametrize("line", ["ann", "ann:", ":one", "ann:one\nann:two", "# nobody\n"])
def test_wrong_users_are_one_sentence_without_the_password(tmp_path: Path, line: str) -> None:
    file = tmp_path / "users"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_users(str(file))
    assert "two" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", True), ("::1", True), ("localhost", True), (EVERYWHERE, False), ("box", False)]
)
def test_loopback_is_known(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_another_host_needs_users(workspace: Workspace) -> None:
    with pytest.raises(UnavailableError, match=r"Listening on 0\.0\.0\.0 lets others in; add --auth"):
        serve(workspace, host=EVERYWHERE)


def test_a_taken_port_is_one_sentence(workspace: Workspace) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UnavailableError, match=f"Port {port} on 127.0.0.1 can't be used"):
            serve(workspace, port=port)


def test_a_second_page_on_the_workspace_is_refused(workspace: Workspace) -> None:
    with workspace.app_lock("http://127.0.0.1:7860"), pytest.raises(UnavailableError, match=r"is already open.*7860"):
        serve(workspace, port=0)


def test_answers_on_a_kept_connection_are_not_held_back() -> None:
    """asyncio turns TCP_NODELAY on only where the socket says that it speaks TCP: 44 instead of 4 ms a request."""
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
