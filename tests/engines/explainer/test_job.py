"""A video whose narration earlier tasks of its job have spoken, from the command line."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from explainer_support import SAMPLE
from scipy.signal import resample_poly

from cosmos_workflow.clips.looking import probe_clip
from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.explainer import SPEC, ExplainerParams
from cosmos_workflow.engines.explainer.storyboard import FADE, LEAD
from cosmos_workflow.store.store import Store

pytestmark = pytest.mark.skipif(not SPEC.availability().available, reason=str(SPEC.availability()))

JOB = SAMPLE.parents[1] / "jobs" / "sky.yaml"
DRAFT = "params: {theme: night, quality: 240p, fps: 10}"


def run(job: Path) -> list[dict[str, Any]]:
    """The job's results, task by task."""
    command = [sys.executable, "-m", "cosmos_workflow", "run", str(job), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_sample_job_speaks_then_draws_and_a_changed_sentence_draws_one_scene(tmp_path: Path) -> None:
    text = JOB.read_text(encoding="utf-8").replace("params: {theme: night, quality: 720p, fps: 30}", DRAFT)
    assert DRAFT in text
    job = tmp_path / "sky.yaml"
    job.write_text(text, encoding="utf-8")
    *spoken, film = run(job)
    sounds = [soundfile.info(result["files"]["audio"]).duration for result in spoken]
    pause = ExplainerParams().pause
    scenes = [math.ceil(round((LEAD + seconds + pause + FADE) * 10, 6)) / 10 for seconds in sounds]
    video = Path(film["files"]["video"])
    assert probe_clip(video).seconds == pytest.approx(sum(scenes), abs=0.01)
    with av.open(str(video)) as opened:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in opened.decode(audio=0)])
    assert len(heard) / 48_000 == pytest.approx(sum(scenes), abs=0.1)
    begun = 0.0
    for seconds, scene, result in zip(sounds, scenes, spoken, strict=True):
        own, rate = soundfile.read(result["files"]["audio"])
        first = round((begun + LEAD) * 48_000)
        sound = resample_poly(own, 48_000, rate)
        said = heard[first : first + len(sound)]
        assert np.corrcoef(said, sound)[0, 1] > 0.99, "the very sound, not a moment early or late"
        assert np.std(said) == pytest.approx(np.std(sound), rel=0.05), "as loud as it was spoken"
        quiet = heard[round((begun + LEAD + seconds + 0.1) * 48_000) : round((begun + scene - 0.1) * 48_000)]
        assert np.abs(quiet).max() < 0.01
        begun += scene

    assert [result["made"] for result in run(job)] == [0, 0, 0, 0]
    job.write_text(
        text.replace("Blue is scattered almost six times as much", "Blue is scattered almost six times more"), encoding="utf-8"
    )
    assert [result["made"] for result in run(job)] == [0, 0, 1, 1]
    with Store(Workspace.open()) as store:
        newest, first = store.runs.list(engine="explainer")
    assert (first.metadata["scenes_drawn"], newest.metadata["scenes_drawn"]) == (3, 1)
