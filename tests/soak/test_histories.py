"""Histories of the whole app, generated, shrunk and replayed by seed: whatever happens, each item has exactly one end.

The app is a process of its own on a real workspace, with a real worker. Between two commands it may be killed, or its worker,
the disk may be full, another program may hold the database or look in. At the end everything is well again, the queue is
worked off, and what was acknowledged must be there.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest
from history_app import FULL
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from support import DEADLINE, marked_processes, wait_for

from cosmos_workflow.config import Workspace
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.store import Store, repair_workspace

PLUGIN = Path(__file__).parents[1] / "plugin"
MARK = "COSMOS_HISTORY"
TEXTS = st.sampled_from(["ok", "ok", "work 5", "work 40", "fail", "break", "kill"])
STARTS = 12
"""A queue that holds is started again; this often is enough for any history."""


class Histories(RuleBasedStateMachine):
    """What a person, the system and chance may do to an app."""

    totals: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="cosmos-history-")
        self.root = Path(self.folder.name) / "workspace"
        self.mark = f"{os.getpid()}-{self.root.parent.name}"
        self.log = Path(self.folder.name) / "app.log"
        self.token = ""
        self.texts: dict[str, str] = {}
        self.cancelled: set[str] = set()
        self.worker_kills = 0
        self.app: subprocess.Popen[str] | None = None
        self.start_app()

    # --- the app, and how it is talked to ---

    @property
    def runs(self) -> bool:
        return self.app is not None

    def start_app(self) -> None:
        with self.log.open("a", encoding="utf-8") as log:
            self.app = subprocess.Popen(
                [sys.executable, str(PLUGIN / "history_app.py"), str(self.root), self.token],
                env={**os.environ, "PYTHONPATH": str(PLUGIN), MARK: self.mark},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.token = self.ask("token")["answer"]

    def ask(self, *command: Any) -> dict[str, Any]:
        self.send(*command)
        return self.answer()

    def send(self, *command: Any) -> None:
        assert self.app is not None
        assert self.app.stdin is not None
        self.app.stdin.write(json.dumps(command) + "\n")
        self.app.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.app is not None
        assert self.app.stdout is not None
        line = self.app.stdout.readline()
        assert line, self.log.read_text(encoding="utf-8")
        return json.loads(line)

    def processes(self) -> list[psutil.Process]:
        return marked_processes(MARK, self.mark)

    # --- what may happen ---

    @precondition(lambda self: self.runs)
    @rule(texts=st.lists(TEXTS, min_size=1, max_size=9), group=st.integers(0, 1))
    def add(self, texts: list[str], group: int) -> None:
        ids = self.ask("add", texts, group).get("answer", [])
        self.texts.update(zip(ids, texts, strict=False))

    @precondition(lambda self: self.runs)
    @rule()
    def start(self) -> None:
        self.ask("start")

    @precondition(lambda self: self.runs)
    @rule()
    def pause(self) -> None:
        self.ask("pause")

    @precondition(lambda self: self.runs)
    @rule()
    def cancel(self) -> None:
        self.cancelled.update(self.ask("cancel").get("answer", []))

    @precondition(lambda self: self.runs)
    @rule(text=TEXTS)
    def edit(self, text: str) -> None:
        item = self.ask("edit", text).get("answer", "")
        if item:
            self.texts[item] = text

    @precondition(lambda self: self.runs and self.texts)
    @rule(choice=st.integers(0, 10_000))
    def remove(self, choice: int) -> None:
        item = list(self.texts)[choice % len(self.texts)]
        for gone in self.ask("remove", item).get("answer", []):
            del self.texts[gone]

    @precondition(lambda self: self.runs)
    @rule()
    def kill_the_app(self) -> None:
        assert self.app is not None
        self.app.kill()
        self.app.communicate(timeout=DEADLINE)
        self.app = None
        wait_for(lambda: not self.processes(), "the workers of a killed app end")
        self.totals["kills of the app"] += 1

    @precondition(lambda self: self.runs and self.texts)
    @rule()
    def start_and_kill_a_worker(self) -> None:
        assert self.app is not None
        self.ask("start")
        app = psutil.Process(self.app.pid)
        wait_for(lambda: app.children() or not self.ask("active")["answer"], "a worker starts, or there is nothing to do")
        for process in app.children():
            process.kill()
            self.worker_kills += 1
            self.totals["kills of a worker"] += 1

    @precondition(lambda self: not self.runs)
    @rule()
    def restart(self) -> None:
        self.start_app()

    @rule()
    def look_in(self) -> None:
        with Store(Workspace.open(self.root)) as store:
            store.runs.list(limit=5)

    @rule(full=st.booleans())
    def fill_the_disk(self, full: bool) -> None:
        flag = self.root / FULL
        flag.touch() if full else flag.unlink(missing_ok=True)

    @precondition(lambda self: self.runs)
    @rule(texts=st.lists(TEXTS, min_size=1, max_size=3))
    def add_while_the_database_is_held(self, texts: list[str]) -> None:
        with held_database(self.root):
            self.send("add", texts, 0)
        self.texts.update(zip(self.answer().get("answer", []), texts, strict=False))

    # --- the end ---

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            if self.app is not None:
                self.app.kill()
                self.app.communicate(timeout=DEADLINE)
            self.folder.cleanup()

    def finish(self) -> None:
        (self.root / FULL).unlink(missing_ok=True)
        if not self.runs:
            self.start_app()
        end: dict[str, Any] = {}
        for _ in range(STARTS):
            self.ask("start")
            end = self.ask("join")["answer"]
            if not end["left"]:
                break
        assert end["left"] == 0, end
        assert self.app is not None
        self.app.communicate(timeout=DEADLINE)
        assert self.app.returncode == 0, self.log.read_text(encoding="utf-8")
        self.app = None
        wait_for(lambda: not self.processes(), "every process of the history ended")
        self.check()

    def check(self) -> None:
        workspace = Workspace.open(self.root)
        with Store(workspace) as store:
            runs = [run for run in store.runs.list(limit=None, interrupted=True) if not run.interrupted]
        ends = Counter(run.item_id for run in runs)
        assert set(ends) == set(self.texts), "an end for each item that was acknowledged, and for no other"
        assert set(ends.values()) <= {1}, "one end an item"
        for run in runs:
            assert run.status in self.allowed(run.item_id), (run.item_id, self.texts[run.item_id], run.status, run.error)
            self.totals[str(run.status)] += 1
        folders = {path.name for path in workspace.runs.iterdir()}
        assert folders == {run.id for run in runs if run.status is ItemStatus.SUCCEEDED}
        assert repair_workspace(workspace) == []

    def allowed(self, item: str) -> set[ItemStatus]:
        """How an item may end: as its text says, unless it was cancelled, or processes were killed while it ran."""
        told = {ItemStatus.FAILED} if self.texts[item] in ("fail", "break", "kill") else {ItemStatus.SUCCEEDED}
        if item in self.cancelled:
            told |= {ItemStatus.CANCELLED}
        if self.worker_kills > 2:
            told |= {ItemStatus.FAILED}
        return told


@contextmanager
def held_database(root: Path) -> Iterator[None]:
    """Another program writes into the database meanwhile."""
    connection = sqlite3.connect(Workspace.open(root).database, isolation_level=None, timeout=DEADLINE)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def explore(examples: int, *, derandomize: bool) -> None:
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=examples,
            stateful_step_count=14,
            deadline=None,
            derandomize=derandomize,
            suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much),
            print_blob=not derandomize,
        ),
    )
    sys.stdout.write(f"\n{examples} histories: {dict(Histories.totals)}\n")


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_twenty_histories() -> None:
    explore(20, derandomize=True)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_five_hundred_histories() -> None:
    explore(500, derandomize=False)
