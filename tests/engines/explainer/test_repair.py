"""A broken cache as its owner meets it: on the command line, with the video made again afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from explainer_support import DRAFT, SAMPLE

from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.explainer import SPEC
from cosmos_workflow.engines.explainer.cache import ASIDE, Cache
from cosmos_workflow.store.store import Store

pytestmark = pytest.mark.skipif(not SPEC.availability().available, reason=str(SPEC.availability()))


def call(*arguments: str | Path) -> str:
    """What a verb that succeeds prints, in a process of its own; home and workspace are this test's."""
    command = [sys.executable, "-m", "cosmos_workflow", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def damage(cache: Path, tmp_path: Path) -> dict[str, str]:
    """Breaks two clips, and keeps an error message as an outline; what should be said of each file."""
    empty, cut, *_ = sorted(cache.glob("scene-*"))
    empty.write_bytes(b"")
    cut.write_bytes(cut.read_bytes()[:-2000])
    message = tmp_path / "error.json"
    message.write_text('{"error": {"message": "rate limit"}}')
    before = set(cache.iterdir())
    Cache(cache).keep("outline", "0123456789abcdef" * 2, message)
    (outline,) = set(cache.iterdir()) - before
    return {
        empty.name: "It is empty.",
        cut.name: "Its content isn't what was written.",
        outline.name: "It isn't an outline.",
    }


@pytest.mark.slow
def test_a_broken_cache_is_found_said_put_aside_and_made_again(cache: Path, tmp_path: Path) -> None:
    broken = damage(cache, tmp_path)
    sound = {path.name for path in cache.iterdir()} - set(broken)

    def told(*arguments: str) -> list[dict[str, Any]]:
        return json.loads(call("repair", *arguments, "--json"))

    found = told("--dry-run")
    assert {row["subject"]: row["problem"] for row in found} == broken
    assert not any(row["applied"] for row in found)
    assert {path.name for path in cache.iterdir()} == sound | set(broken)

    table = call("repair")
    assert "put aside" in table
    assert {path.name for path in (cache / ASIDE).iterdir()} == set(broken)
    assert {path.name for path in cache.iterdir()} == {*sound, ASIDE}
    assert "Everything agrees" in call("repair")

    job = tmp_path / "film.yaml"
    params = {**DRAFT, "scene_limit": 120}
    job.write_text(json.dumps({"engine": "explainer", "params": params, "inputs": {"outline": str(SAMPLE)}}))
    (result,) = json.loads(call("run", job, "--json"))
    assert result["status"] == "completed"
    with Store(Workspace.open()) as store:
        (run,) = store.runs.list()
    assert (run.metadata["scenes_drawn"], run.metadata["notes"]) == (2, [])
    assert {path.name for path in cache.iterdir() if path.is_file()} >= sound
