"""A server with users, in a process of its own, to which everything is said over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from page_support import Server, start_server
from visitors import Visitor

USERS = "ann:one\nbob:two\ncid:three\n"
MAX_USER_MB = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "users").write_text(USERS)
    (folder / "workspace").mkdir()
    (folder / "workspace" / "settings.yaml").write_text(f"max_user_mb: {MAX_USER_MB}\n")
    running = start_server(folder / "workspace", auth=str(folder / "users"))
    yield running
    running.stop()


@pytest.fixture
def ann(server: Server) -> Iterator[Visitor]:
    with Visitor(server.url, "ann", "one") as visitor:
        yield visitor


@pytest.fixture
def bob(server: Server) -> Iterator[Visitor]:
    with Visitor(server.url, "bob", "two") as visitor:
        yield visitor


@pytest.fixture
def cid(server: Server) -> Iterator[Visitor]:
    with Visitor(server.url, "cid", "three") as visitor:
        yield visitor


@pytest.fixture
def stranger(server: Server) -> Iterator[Visitor]:
    with Visitor(server.url) as visitor:
        yield visitor


@pytest.fixture(autouse=True)
def no_traceback(server: Server) -> Iterator[None]:
    """Whatever is said to the server, it never prints a traceback."""
    before = len(server.log)
    yield
    assert "Traceback" not in "".join(server.log[before:])
