"""The command line as a script sees it: exit codes, one sentence for a mistake, JSON that parses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import Command

from cosmos_workflow import __version__
from cosmos_workflow.engines.registry import engine_names


def test_help_names_every_verb_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['cosmos-workflow', '--help']\n"
        "from cosmos_workflow.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'gradio', 'pandas', 'sqlalchemy', 'av', 'cv2') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip().endswith("[]")
    for verb in ("ui", "run", "book", "check", "repair", "prune", "doctor", "engines", "runs", "jobs", "weights", "bench"):
        assert f" {verb} " in out


def test_version() -> None:
    done = subprocess.run([sys.executable, "-m", "cosmos_workflow", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == __version__


def test_engines_as_json(command: Command) -> None:
    rows = json.loads(command("engines", "--json").stdout)
    assert {row["name"] for row in rows} == {*engine_names()}
    assert all(row["available"] for row in rows if row["name"] in ("espeak", "control-preview"))


def test_an_empty_workspace_has_no_runs_and_needs_no_repair(tmp_path: Path, command: Command) -> None:
    assert json.loads(command("runs", "--json", "--workspace", tmp_path).stdout) == []
    assert "nothing had to be repaired" in command("repair", "--workspace", tmp_path).stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nonsense",), "No such command 'nonsense'."),
        (("runs", "--status", "done"), "isn't a status; use queued, running"),
        (("run", "missing.yaml"), "missing.yaml"),
        (("run", "--gpus", "0,x", "missing.yaml"), "isn't a list of GPU numbers"),
        (("run", "--gpus", "97", "missing.yaml"), "of those that are here"),
        (("run", "--gpus", "0", "--workers", "2", "missing.yaml"), "exclude each other"),
        (("weights", "fetch", "nonsense"), "no weights called 'nonsense'"),
        (("ui", "--port", "99999"), "less than or equal to 65535"),
        (("--port", "99999"), "less than or equal to 65535"),
        (("--workspace", "x", "runs"), "unexpected extra argument"),
        (("runs", "--engine", "nope"), "engine 'nope' isn't installed"),
    ],
)
def test_a_mistake_gets_one_sentence_and_exit_code_two(
    words: tuple[str, ...], sentence: str, tmp_path: Path, command: Command
) -> None:
    done = command(*words, COSMOS_WORKFLOW_HOME=str(tmp_path))
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_verb_with_nothing_to_do_says_so(tmp_path: Path, command: Command) -> None:
    job = tmp_path / "off.yaml"
    job.write_text("engine: espeak\ntasks:\n  - {text: One., enabled: false}\n")
    for verb in ("run", "check"):
        done = command(verb, job, "--workspace", tmp_path)
        assert done.returncode == 0
        assert "off: every task is switched off (enabled: false), so nothing is made." in done.stderr
    assert f"There is no job in {tmp_path / 'jobs'} yet" in command("jobs", "--workspace", tmp_path).stdout
    assert command("runs", "--text", "nothing", "--workspace", tmp_path).stdout == "No run matches.\n"
    job.write_text("engine: espeak\ntasks:\n  - {text: One.}\n  - {text: Two.}\n")
    assert command("run", job, "--workspace", tmp_path).returncode == 0
    assert "Run from files elsewhere, so not listed: off-" in command("jobs", "--workspace", tmp_path).stderr
    assert "the newest 1 of 2 runs; --limit 2" in command("runs", "--limit", "1", "--workspace", tmp_path).stderr


def test_a_job_that_cannot_be_run_stops_no_other(tmp_path: Path, command: Command) -> None:
    first, second = tmp_path / "jobs" / "first.yaml", tmp_path / "jobs" / "second.yaml"
    first.parent.mkdir()
    for job in (first, second):
        job.write_text("engine: espeak\ntext: One.\n")
    damaged = tmp_path / "jobs" / "first" / "1" / "choices.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    done = command("run", first, second, "--json", "--workspace", tmp_path)
    assert done.returncode == 1
    rows = json.loads(done.stdout)
    assert [(row["job"], row["status"]) for row in rows] == [("first", "failed"), ("second", "completed")]
    assert "choices.json can't be read" in rows[0]["error"]


def test_a_workspace_that_cannot_be_used_is_said(tmp_path: Path, command: Command) -> None:
    (tmp_path / "file").write_text("")
    done = command("runs", "--workspace", tmp_path / "file")
    assert done.returncode == 2
    assert "it is a file, or lies below one; choose a folder" in done.stderr


def test_bench_queue_prints_the_limit_beside_our_figure(command: Command) -> None:
    rows = json.loads(command("bench", "queue", "--items", "500", "--rounds", "1", "--json").stdout)
    assert {"group", "group, bare dict (the limit)"} <= {row["step"] for row in rows}
    assert all(row["items_per_second"] > 0 for row in rows)


def test_bench_eta_needs_finished_runs(tmp_path: Path, command: Command) -> None:
    assert json.loads(command("bench", "eta", "--json", "--workspace", tmp_path).stdout) == []


def test_a_book_from_the_command_line(tmp_path: Path, command: Command) -> None:
    (tmp_path / "tale.md").write_text("# One\n\nAlpha.\n\n# Two\n\nBeta.\n\n# Three\n\nGamma.\n")
    words = ("book", tmp_path / "tale.md", "--workspace", tmp_path / "w", "--engine", "espeak")

    listed = json.loads(command(*words, "--list", "--json").stdout)
    assert [(row["chapter"], row["title"]) for row in listed] == [(1, "One"), (2, "Two"), (3, "Three")]
    assert command(*words, "--chapters", "2-9").returncode == 2

    done = command(*words, "--chapters", "2-", "--run", "--json")
    assert done.returncode == 0, done.stderr
    *rows, book = json.loads(done.stdout)
    assert [row["title"] for row in rows] == ["Two", "Three"]
    assert [Path(file).suffix for file in book["files"]] == [".m4b"]
    assert all(Path(row["files"]["audio"]).suffix == ".flac" for row in rows)
    *again, _book = json.loads(command(*words, "--chapters", "2-", "--run", "--json").stdout)
    assert [row["made"] for row in again] == [0, 0]


def test_an_audiobook_in_one_line(tmp_path: Path, command: Command) -> None:
    (tmp_path / "tale.md").write_text("---\ntitle: The Rope\nauthor: Ada Example\n---\n# One\n\nAlpha.\n\n# Two\n\nBeta.\n")
    words = ("book", tmp_path / "tale.md", "--workspace", tmp_path / "w", "--engine", "espeak")

    done = command(*words, "-o", tmp_path / "made" / "rope.m4b", "--json")

    assert done.returncode == 0, done.stderr
    book = json.loads(done.stdout)[-1]
    assert (book["book"], book["chapters"], book["note"]) == ("The Rope", ["One", "Two"], "")
    assert (tmp_path / "made" / "rope.m4b").read_bytes()[4:12] == b"ftypM4B "
    assert command(*words, "-o", tmp_path / "rope.doc").returncode == 2
