"""Where output can't go, or not as it is written: the work is done all the same, and a program reads what it can rely on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import DEADLINE

pytestmark = pytest.mark.slow

VERB = (sys.executable, "-m", "cosmos_workflow")
JOB = "job: Bücher\nengine: espeak\ntasks:\n  - text: Größe eins.\n  - text: Two.\n  - text: Three.\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which a job of three tasks was run, with nobody who reads its output beyond the first line."""
    folder = tmp_path_factory.mktemp("output")
    (folder / "ws" / "jobs").mkdir(parents=True)
    job = folder / "ws" / "jobs" / "books.yaml"
    job.write_text(JOB, encoding="utf-8")
    command = [*VERB, "run", job, "--workspace", folder / "ws"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    assert process.stdout is not None
    assert process.stdout.readline() == "1. Größe eins.: Completed\n"
    process.stdout.close()
    assert process.wait(DEADLINE) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    return folder / "ws"


def call(made: Path, *words: str | Path, out: str = "", encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    with open(out or os.devnull, "w") as file:  # noqa: PTH123 - a device
        return subprocess.run(
            [*VERB, *map(str, words), "--workspace", str(made)],
            stdout=file if out else subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding=encoding,
            check=False,
            timeout=DEADLINE,
            env={**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "40"},
        )


def test_a_reader_that_leaves_ends_no_work(made: Path) -> None:
    rows = json.loads(call(made, "runs", "--status", "succeeded", "--json").stdout)
    assert sorted(row["prompt"] for row in rows) == ["Größe eins.", "Three.", "Two."]


def test_a_full_disk_behind_the_output_ends_no_work_and_is_said(made: Path) -> None:
    done = call(made, "run", made / "jobs" / "books.yaml", "--mode", "all", out="/dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "What was to be shown could not be written (No space left on device); the work itself isn't touched by that."
    ]
    assert len(json.loads(call(made, "runs", "--status", "succeeded", "--json").stdout)) == 6


@pytest.mark.parametrize("encoding", ["ascii", "shift_jis"])
def test_an_old_encoding_gets_escapes_and_whole_json(made: Path, encoding: str) -> None:
    done = call(made, "check", made / "jobs" / "books.yaml", encoding=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "B\\xfccher" in done.stdout
    (told,) = json.loads(call(made, "check", made / "jobs" / "books.yaml", "--json", encoding=encoding).stdout)
    assert told["job"] == "Bücher"
    assert (told["seconds"], told["seconds_error"]) == (0.0, 0.0), "all of it is made"


def test_what_is_piped_is_a_line_a_row(made: Path) -> None:
    lines = call(made, "runs").stdout.splitlines()
    assert lines[0].split("\t") == ["id", "engine", "status", "prompt", "seconds", "batch", "files", "error"]
    assert sum("succeeded" in line.split("\t") for line in lines) == len(lines) - 1 >= 3
    assert all(line.count("\t") == lines[0].count("\t") for line in lines)


def test_a_closed_output_is_nobodys_file(made: Path) -> None:
    for closed in (">&-", "<&- >&- 2>&-"):
        line = f'exec "{sys.executable}" -m cosmos_workflow runs --workspace "{made}" {closed}'
        assert subprocess.run(["sh", "-c", line], capture_output=True, check=False, timeout=DEADLINE).returncode == 0
    assert (made / "workflow.sqlite3").read_bytes()[:15] == b"SQLite format 3"


def test_a_job_file_whose_name_is_not_utf_8_is_listed_and_run(made: Path) -> None:
    odd = os.fsencode(made / "jobs") + b"/\xdcbung.yaml"
    Path(os.fsdecode(odd)).write_text("engine: espeak\ntext: One.\n")
    rows = {row["name"]: row for row in json.loads(call(made, "jobs", "--json").stdout)}
    assert rows.keys() == {"Bücher", "\N{REPLACEMENT CHARACTER}bung"}
    assert os.fsencode(rows["\N{REPLACEMENT CHARACTER}bung"]["file"]) == odd
    assert "bung" in call(made, "jobs").stdout
    done = call(made, "run", Path(os.fsdecode(odd)), "--json")
    assert [row["status"] for row in json.loads(done.stdout)] == ["completed"]


def test_a_job_below_a_folder_whose_name_is_not_utf_8(made: Path, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/B\xfccher"))
    folder.mkdir()
    (folder / "job.yaml").write_text("engine: control-preview\ninputs: {video: clip.mp4}\ntext: a\n")
    (folder / "clip.mp4").touch()
    done = call(made, "check", folder / "job.yaml")
    assert done.returncode == 2
    assert "has a name, or lies below one, that isn't UTF-8; rename it." in done.stderr
    done = call(folder, "runs")
    assert done.returncode == 2
    assert done.stderr.startswith("The workspace ")
    assert done.stderr.endswith("isn't UTF-8; choose another.\n")
