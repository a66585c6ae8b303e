"""The journal: after any sequence of changes it holds what the queue holds, whoever writes beside it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support import DEADLINE

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.queueing.items import ItemStatus, Prompt, QueueItem
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.queueing.retries import Ending
from cosmos_workflow.store.store import Store

Queued = Callable[..., tuple[Queue, list[QueueItem]]]


def held(queue: Queue) -> list[QueueItem]:
    return list(queue.snapshot().items)


def test_another_life_finds_the_queue_as_it_was(workspace: Workspace, store: Store, queued: Queued) -> None:
    queue, _ = queued("one", "two", "three", owner="ada")
    queue.move([held(queue)[2].id], -2)
    queue.edit(held(queue)[1].id, text="änderung \ud83c\udf99".encode("utf-16", "surrogatepass").decode("utf-16"))
    store.close()
    with Store(workspace) as later:
        assert later.queues.load(queue.token) == held(queue)
        assert later.queues.owner_of(queue.token) == "ada"
        assert later.queues.list_open() == [(queue.token, "ada")]
        assert later.queues.list_open("ada") == [(queue.token, "ada")]
        assert later.queues.list_open("eve") == []


def test_an_unknown_token_has_no_owner_and_no_items(store: Store) -> None:
    assert store.queues.owner_of("qt_nobody") is None
    assert store.queues.load("qt_nobody") == []
    assert store.queues.state_of("qt_nobody") == {}


def test_a_queue_stays_its_owners(store: Store) -> None:
    store.queues.register("qt_1", "ada")
    store.queues.register("qt_1", "ada")
    with pytest.raises(InputError, match="belongs to somebody else"):
        store.queues.register("qt_1", "eve")
    assert store.queues.owner_of("qt_1") == "ada"


def test_a_queue_that_another_process_works_on_is_not_taken_over(workspace: Workspace, store: Store, queued: Queued) -> None:
    queue, _ = queued("one")
    with Store(workspace) as page:
        assert store.queues.list_open() == [(queue.token, "local")]
        assert page.queues.list_open() == []
        store.close()
        assert page.queues.list_open() == [(queue.token, "local")]


def test_a_queue_keeps_whether_it_is_paused(workspace: Workspace, store: Store) -> None:
    store.queues.set_state("qt_1", {"state": "paused"})
    store.queues.set_state("qt_1", {"state": "held", "reason": "the disk is full"})
    with Store(workspace) as later:
        assert later.queues.state_of("qt_1") == {"state": "held", "reason": "the disk is full"}
        assert later.queues.list_open() == [], "it holds no item"


def test_a_full_disk_changes_neither_queue_nor_journal(
    workspace: Workspace, store: Store, queued: Queued, limit_database: Callable[[], None]
) -> None:
    queue, _ = queued("one", "two")
    before = held(queue)
    limit_database()
    with pytest.raises(UnavailableError, match=r"database .* can't be written: the disk is full; free some space"):
        queue.add_to_queue([Prompt("x" * 9_000) for _ in range(20)], "probe", {})
    assert held(queue) == before
    with Store(workspace) as later:
        assert later.queues.load(queue.token) == before
        with later.database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_many_threads_lose_nothing(store: Store) -> None:
    queues = [Queue(journal=store.queues) for _ in range(3)]
    finished: list[str] = []

    def work(queue: Queue, number: int) -> None:
        for turn in range(8):
            queue.add_to_queue([Prompt(f"{number}-{turn}")], "probe", {"group": turn % 2})
            if turn % 4 == 3 and (batch := queue.claim()):
                finished.append(queue.finish(batch.items[0].id, ItemStatus.SUCCEEDED).id)
                queue.put_back([item.id for item in batch.items[1:]])

    threads = [threading.Thread(target=work, args=(queue, number)) for queue in queues for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(finished) == len(set(finished)) > 0
    assert sum(len(held(queue)) for queue in queues) == 3 * 4 * 8 - len(finished)
    for queue in queues:
        assert store.queues.load(queue.token) == held(queue)


@pytest.mark.slow
def test_many_processes_that_open_a_new_workspace_at_once_lose_nothing(workspace: Workspace) -> None:
    script = Path(__file__).parent / "processes.py"
    command = [sys.executable, str(script), "write", str(workspace.root), "4"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE)
    assert answer.returncode == 0, answer.stderr
    with Store(workspace) as store:
        assert {(token, len(store.queues.load(token))) for token, _ in store.queues.list_open()} == {
            (f"qt_{n}", 15) for n in range(4)
        }
        assert store.prompts.count() == 4 * 20
        assert store.runs.count(status=ItemStatus.SUCCEEDED) == 4 * 5
        assert not store.repair.run()


class JournalMachine(RuleBasedStateMachine):
    """Whatever people and runners do with a queue, its journal replays to what it holds."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.store = Store(Workspace.open(self.folder.name))
        self.queue = Queue(journal=self.store.queues)
        self.other = Queue(journal=self.store.queues)
        self.other.add_to_queue([Prompt("mine")], "probe", {})

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(count=st.integers(1, 3), group=st.integers(0, 1))
    def add(self, count: int, group: int) -> None:
        self.queue.add_to_queue([Prompt("text")] * count, "probe", {"group": group})

    @precondition(lambda self: self.queue.snapshot().queued)
    @rule(data=st.data(), offset=st.integers(-3, 3))
    def change(self, data: st.DataObject, offset: int) -> None:
        chosen = data.draw(st.sampled_from(self.queue.snapshot().queued)).id
        action = data.draw(st.sampled_from(["move", "edit", "duplicate", "remove"]))
        if action == "move":
            self.queue.move([chosen], offset)
        elif action == "edit":
            self.queue.edit(chosen, text=f"edited {offset}")
        elif action == "duplicate":
            self.queue.duplicate([chosen])
        else:
            self.queue.remove_from_queue([chosen])

    @rule(data=st.data(), back=st.booleans())
    def hand_over(self, data: st.DataObject, back: bool) -> None:
        ours, theirs = (self.other, self.queue) if back else (self.queue, self.other)
        ids = [item.id for item in ours.snapshot().items]
        chosen = data.draw(st.lists(st.sampled_from(ids), unique=True)) if ids else []
        before, total = held(theirs), len(ours) + len(theirs)
        gone = ours.hand_over(chosen, theirs)
        assert held(theirs) == [*before, *gone], "at the end"
        assert all(item.status is ItemStatus.QUEUED for item in gone)
        assert len(ours) + len(theirs) == total

    @rule()
    def claim(self) -> None:
        self.queue.claim()

    @precondition(lambda self: self.queue.snapshot().running)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(self.queue.snapshot().running))
        action = data.draw(st.sampled_from(["succeeded", "failed", "cancelled", "interrupt", "put back"]))
        if action == "interrupt":
            self.queue.settle(item.after(Ending.DIED, "it died."))
        elif action == "put back":
            self.queue.put_back([item.id])
        else:
            self.queue.finish(item.id, ItemStatus(action))

    @rule()
    def clear_or_retry(self) -> None:
        self.queue.retry()
        if len(self.queue) > 6:
            self.queue.clear_queue()

    @invariant()
    def the_journal_agrees(self) -> None:
        assert self.store.queues.load(self.queue.token) == held(self.queue)
        assert self.store.queues.load(self.other.token) == held(self.other)


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
