"""An engine of another package that is broken: it is named with the reason, and everything else goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import odd_engines
import pytest
from support import DEADLINE

pytestmark = pytest.mark.slow

BUILT_IN = {"chatterbox", "control-preview", "cosmos-transfer", "espeak", "explainer", "kokoro"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package of broken engines, and others that claim names that somebody has."""
    broken = {name: source for name, (source, _) in odd_engines.BROKEN.items()}
    others = {f"raises-{method}": odd_engines.raising(method) for method in ("availability", "repair", "check", "fields")}
    folder = odd_engines.install(tmp_path_factory.mktemp("site"), {**broken, **others, "odd": odd_engines.GOOD})
    odd_engines.install(folder, {"twice": odd_engines.GOOD}, "one")
    return odd_engines.install(folder, {"twice": odd_engines.GOOD, "espeak": odd_engines.GOOD}, "other")


def command(installed: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "cosmos_workflow", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(installed)},
        timeout=DEADLINE,
    )
    assert "Traceback" not in done.stderr + done.stdout
    return done


def test_engines_names_each_with_its_reason(installed: Path) -> None:
    done = command(installed, "engines", "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows.keys() >= BUILT_IN | odd_engines.BROKEN.keys()
    for name, (_, reason) in odd_engines.BROKEN.items():
        assert not rows[name]["available"]
        assert reason in rows[name]["what"], name
    assert "more than one engine (one (one_0:SPEC), other (other_0:SPEC))" in rows["twice"]["what"]
    assert rows["espeak"]["what"].startswith("Speech in more than 130 languages")
    assert "The built-in engine espeak is used, not the one of that name of other (other_1:SPEC)." in done.stderr
    assert rows["odd"]["available"]
    assert rows["raises-availability"]["what"].startswith("Its own check broke (KeyError: 'odd').")
    assert "raises-fields" in rows


def test_weights_show_and_repair_go_on_and_say_what_they_leave_out(installed: Path) -> None:
    shown = command(installed, "weights", "show", "--json")
    assert {"kokoro", "chatterbox"} <= {row["name"] for row in json.loads(shown.stdout)}
    repaired = command(installed, "repair", "--json")
    assert json.loads(repaired.stdout) == []
    assert repaired.returncode == 1
    assert "raises-repair: its own repair broke (KeyError: 'odd')" in repaired.stderr
    for done in (shown, repaired):
        assert "'fails-on-import' of odd (odd_0:SPEC) breaks when it is loaded" in done.stderr


def test_a_job_runs_beside_them_and_one_that_names_them_is_told_where(installed: Path, tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("engine: odd\ntasks:\n  - text: It works.\n")
    assert command(installed, "run", job).returncode == 0
    tasks = "".join(f"  - {{engine: {engine}, text: a}}\n" for engine in ("fails-on-import", "raises-check", "nope"))
    job.write_text(f"tasks:\n{tasks}")
    done = command(installed, "check", job)
    assert done.returncode == 2
    told = [line for line in done.stderr.splitlines() if "job.yaml" in line]
    assert len(told) == 3
    assert "job.yaml:2:" in told[0]
    assert "breaks when it is loaded" in told[0]
    assert "job.yaml:3:" in told[1]
    assert "its engine can't say what to do with it (KeyError: 'odd')" in told[1]
    assert "job.yaml:4:" in told[2]
    assert "'nope' isn't installed" in told[2]
