"""Passwords can't be guessed, and whoever tries is named in the log."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from page_support import Server, start_server
from support import DEADLINE, wait_for

pytestmark = pytest.mark.slow

PASSWORD = "correct-horse-battery-staple"  # noqa: S105 - of a user of this test


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """One for each test: a pause after wrong passwords lasts longer than it."""
    (tmp_path / "users").write_text(f"ann:{PASSWORD}\nbob:two\n")
    (tmp_path / "users").chmod(0o600)
    running = start_server(tmp_path / "workspace", auth=str(tmp_path / "users"))
    yield running
    running.stop()


def attempt(server: Server, user: str, password: str, address: str = "127.0.0.1") -> httpx.Response:
    """A login from another address of this machine."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address=address), timeout=DEADLINE) as client:
        return client.get(f"{server.url}/theme.css", auth=(user, password))


def test_wrong_passwords_cost_more_and_more(server: Server) -> None:
    begun = time.monotonic()
    answers = [attempt(server, "ann", f"guess {number}") for number in range(60)]
    looked_at = sum(answer.status_code == 401 for answer in answers)
    assert looked_at <= 4 + time.monotonic() - begun
    slowed = [answer for answer in answers if answer.status_code == 429]
    assert slowed
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in slowed)
    assert all("www-authenticate" not in answer.headers for answer in slowed)


def test_the_log_names_user_and_address_and_no_password(server: Server) -> None:
    attempt(server, "ann", "my own secret", "127.0.0.7")
    attempt(server, "nobody\nann", "my other secret", "127.0.0.8")
    wait_for(lambda: any("127.0.0.8" in line for line in server.log), "both are in the log")
    log = "".join(server.log)
    assert re.search(r"A wrong password for the user 'ann' came from 127\.0\.0\.7\.", log)
    assert re.search(r"A wrong password for the user 'nobody\\nann' came from 127\.0\.0\.8\.", log)
    assert "secret" not in log


def test_nobody_locks_out_who_is_logged_in(server: Server) -> None:
    assert attempt(server, "bob", "two").status_code == 200
    for number in range(20):
        attempt(server, "bob", f"guess {number}", "127.0.0.2")
        assert attempt(server, "bob", "two").status_code == 200


def test_who_guesses_waits_with_the_right_password_too(server: Server) -> None:
    def refused() -> bool:
        # On a machine that stands still the first pauses are over before the right password comes.
        for number in range(5):
            attempt(server, "bob", f"guess {number}", "127.0.0.2")
        return attempt(server, "bob", "two", "127.0.0.2").status_code == 429

    wait_for(refused, "a pause counts for the right password")


def test_neither_many_addresses_nor_many_names_help(server: Server) -> None:
    from_everywhere = [attempt(server, "ann", "guess", f"127.0.1.{number}").status_code for number in range(1, 30)]
    assert from_everywhere.count(401) < 10
    for_everybody = [attempt(server, f"user {number}", "guess", "127.0.0.3").status_code for number in range(30)]
    assert for_everybody.count(401) < 10


def test_who_waited_gets_in(server: Server) -> None:
    for number in range(5):
        attempt(server, "ann", f"guess {number}")
    wait_for(lambda: attempt(server, "ann", PASSWORD).status_code == 200, "the right password counts again")


def test_a_broken_header_is_refused_without_a_traceback(server: Server) -> None:
    for header in (b"Basic \xff", b"Basic", b"Basic Og==", b"Basic " + b"A" * 50_000, b"Basic YW5u", b"\xff \xff"):
        answer = httpx.get(server.url, headers={b"Authorization": header}, timeout=DEADLINE)  # type: ignore[dict-item]
        assert answer.status_code == 401, header
