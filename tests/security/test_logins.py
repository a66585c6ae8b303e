"""Passwords can't be guessed, whoever tries is named in the log, and no password leaves the app's own process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from page_support import READY, Server, start_server
from support import DEADLINE, wait_for
from visitors import Visitor

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


@pytest.mark.parametrize(
    "header", [b"Basic \xff", b"Basic", b"Basic Og==", b"Basic " + b"A" * 50_000, b"Basic YW5u", b"\xff \xff"]
)
def test_a_broken_header_is_refused_without_a_traceback(server: Server, header: bytes) -> None:
    answer = httpx.get(server.url, headers={b"Authorization": header}, timeout=DEADLINE)  # type: ignore[dict-item]
    assert answer.status_code == 401


def written_memory(process: psutil.Process) -> bytes:
    """What a process has in its own writable memory, and what it was started with."""
    found = [(Path("/proc") / str(process.pid) / name).read_bytes() for name in ("cmdline", "environ")]
    with (Path("/proc") / str(process.pid) / "mem").open("rb", 0) as memory:
        for line in (Path("/proc") / str(process.pid) / "maps").read_text().splitlines():
            place, rights, *more = line.split()
            if not rights.startswith("rw") or (len(more) > 3 and more[3].startswith("[v")):
                continue
            start, end = (int(part, 16) for part in place.split("-"))
            try:
                memory.seek(start)
                found.append(memory.read(end - start))
            except OSError:  # a part that is reserved only
                continue
    return b"".join(found)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("way", ["option", "option with =", "file", "variable"])
def test_no_worker_has_the_password(tmp_path: Path, way: str) -> None:
    users = tmp_path / "users"
    users.write_text(f"ann:{PASSWORD}\n")
    users.chmod(0o600)
    options = {
        "option": ["--auth", f"ann:{PASSWORD}"],
        "option with =": [f"--auth=ann:{PASSWORD}"],
        "file": ["--auth", str(users)],
        "variable": [],
    }[way]
    environment = {**os.environ, **({"COSMOS_WORKFLOW_AUTH": f"ann:{PASSWORD}"} if way == "variable" else {})}
    command = [sys.executable, "-m", "cosmos_workflow", "ui", "--port", "0", "--workspace", str(tmp_path / "w"), *options]
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
    try:
        wait_for(lambda: process.poll() is not None or READY.search(log.read_text()), "the page is up")
        found = READY.search(log.read_text())
        assert found, log.read_text()
        with Visitor(found[1], "ann", PASSWORD) as ann:
            token = ann.call("add_to_queue", "", ["One."], "espeak", {}, {})["complete"][0]["token"]
            assert "complete" in ann.call("process_queue", token)
        workers = psutil.Process(process.pid).children(recursive=True)
        assert workers
        for worker in workers:
            assert PASSWORD.encode() not in written_memory(worker), worker.cmdline()
    finally:
        process.terminate()
        process.wait(DEADLINE)
    warned = "Everybody on this machine can read the password" in log.read_text()
    assert warned == way.startswith("option")
    assert PASSWORD not in log.read_text()
