"""The command line in a pipeline: what a program reads, writes and relies on."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

import pytest
from support import Command

from cosmos_workflow.cli.desktop import command_for, show_notice
from cosmos_workflow.cli.doctor import long_paths
from cosmos_workflow.cli.job_input import with_values
from cosmos_workflow.cli.output import LastingFile
from cosmos_workflow.config import Workspace
from cosmos_workflow.store.store import Store

JOB = "engine: espeak\nparams: {rate: 120}\ntext_file: text.txt\n"


def test_what_is_wrong_is_a_problem_a_row(command: Command, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(
        "engine: espeak\ntasks:\n  - text: a\n    parms: {}\n  - text: b\n    params: {rate: 1}\n"
    )
    done = command("run", tmp_path / "wrong.yaml", "--json", "--workspace", tmp_path / "ws")
    assert done.returncode == 2
    problems = json.loads(done.stdout)["problems"]
    assert [(one["line"], one["key"]) for one in problems] == [(4, "tasks[1].parms"), (6, "tasks[2].params.rate")]
    assert all(one["file"].endswith("wrong.yaml") and one["message"] for one in problems)
    done = command("runs", "--status", "done", "--json", "--workspace", tmp_path / "ws")
    assert (done.returncode, len(json.loads(done.stdout)["problems"])) == (2, 1)
    assert json.loads(command("nonsense", "--json").stdout)["problems"][0]["message"].startswith("No such command")


@pytest.mark.parametrize(
    ("sets", "changed"),
    [
        (["params.rate=150"], "params: {rate: 150}"),
        (["audio.format=mp3"], "format: mp3"),
        (["tasks.1.text=Hello."], "text: Hello."),
    ],
)
def test_a_key_is_set_where_it_belongs(sets: list[str], changed: str) -> None:
    assert changed in with_values("engine: espeak\nparams: {rate: 120}\ntasks:\n  - text: a  # said first\n", sets)


def test_a_job_comes_in_by_stdin_and_its_files_go_where_they_are_wanted(command: Command, tmp_path: Path) -> None:
    words = ("run", "-", "--set", "params.rate=300", "--out", tmp_path / "out", "--json", "--workspace", tmp_path / "ws")
    (row,) = json.loads(command(*words, stdin="job: Note\nengine: espeak\ntext: One.\n").stdout)
    assert (row["status"], Path(row["files"]["audio"])) == ("completed", tmp_path / "out" / "note-1.wav")
    assert (tmp_path / "out" / "note-1.wav").read_bytes()[:4] == b"RIFF"
    with Store(Workspace.open(tmp_path / "ws")) as store:
        assert [run.params["rate"] for run in store.runs.list()] == [300]
    for wrong, sentence in (("rate", "write key=value"), ("engine.a=1", "has no engine.a"), ("tasks.2.text=a", "has no tasks.2")):
        done = command(
            "check", "-", "--set", wrong, "--workspace", tmp_path / "ws", stdin="engine: espeak\ntasks: [{text: One.}]\n"
        )
        assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr


def test_an_engine_says_what_it_can_be_told(command: Command) -> None:
    told = json.loads(command("engines", "espeak", "--json").stdout)
    params = {row["name"]: row for row in told["params"]}
    assert (params["rate"]["minimum"], params["rate"]["maximum"], params["rate"]["default"]) == (80, 450, 175)
    assert "en-us+f2" in params["voice"]["choices"]
    shown = command("engines", "espeak").stdout
    assert "en-us+f2" in shown
    assert any(line.split("\t")[:4] == ["rate", "int", "175", "80"] for line in shown.splitlines())
    assert command("engines", "espeek").returncode == 2


def test_the_doctor_says_what_to_do(command: Command, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = command("doctor", "--port", port, "--json", "--workspace", tmp_path)
    looks = {row["what"]: row for row in json.loads(done.stdout)}
    assert looks["espeak"]["result"] == looks["media"]["result"] == looks["workspace"]["result"] == "ok"
    assert looks["port"]["result"] == "note"
    assert "--port" in looks["port"]["do"]
    assert all(row["do"] for row in looks.values() if row["result"] == "problem")
    (tmp_path / "file").write_text("")
    done = command("doctor", "--workspace", tmp_path / "file")
    assert done.returncode == 1
    assert "choose a folder" in done.stdout


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose one job was made twice, with another text in between."""
    from cosmos_workflow import run_job

    workspace = Workspace.open(tmp_path_factory.mktemp("spoken"))
    job = workspace.jobs / "note.yaml"
    job.write_text(JOB)
    for text in ("One.\n\nTwo.", "One.\n\nThree."):
        (workspace.jobs / "text.txt").write_text(text)
        run_job(job, workspace.root)
    return workspace.root


@pytest.mark.slow
def test_what_cannot_be_written_can_be_read(command: Command, spoken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def everything() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in spoken.rglob("*")}

    def refuse(path: Path, content: bytes) -> NoReturn:
        raise PermissionError(13, os.strerror(13), str(path))

    before = everything()
    monkeypatch.setattr(Path, "write_bytes", refuse)  # root may write anywhere
    assert len(json.loads(command("runs", "--json", "--workspace", spoken).stdout)) == 3
    assert [row["status"] for row in json.loads(command("jobs", "--json", "--workspace", spoken).stdout)] == ["completed"]
    assert command("check", spoken / "jobs" / "note.yaml", "--workspace", spoken).returncode == 0
    assert command("run", spoken / "jobs" / "note.yaml", "--workspace", spoken).returncode == 2
    assert everything() == before


def test_prune_says_what_could_go_and_deletes_it_only_when_told(command: Command, spoken: Path) -> None:
    (spoken / "aside").mkdir()
    (spoken / "aside" / "broken").write_bytes(b"x" * 1000)
    done = command("prune", "--json", "--workspace", spoken)
    found = {row["what"]: (row["number"], row["size"] > 0) for row in json.loads(done.stdout)}
    expected = ["earlier finals of note/1", "unused takes of note/1", "what repair put aside"]
    assert found == dict.fromkeys(expected, (1, True))
    assert "Nothing was deleted" in done.stderr
    done = command("prune", "--yes", "--workspace", spoken)
    assert "are free again" in done.stderr
    assert "There is nothing to delete." in command("prune", "--workspace", spoken).stdout
    assert [row["status"] for row in json.loads(command("jobs", "--json", "--workspace", spoken).stdout)] == ["completed"]
    assert len(json.loads(command("runs", "--json", "--workspace", spoken).stdout)) == 2
    assert command("prune", "--weights", "nonsense", "--workspace", spoken).returncode == 2


@pytest.mark.slow
def test_a_shell_completes_verbs() -> None:
    program = Path(sys.executable).with_name("cosmos-workflow")
    asked = {**os.environ, "_COSMOS_WORKFLOW_COMPLETE": "complete_bash", "COMP_WORDS": "cosmos-workflow do", "COMP_CWORD": "1"}
    assert subprocess.run([program], env=asked, capture_output=True, text=True, check=True).stdout.split() == ["doctor"]
    asked |= {"COMP_WORDS": "cosmos-workflow engines esp", "COMP_CWORD": "2"}
    assert subprocess.run([program], env=asked, capture_output=True, text=True, check=True).stdout.split() == ["espeak"]


def test_a_folder_for_copies_that_cannot_be_is_told_before_anything_is_made(command: Command, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    done = command("run", "-", "--out", tmp_path / "out", "--workspace", tmp_path / "ws", stdin="engine: espeak\ntext: One.\n")
    assert (done.returncode, done.stderr.startswith("--out: ")) == (2, True)
    with Store(Workspace.open(tmp_path / "ws")) as store:
        assert not store.runs.list()


def numbers_written_as_text(value: Any, key: str = "") -> list[str]:
    """The keys below a value of JSON whose text is a number."""
    if isinstance(value, dict):
        return [found for name, member in value.items() for found in numbers_written_as_text(member, name)]
    if isinstance(value, list):
        return [found for member in value for found in numbers_written_as_text(member, key)]
    is_number = isinstance(value, str) and value.strip("+-").replace(".", "", 1).isdigit()
    return [key] if is_number and key not in ("choices", "found", "version", "worker") else []


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("run", "note.yaml"),
        ("check", "note.yaml"),
        ("book", "note.txt"),
        ("book", "note.txt", "--list"),
        ("jobs",),
        ("runs",),
        ("engines",),
        ("engines", "espeak"),
        ("doctor",),
        ("weights", "show"),
        ("repair",),
        ("prune",),
    ],
)
def test_every_verb_writes_one_json_with_numbers_as_numbers(
    command: Command, spoken: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COSMOS_WORKFLOW_HOME", str(tmp_path / "ws" if words[0] == "book" else spoken))
    monkeypatch.chdir(spoken / "jobs")
    (tmp_path / "note.txt").write_text("One.\n")
    given = [tmp_path / word if word == "note.txt" else word for word in words]
    done = command(*given, "--json")
    assert numbers_written_as_text(json.loads(done.stdout)) == []


@pytest.mark.parametrize(
    "words",
    [
        ("run", "missing.yaml"),
        ("check", "missing.yaml"),
        ("book", "missing.epub"),
        ("check-audio", "missing.wav", "--text", "missing.txt"),
        ("jobs", "--workspace", "file"),
        ("runs", "--workspace", "file"),
        ("engines", "espeek"),
        ("doctor", "--port", "many"),
        ("weights", "show", "--much"),
        ("repair", "--workspace", "file"),
        ("prune", "--workspace", "file"),
        ("ui", "--port", "-1"),
        ("bench", "serve", "--requests", "0"),
    ],
)
def test_every_verb_tells_what_is_wrong_as_problems(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COSMOS_WORKFLOW_HOME", str(tmp_path / "ws"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    done = command(*words, "--json")
    assert done.returncode == 2
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem.keys() == {"file", "line", "column", "key", "place", "message"}
    assert problem["message"]


def test_a_program_reads_how_it_gets_on(command: Command, tmp_path: Path) -> None:
    job = "job: Two\nengine: espeak\ntasks:\n  - text: One.\n  - text: Two.\n"
    done = command("run", "-", "--json", "--workspace", tmp_path, stdin=job)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    started, *_, ended = lines
    assert (started["event"], started["tasks"], started["pieces"]) == ("job_started", 2, 2)
    assert (ended["event"], ended["status"]) == ("task_ended", "completed")
    assert Path(ended["files"]["audio"]).is_file()
    assert [line["done"] for line in lines if line["event"] == "piece_ended"] == [1, 2]
    shares = [line["progress"] for line in lines if line["event"] == "job_progressed"]
    assert shares == sorted(shares)
    assert all(isinstance(line["time"], float) for line in lines)


def test_output_waits_for_a_reader_that_is_slow(tmp_path: Path) -> None:
    content = os.urandom(1 << 20)
    with LastingFile(tmp_path / "file", "wb") as file:
        assert file.write(content) == len(content)
    assert (tmp_path / "file").read_bytes() == content
    reading, writing = os.pipe()
    os.set_blocking(writing, False)  # as a program leaves it that shares its terminal with us
    read = bytearray()

    def read_all() -> None:
        with open(reading, "rb") as pipe:  # noqa: PTH123 - a descriptor
            read.extend(pipe.read())

    with LastingFile(writing, "wb") as file:
        rest = memoryview(content)[file.write(content) :]
        assert rest, "the pipe is full"
        reader = threading.Thread(target=read_all)
        reader.start()
        while rest:
            rest = rest[file.write(rest) :]
    reader.join()
    assert read == content
    assert file.refused is None


@pytest.mark.slow
@pytest.mark.parametrize(("exit_code", "told"), [(0, ""), (1, "No notice could be shown: no bus\n")])
def test_a_notice_at_the_end(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exit_code: int, told: str
) -> None:
    fake = tmp_path / "bin" / "notify-send"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/said"\necho no bus >&2\nexit {exit_code}\n')
    fake.chmod(0o755)
    job = "job: --Note $(x)\nengine: espeak\ntasks:\n  - text: One.\n  - text: Two.\n"
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    done = command("run", "-", "--notify", "--workspace", tmp_path / "ws", stdin=job)
    assert (done.returncode, done.stderr) == (0, told)
    assert (tmp_path / "said").read_text().splitlines()[1:] == ["--", "--Note $(x)", "2 completed"]


def test_a_machine_without_a_desktop_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert show_notice("a", "b", "linux").startswith("No notice could be shown: notify-send isn't there")
    for system, program in (("darwin", "osascript"), ("win32", "powershell")):
        assert show_notice("a", "b", system) == f"No notice could be shown: {program} isn't there."
        words = command_for(system, "'; heading", "$(text)")
        assert not any("'; heading" in word and word != "'; heading" for word in words), "nothing of it is code"


def test_the_doctor_knows_where_windows_needs_long_paths() -> None:
    assert long_paths(True, Path("a" * 200)).result == "ok"
    assert long_paths(False, Path("a" * 20)).result == "ok"
    assert "LongPathsEnabled" in long_paths(False, Path("a" * 200)).do
