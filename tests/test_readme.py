"""The README is true: its code runs, its job file is the sample, its verbs exist."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_support import Server, start_server
from support import DEADLINE

import cosmos_workflow
from cosmos_workflow.cli import app
from cosmos_workflow.config import Settings
from cosmos_workflow.engines.registry import engine_names

ROOT = Path(__file__).parents[1]
PAGE = "http://127.0.0.1:7860"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Server]:
    server = start_server(tmp_path / "workspace")
    yield server
    server.stop()


@pytest.mark.slow
@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.strip().splitlines()[0][:40])
def test_python_code_runs(code: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if PAGE in code:
        code = code.replace(PAGE, request.getfixturevalue("page").url)
    script = tmp_path / "example.py"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_job_file_is_the_sample() -> None:
    assert (ROOT / "assets/jobs/welcome.yaml").read_text(encoding="utf-8") in blocks("yaml")


def test_every_verb_in_a_command_exists_and_every_verb_is_mentioned() -> None:
    used = set(re.findall(r"uv run cosmos-workflow ([a-z-]+)", README))
    known = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    groups = {group.name for group in app.registered_groups if group.name}
    assert used <= known | groups
    for verb in known | groups:
        assert re.search(rf"`[^`]*\b{verb}\b[^`]*`|cosmos-workflow {verb}\b", README), f"{verb} isn't in the README"


def test_every_engine_is_in_the_table() -> None:
    for name in set(engine_names()) - {"probe", "toy-chatterbox", "toy-cosmos-transfer"}:
        assert f"| `{name}` |" in README


def test_every_setting_is_documented() -> None:
    for name in Settings.model_fields:
        assert f"| `{name}` |" in README


def test_every_picture_is_there() -> None:
    for path in re.findall(r"!\[[^]]*]\(([^)]+)\)", README):
        assert (ROOT / path).is_file(), path


def test_nothing_else_stands_at_the_top() -> None:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT).stdout.split("\n")
    top = {name.split("/")[0] for name in listed if name}
    assert {name for name in top if not name.startswith(".")} == {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "cosmos_workflow",
        "tests",
        "assets",
    }


def test_the_fixed_names_come_from_the_package() -> None:
    names = "JobStore JobManager TaskOrchestrator TaskExecutor TaskConfig TaskResult ExecutionPlan Workspace InputError"
    for name in names.split():
        assert getattr(cosmos_workflow, name).__name__ == name
        assert name in dir(cosmos_workflow)
