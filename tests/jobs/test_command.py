"""The verbs as their user types them, in processes of their own; and a book that is killed three times."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from support import DEADLINE, wait_for

import cosmos_workflow
from cosmos_workflow import run_job
from cosmos_workflow.config import Workspace
from cosmos_workflow.queueing import ItemStatus
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.store import Store

pytestmark = pytest.mark.slow

ASSETS = Path(__file__).parents[2] / "assets" / "jobs"


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """A verb in a process of its own."""
    command = [sys.executable, "-m", "cosmos_workflow", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def call(*arguments: str | Path) -> tuple[int, str, str]:
    """A verb to its end: exit code, stdout, stderr."""
    process = start(*arguments)
    out, err = process.communicate(timeout=200)
    return process.returncode, out, err


def told(*arguments: str | Path) -> Any:
    """What a verb that succeeds tells a program."""
    code, out, err = call(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def made(workspace: Path) -> list[RunRecord]:
    """The succeeded runs of a workspace."""
    with Store(Workspace.open(workspace)) as store:
        return store.runs.list(None, status=ItemStatus.SUCCEEDED, limit=None)


def finished(workspace: Path) -> int:
    """How many runs are published."""
    return sum("." not in folder.name for folder in (workspace / "runs").glob("rs_*"))


def test_the_welcome_job_speaks(tmp_path: Path) -> None:
    results = told("run", ASSETS / "welcome.yaml", "--workspace", tmp_path)
    assert [result["status"] for result in results] == ["completed", "completed"]
    sounds = [soundfile.read(result["files"]["audio"]) for result in results]
    lengths = [len(samples) / rate for samples, rate in sounds]
    assert all(0.4 < seconds < 2 for seconds in lengths)
    assert all(20 * np.log10(np.sqrt(np.mean(samples**2))) > -40 for samples, _ in sounds)
    assert told("run", ASSETS / "welcome.yaml", "--workspace", tmp_path)[0]["made"] == 0


def test_what_is_special_about_a_clip_is_told_beside_what_was_made(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "logo.mov"), "w") as container:
        stream: Any = container.add_stream("qtrle", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "argb"
        for _ in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 4), 90, np.uint8), format="rgba")))
        container.mux(stream.encode(None))
    weights = "{edge: 1, vis: 0, depth: 0, seg: 0}"
    job = f"job: clip\nengine: control-preview\nweights: {weights}\ntasks:\n  - inputs: {{video: logo.mov}}\n"
    (tmp_path / "clip.yaml").write_text(job)
    (result,) = told("run", tmp_path / "clip.yaml", "--workspace", tmp_path / "ws")
    assert (result["status"], result["note"]) == ("completed", "What is transparent in the clip is shown black.")


def test_without_the_engines_files_one_sentence_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSMOS_WORKFLOW_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    code, out, err = call("run", ASSETS / "voices.yaml", "--workspace", tmp_path / "ws")
    assert code != 0
    assert (out + err).count("weights fetch kokoro") == 1
    assert finished(tmp_path / "ws") == 0
    code, out, err = call("check", ASSETS / "voices.yaml", "--workspace", tmp_path / "ws")
    assert code == 0, err


def test_a_table_for_people(tmp_path: Path) -> None:
    code, out, err = call("check", ASSETS / "controls.yaml", ASSETS / "welcome.yaml", "--workspace", tmp_path)
    assert code == 0, err
    assert "batch 2: 1 x control-preview; apart: canny_threshold differs: medium, high" in out
    assert "batch 1: 2 x espeak" in out
    assert "frames" in out
    assert "characters" in out
    assert finished(tmp_path) == 0
    code, out, err = call("run", ASSETS / "dialogue.yaml", "--workspace", tmp_path)
    assert code == 0, err
    assert "At the ferry: Completed" in out
    assert "dialogue-at-the-ferry-001.flac" in out


def test_check_tells_a_program(tmp_path: Path) -> None:
    (checked,) = told("check", ASSETS / "book.yaml", "--workspace", tmp_path)
    (task,) = checked["tasks"]
    assert (task["status"], task["pieces"] == task["to_make"]) == ("new", True)
    assert task["work"] == task["characters"] > 19_000
    assert task["unit"] == "characters"
    assert sum(batch["items"] for batch in checked["batches"]) == task["pieces"]


@pytest.mark.parametrize("verb", ["run", "check"])
def test_a_wrong_file_starts_nothing(tmp_path: Path, verb: str) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("engine: espeak\ntasks:\n  - text: hi\n    parms: {rate: 5}\n")
    code, out, err = call(verb, ASSETS / "welcome.yaml", wrong, "--workspace", tmp_path / "ws")
    assert (code, out) == (2, "")
    assert err == f"{wrong}:4:5: tasks[1].parms: unknown key (did you mean 'params'?); " + err.partition("; ")[2]
    assert err.count("\n") == 1
    assert finished(tmp_path / "ws") == 0


def test_jobs_lists_what_the_workspace_holds(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    shutil.copy(ASSETS / "welcome.yaml", workspace.jobs)
    (workspace.jobs / "wrong.yaml").write_text("a: 1\n")
    told("run", workspace.jobs / "welcome.yaml", "--workspace", tmp_path)
    rows = {row["job"]: row for row in told("jobs", "--workspace", tmp_path)}
    assert rows["welcome"]["status"] == "completed"
    assert rows["wrong"]["status"] == "wrong"
    assert "unknown key" in rows["wrong"]["message"]


def test_a_failure_is_an_exit_code(tone: Callable[[], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "plugin"))
    job = tmp_path / "half.yaml"
    job.write_text("engine: tone\ntasks: [{text: fine}, {text: broken}]\n")
    code, out, err = call("run", job, "--workspace", tmp_path / "ws")
    assert (code, err) == (1, "")
    assert "1. fine: Completed" in out
    assert "2. broken: Failed" in out
    assert "piece 1: the tone broke" in out
    assert len(tone()) == 1


@pytest.mark.usefixtures("tone")
def test_an_interrupted_run_ends_with_130(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "plugin"))
    job = tmp_path / "held.yaml"
    job.write_text("engine: tone\ntasks: [{text: one}, {text: two}, {text: gate}]\n")
    process = start("run", job, "--workspace", tmp_path / "ws")
    wait_for(lambda: finished(tmp_path / "ws") >= 2, "all but the last piece are made")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130
    assert "Traceback" not in err


@pytest.mark.long
def test_a_book_killed_three_times_is_whole(tmp_path: Path) -> None:
    workspace = tmp_path / "ws"
    jobs = Workspace.open(workspace).jobs
    for name in ("book.yaml", "book.txt"):
        shutil.copy(ASSETS / name, jobs)
    path = jobs / "book.yaml"
    for enough in (15, 45, 75):
        process = start("run", path, "--workspace", workspace)
        wait_for(lambda enough=enough: finished(workspace) >= enough, f"{enough} pieces are made")
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    rows = told("jobs", "--workspace", workspace)
    assert rows[0]["status"] == "partial"
    assert 0 < rows[0]["progress"] < 1
    (result,) = told("run", path, "--workspace", workspace)
    assert result["status"] == "completed"
    assert 0 < result["made"] <= result["pieces"] - 75
    runs = made(workspace)
    assert set(Counter(run.source for run in runs).values()) == {1}
    assert len(runs) == result["pieces"]
    _check_final(Path(result["files"]["audio"]), workspace)

    # One paragraph changes: only its pieces are made, and the earlier final stays.
    text = (jobs / "book.txt").read_text()
    changed = text.replace("She loved it at once. She would not have said so.", "She liked it at once, and never said so.")
    assert changed != text
    (jobs / "book.txt").write_text(changed)
    (again,) = told("run", path, "--workspace", workspace)
    assert (again["status"], again["made"]) == ("completed", 1)
    assert len(made(workspace)) == len(runs) + 1
    assert Path(result["files"]["audio"]).exists()
    assert again["files"]["audio"] != result["files"]["audio"]
    _check_final(Path(again["files"]["audio"]), workspace)


@pytest.mark.slow
def test_two_command_lines_at_once_make_everything_once(tmp_path: Path) -> None:
    job = tmp_path / "story.yaml"
    paragraphs = (ASSETS / "book.txt").read_text().split("\n\n")[:12]
    (tmp_path / "story.txt").write_text("\n\n".join(paragraphs))
    job.write_text("engine: espeak\ntext_file: story.txt\n")
    workspace = tmp_path / "ws"
    Workspace.open(workspace)
    processes = [start("run", job, "--workspace", workspace, "--json") for _ in range(2)]
    ended = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ended
    results = [json.loads(out)[0] for out, _ in ended]
    assert results[0]["files"] == results[1]["files"]
    assert sorted(result["made"] for result in results) == [0, results[0]["pieces"]]
    assert set(Counter(run.source for run in made(workspace)).values()) == {1}


def _check_final(final: Path, workspace: Path) -> None:
    """Every piece is in the final where its description says, sample by sample, and nothing else but pauses."""
    description = json.loads(final.with_suffix(".json").read_text())
    samples, rate = soundfile.read(final)
    pause = {"": 0.0, "clause": 0.0, **description["audio"]["pause"]}
    end = 0.0
    for number, piece in enumerate(description["pieces"], 1):
        assert piece["start"] == pytest.approx(end, abs=0.001)
        (sound,) = (workspace / "runs" / piece["run"]).glob("*.wav")
        own, own_rate = soundfile.read(sound)
        assert own_rate == rate
        first = round(piece["start"] * rate)
        there, meant = samples[first : first + len(own)], own * 10 ** (piece["gain_db"] / 20)
        if description["peaks_limited"] and np.max(np.abs(meant)) > 0.6:
            assert np.corrcoef(there, meant)[0, 1] > 0.99
        else:
            assert np.max(np.abs(there - meant)) < 1e-3
        seconds = pause[piece["break"]] if number < len(description["pieces"]) else 0.0
        quiet = samples[first + len(own) : first + len(own) + round(seconds * rate)]
        assert not np.any(quiet)
        end = piece["start"] + len(own) / rate + seconds
    assert len(samples) / rate == pytest.approx(end, abs=0.001)
    cues = re.findall(r"^(\d\d):(\d\d):(\d\d),(\d{3}) -->", final.with_suffix(".srt").read_text(), re.MULTILINE)
    begun = {int(hours) * 3600 + int(minutes) * 60 + int(rest) + int(part) / 1000 for hours, minutes, rest, part in cues}
    assert {round(piece["start"], 3) for piece in description["pieces"]} <= begun, "a cue begins with each piece"


def test_a_program_runs_a_job_in_one_call(tmp_path: Path) -> None:
    (result,) = [result for result in run_job(ASSETS / "welcome.yaml", Workspace.open(tmp_path)) if result.task_id.endswith("/1")]
    assert result.succeeded
    assert soundfile.info(result.files["audio"]).duration > 0.4
    assert {"run_job", "JobFileError", "Workspace"} <= set(dir(cosmos_workflow))
    assert (Path(cosmos_workflow.__file__).parent / "py.typed").is_file()
