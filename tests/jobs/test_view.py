"""What a person sees of jobs in a terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from cosmos_workflow.cli.jobs_view import RunView, print_checked
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator

ASSETS = Path(__file__).parents[2] / "assets"
CHAIN = """
tasks:
  - {name: one, engine: tone, text: Eins.}
  - {name: two, engine: tone, text: Zwei., inputs: {before: task:one}}
  - {name: clip, engine: control-preview, params: {fps: 5}, weights: {vis: 0, depth: 0, seg: 0}, inputs: {video: street.mp4}}
  - {name: again, engine: control-preview, params: {fps: 5}, weights: {vis: 0, depth: 0, seg: 0}, inputs: {video: task:clip}}
"""


@pytest.mark.slow
def test_the_bar_of_all_never_goes_back_though_tasks_wait_for_each_other(
    orchestrator: TaskOrchestrator, manager: JobManager
) -> None:
    manager.upload(ASSETS / "samples" / "street.mp4")
    job = manager.create("Chain", CHAIN).job
    assert job is not None
    screen = io.StringIO()
    with RunView(Console(file=screen, force_terminal=True, width=120)) as view:
        assert all(result.succeeded for result in orchestrator.run(job, on_event=view.see))
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()).replace("\r", "\n")
    shares = [int(share) for share in re.findall(r"^all .*?(\d+) %", plain, re.MULTILINE)]
    assert shares == sorted(shares)
    assert shares
    rows = re.findall(r"^(one|two|clip|again) .*?(\d+) % (.*?) *$", plain, re.MULTILINE)
    assert set(rows[-4:]) == {(name, "100", "Completed") for name in ("one", "two", "clip", "again")}


def test_work_is_counted_in_each_engines_own_unit(orchestrator: TaskOrchestrator, manager: JobManager) -> None:
    manager.upload(ASSETS / "samples" / "street.mp4")
    job = manager.create("Chain", CHAIN).job
    assert job is not None
    told = io.StringIO()
    print_checked([orchestrator.check(job)], Console(file=told, width=160, force_terminal=True, no_color=True))
    rows = {cells[1]: cells[2:7] for line in told.getvalue().splitlines() if len(cells := re.split(r" *│ *", line)) > 6}
    assert rows["one"] == ["tone", "new", "1", "1", "5 characters"]
    assert rows["two"] == ["tone", "new, after one", "1", "1", "not known yet (characters)"]
    assert re.fullmatch(r"\d+ frames", rows["clip"][4])
    assert rows["again"][4] == "not known yet (frames)"
