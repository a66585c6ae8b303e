"""A chapter from its job file to one sound, and heard back: its beginning, and all 20,000 characters. Part of the soak."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from real_support import Listener, word_errors

from cosmos_workflow.config import Workspace
from cosmos_workflow.queueing import ItemStatus
from cosmos_workflow.store.store import Store

BOOK = Path(__file__).parents[2] / "assets" / "jobs" / "book.txt"
JOB = """\
job: chapter
engine: kokoro
params: {voice: jf_gongitsune, language: en-us, speed: 1.2}
audio: {pause: {sentence: 0.3, paragraph: 0.8}}
tasks:
  - name: The Tide Tables
    text_file: book.txt
"""
HEARD = 6
"""Pieces that are listened to; all of them would take as long as the reading."""


@pytest.mark.real
@pytest.mark.soak
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("paragraphs", [12, None], ids=["its beginning", "all of it"])
def test_a_chapter_is_read_whole_and_understood(models: Path, listener: Listener, tmp_path: Path, paragraphs: int | None) -> None:
    text = "\n\n".join(BOOK.read_text(encoding="utf-8").split("\n\n")[:paragraphs])
    (tmp_path / "book.txt").write_text(text, encoding="utf-8")
    job = tmp_path / "chapter.yaml"
    job.write_text(JOB, encoding="utf-8")
    workspace = tmp_path / "workspace"
    command = [sys.executable, "-m", "cosmos_workflow", "run", str(job), "--workspace", str(workspace), "--json"]
    environment = {**os.environ, "COSMOS_WORKFLOW_WEIGHTS": str(models)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=2700, check=False)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert result["status"] == "completed"

    final = Path(result["files"]["audio"])
    described = json.loads(final.with_suffix(".json").read_text(encoding="utf-8"))
    with Store(Workspace.open(workspace)) as store:
        runs = {run.id: run for run in store.runs.list(None, status=ItemStatus.SUCCEEDED, limit=None)}
        sounds = {run_id: store.runs.folder(run_id) / run.outputs["audio"] for run_id, run in runs.items()}
    pieces = described["pieces"]
    assert "".join("".join(piece["text"] for piece in pieces).split()) == "".join(text.split())

    # Joins: each piece stands where its neighbours and the pauses put it, whole and as it was made.
    samples, rate = soundfile.read(final, dtype="int16")
    pauses = {"sentence": 0.3, "clause": 0.0, "paragraph": 0.8, "": 0.0}
    expected = 0.0
    for piece in pieces:
        made, own_rate = soundfile.read(sounds[piece["run"]], dtype="int16")
        assert own_rate == rate
        start = round(piece["start"] * rate)
        assert abs(piece["start"] - expected) < 0.01
        assert np.array_equal(samples[start : start + len(made)], made)
        expected = piece["start"] + len(made) / rate + pauses[piece["break"]]
    assert abs(expected - len(samples) / rate) < 0.01

    # Lengths: nothing is cut off, and nothing is hurried.
    paces = [
        run.metadata["seconds"] / len(run.metadata["phonemes"]) for run in runs.values() if len(run.metadata["phonemes"]) > 60
    ]
    usual = statistics.median(paces)
    assert all(0.7 < pace / usual < 1.4 for pace in paces), sorted(paces)
    assert all(len(run.metadata["phonemes"]) <= 510 and run.metadata["passes"] == 1 for run in runs.values())

    chosen = [pieces[number * (len(pieces) - 1) // (HEARD - 1)] for number in range(HEARD)]
    counts = [
        word_errors(runs[piece["run"]].metadata.get("spoken", piece["text"]), listener.hear(sounds[piece["run"]]))
        for piece in chosen
    ]
    wrong, total = sum(errors for errors, _ in counts), sum(words for _, words in counts)
    assert wrong / total < 0.1, list(zip([piece["text"] for piece in chosen], counts, strict=True))
