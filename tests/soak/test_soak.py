"""Kill the app or its worker at a random moment, again and again: nothing is lost, nothing is made twice, nobody stays behind."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import psutil
import pytest
from soak_app import ADDED, KILLERS
from support import DEADLINE, marked_processes, wait_for

from cosmos_workflow.config import Workspace
from cosmos_workflow.queueing import ItemStatus
from cosmos_workflow.store.store import Store

ITEMS = 50
QUEUES, EACH, FAILING = 30, 20, 0.03
"""Of the test of many queues: items in each, and the share of writes that fail."""
PLUGIN = Path(__file__).parents[1] / "plugin"
MARK = "COSMOS_SOAK_ROUND"
STOPPED = 3.0
"""Seconds that a process is stopped."""


class Round:
    """One workspace, its queues of so many items, and the apps that work on them one after another."""

    def __init__(self, root: Path, seed: int, items: int = ITEMS, queues: int = 1, failing: float = 0.0) -> None:
        self.root = root
        self.work = [str(items), str(queues), str(failing)]
        self.chance = random.Random(seed)
        # Every process of this round carries the mark, so that one that stays behind is found whoever its parent is.
        self.mark = f"{os.getpid()}-{seed}"
        self.environment = {**os.environ, "PYTHONPATH": str(PLUGIN), MARK: self.mark}
        self.kills: Counter[str] = Counter()

    def app(self) -> subprocess.Popen[str]:
        command = [sys.executable, str(PLUGIN / "soak_app.py"), str(self.root), *self.work]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run_and_kill(self) -> None:
        """Start the app; at a random number of finished items, and a random moment after that, kill it or its worker."""
        app = self.app()
        progress = self.made() + self.chance.randrange(ITEMS // 2)
        wait_for(lambda: app.poll() is not None or self.made() >= progress, "it works")
        try:
            app.wait(self.chance.uniform(0, 0.03))
        except subprocess.TimeoutExpired:
            victim = self.chance.choice(["app", "worker"])
            for process in [psutil.Process(app.pid)] if victim == "app" else self._workers(app):
                process.kill()
                self.kills[f"kills of the {victim}"] += 1
        app.communicate(timeout=DEADLINE)
        wait_for(lambda: not self.processes(), "every process of the round ended")

    def disturb(self) -> None:
        """Start the app; stop its worker for a moment, then the app, set its clock back, and kill it, with work in between."""
        app = self.app()
        wait_for((self.root / ADDED).exists, "the queues are filled")
        victims = [lambda: self._workers(app), lambda: [psutil.Process(app.pid)]]
        for find in victims:
            self._wait_for_more(app)
            stopped = find()
            for process in stopped:
                process.suspend()
            threading.Event().wait(STOPPED)
            for process in stopped:
                process.resume()
        self._wait_for_more(app)
        app.send_signal(signal.SIGUSR1)
        self._wait_for_more(app)
        assert app.poll() is None, "it works still"
        app.kill()
        app.communicate(timeout=DEADLINE)
        wait_for(lambda: not self.processes(), "every process of the app ended")

    def _wait_for_more(self, app: subprocess.Popen[str]) -> None:
        enough = self.made() + QUEUES
        wait_for(lambda: app.poll() is not None or self.made() >= enough, "it works")

    def made(self) -> int:
        return sum(path.suffix == "" for path in (self.root / "runs").glob("rs_*"))

    def finish(self, seconds: float = DEADLINE) -> str:
        out, errors = self.app().communicate(timeout=seconds)
        assert out.rstrip().endswith("done"), out + errors
        return out

    def processes(self) -> list[psutil.Process]:
        return marked_processes(MARK, self.mark)

    def _workers(self, app: subprocess.Popen[str]) -> list[psutil.Process]:
        try:
            return psutil.Process(app.pid).children()
        except psutil.NoSuchProcess:
            return []


def check(workspace: Workspace, items: int = ITEMS) -> Counter[str]:
    """Every item has exactly one result, and records and folders agree; returns how the items ended."""
    store = Store(workspace)
    runs = store.runs.list(limit=None, interrupted=True)
    final = [run for run in runs if not run.interrupted]
    assert len({run.item_id for run in final}) == len(final) == items, "one result for each item"
    assert all(run.status.is_terminal for run in runs)
    assert store.queues.list_open() == []
    folders = {path.name for path in workspace.runs.iterdir()}
    assert folders == {run.id for run in final if run.status is ItemStatus.SUCCEEDED}
    for name in folders:
        told = json.loads((workspace.runs / name / "run.json").read_text())
        assert (workspace.runs / name / told["outputs"]["audio"]["file"]).stat().st_size == told["outputs"]["audio"]["size"]
    assert store.repair.run() == []
    store.close()
    return Counter(str(run.status) for run in final)


def soak(tmp_path: Path, rounds: int, kills: int) -> None:
    totals: Counter[str] = Counter()
    for seed in range(rounds):
        one = Round(tmp_path / f"round{seed}", seed)
        for _ in range(kills):
            one.run_and_kill()
        for _ in range(4):
            # A queue that held after three deaths in a row goes on when it is started again.
            if "held" not in one.finish():
                break
        assert one.processes() == []
        totals += check(Workspace.open(one.root)) + one.kills
    sys.stdout.write(f"\n{rounds} rounds of {ITEMS} items: {dict(totals)}\n")


@pytest.mark.slow
def test_kills_at_random_moments_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    soak(tmp_path, rounds=2, kills=2)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_rounds(tmp_path: Path) -> None:
    soak(tmp_path, rounds=100, kills=1)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_queues_lose_nothing_when_everything_is_disturbed(tmp_path: Path) -> None:
    """Items that kill their worker, a stopped worker, a stopped app, the clock an hour back, failing writes, a killed app."""
    one = Round(tmp_path / "workspace", 0, EACH, QUEUES, FAILING)
    one.disturb()
    one.finish(seconds=1800)
    assert one.processes() == []
    with Store(Workspace.open(one.root)) as store:
        store.recovery.sweep()  # the next start takes away the folders that couldn't be removed
    ends = check(Workspace.open(one.root), QUEUES * EACH)
    killers = QUEUES // KILLERS
    assert ends == {"succeeded": QUEUES * EACH - killers, "failed": killers}
    sys.stdout.write(f"\n{QUEUES} queues of {EACH} items: {dict(ends)}\n")
