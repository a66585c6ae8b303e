"""No password leaves the app's own process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from page_support import READY
from support import DEADLINE, wait_for
from visitors import Visitor

pytestmark = pytest.mark.slow

PASSWORD = "correct-horse-battery-staple"  # noqa: S105 - of a user of this test


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
@pytest.mark.parametrize(
    "way",
    ["option", pytest.param("option with =", marks=pytest.mark.long), pytest.param("file", marks=pytest.mark.long), "variable"],
)
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
