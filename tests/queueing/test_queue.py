"""The queue: what a person and a runner do with it, in any order."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing.items import TRANSITIONS, ItemStatus, Prompt, QueueItem, TransitionError
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.queueing.retries import MAX_INTERRUPTIONS, Ending
from cosmos_workflow.queueing.snapshot import Kind, Work, count_work


class MemoryJournal:
    """Replays what it was told: what a restart would find. Refuses everything while `broken`."""

    def __init__(self) -> None:
        self.items: dict[str, QueueItem] = {}
        self.broken = False

    def save(
        self, token: str, added: Sequence[QueueItem], changed: Sequence[QueueItem] = (), removed: Sequence[str] = ()
    ) -> None:
        if self.broken:
            raise OSError("No space left on device")
        for item_id in removed:
            del self.items[item_id]
        assert not {item.id for item in added} & self.items.keys(), "new"
        assert {item.id for item in changed} <= self.items.keys(), "known"
        self.items.update({item.id: item for item in [*added, *changed]})

    def hand_over(self, token: str, to: str, items: Sequence[QueueItem]) -> None:
        if self.broken:
            raise OSError("No space left on device")
        self.items.update({item.id: item for item in items})


def prompts(*texts: str) -> list[Prompt]:
    return [Prompt(text) for text in texts]


def texts(queue: Queue) -> list[str]:
    return [item.prompt_text for item in queue.snapshot().items]


def test_prompts_times_configuration_go_to_the_end() -> None:
    queue = Queue()
    queue.add_to_queue(prompts("one", "two"), "espeak", {"rate": 140})
    added = queue.add_to_queue(prompts("three"), "espeak", {})
    assert texts(queue) == ["one", "two", "three"]
    assert added[0].params["rate"] == 175, "every param is stated"


def test_one_wrong_prompt_adds_none_and_is_named() -> None:
    queue = Queue()
    with pytest.raises(InputError, match=r"Prompt 2 of 2 .*empty"):
        queue.add_to_queue(prompts("fine", "  "), "espeak", {})
    assert len(queue) == 0


def test_an_over_long_prompt_is_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"10,001 characters; use at most 10,000"):
        Queue().add_to_queue(prompts("a" * 10_001), "espeak", {})


def test_nothing_selected_is_said() -> None:
    with pytest.raises(InputError, match="select at least one"):
        Queue().add_to_queue([], "espeak", {})


@pytest.mark.parametrize(
    ("ids", "offset", "expected"),
    [
        ("c", -1, "acbd"),
        ("a", 1, "bacd"),
        ("cd", -1, "acdb"),
        ("ab", 1, "cabd"),
        ("d", -99, "dabc"),
        ("ac", -1, "acbd"),
        ("a", -1, "abcd"),
    ],
)
def test_items_move_as_a_block_and_stop_at_the_ends(ids: str, offset: int, expected: str) -> None:
    queue = Queue()
    by_text = {item.prompt_text: item.id for item in queue.add_to_queue(prompts(*"abcd"), "espeak", {})}
    queue.move([by_text[letter] for letter in ids], offset)
    assert "".join(texts(queue)) == expected


def test_a_move_to_the_front_wins_over_the_key_that_is_on_its_way() -> None:
    queue = Queue(size_of=lambda _item: 1)
    queue.add_to_queue(prompts("a1", "a2"), "espeak", {})
    (other,) = queue.add_to_queue(prompts("c1"), "chatterbox", {})
    first = queue.claim()
    assert first is not None
    assert [batch.items[0].prompt_text for batch in queue.plan()] == ["a2", "c1"]
    queue.move([other.id], -9)
    assert [batch.items[0].prompt_text for batch in queue.plan()] == ["c1", "a2"]


def test_a_mixed_queue_changes_the_model_once_not_after_every_batch() -> None:
    queue = Queue(size_of=lambda _item: 2)
    for number in range(4):
        queue.add_to_queue(prompts(f"e{number}"), "espeak", {})
        queue.add_to_queue(prompts(f"c{number}"), "chatterbox", {})
    engines = []
    while (batch := queue.claim()) is not None:
        engines.append(batch.engine)
        for item in batch.items:
            queue.finish(item.id, ItemStatus.SUCCEEDED)
    assert engines == ["espeak", "espeak", "chatterbox", "chatterbox"]


@pytest.mark.parametrize(
    ("ids", "place", "expected"), [("c", 1, "cabd"), ("ac", 2, "bacd"), ("da", 1, "adbc"), ("a", 99, "bcda")]
)
def test_items_are_put_to_a_place(ids: str, place: int, expected: str) -> None:
    queue = Queue()
    by_text = {item.prompt_text: item.id for item in queue.add_to_queue(prompts(*"abcd"), "espeak", {})}
    queue.place([by_text[letter] for letter in ids], place)
    assert "".join(texts(queue)) == expected


def test_a_group_keeps_its_letter_until_the_queue_is_empty() -> None:
    queue = Queue()
    queue.add_to_queue(prompts("one"), "probe", {"group": 1})
    (two,) = queue.add_to_queue(prompts("two"), "probe", {"group": 7})
    assert queue.labels()[two.batch_key] == "B"
    batch = queue.claim()
    assert batch is not None
    queue.finish(batch.items[0].id, ItemStatus.SUCCEEDED)
    assert queue.labels()[two.batch_key] == "B"
    queue.clear_queue()
    (again,) = queue.add_to_queue(prompts("two"), "probe", {"group": 7})
    assert queue.labels()[again.batch_key] == "A"


def test_edit_changes_the_group_and_a_wrong_edit_changes_nothing() -> None:
    queue = Queue()
    (item,) = queue.add_to_queue(prompts("hello"), "espeak", {})
    edited = queue.edit(item.id, text="good night", params={"rate": 140})
    assert (edited.prompt_text, edited.params["rate"]) == ("good night", 140)
    with pytest.raises(InputError, match="rate"):
        queue.edit(item.id, params={"rate": 1})
    assert queue.get(item.id) == edited


def test_what_runs_can_be_neither_edited_nor_removed() -> None:
    queue = Queue()
    (item,) = queue.add_to_queue(prompts("hello"), "espeak", {})
    queue.claim()
    with pytest.raises(InputError, match="isn't queued any more"):
        queue.edit(item.id, text="other")
    assert queue.remove_from_queue([item.id]) == []
    assert queue.clear_queue() == []
    assert len(queue) == 1


def test_retry_makes_a_new_item_that_names_the_old_one() -> None:
    queue = Queue()
    (item,) = queue.add_to_queue(prompts("hello"), "espeak", {})
    queue.claim()
    queue.finish(item.id, ItemStatus.FAILED, "no voice")
    (again,) = queue.retry()
    assert (again.retry_of, again.status, again.id != item.id) == (item.id, ItemStatus.QUEUED, True)
    assert queue.retry() == [], "a failed item is retried once"


def test_a_copy_is_a_new_queue_so_that_sessions_never_share_one() -> None:
    queue = Queue()
    queue.add_to_queue(prompts("hello"), "espeak", {})
    other = copy.deepcopy(queue)
    assert (len(other), other.token == queue.token) == (0, False)


def test_when_the_journal_fails_the_queue_is_as_it_was() -> None:
    journal = MemoryJournal()
    queue = Queue(journal=journal)
    queue.add_to_queue(prompts("one"), "espeak", {})
    before = queue.snapshot()
    journal.broken = True
    for action in (
        lambda: queue.add_to_queue(prompts("two"), "espeak", {}),
        queue.clear_queue,
        queue.claim,
        lambda: queue.edit(before.items[0].id, text="x"),
    ):
        with pytest.raises(OSError, match="No space"):
            action()
    assert queue.snapshot().items == before.items


def test_nothing_added_from_many_threads_is_lost() -> None:
    queue = Queue()
    taken: list[str] = []
    adders = [
        threading.Thread(target=lambda n=n: [queue.add_to_queue(prompts(f"{n}-{i}"), "espeak", {}) for i in range(20)])
        for n in range(5)
    ]

    def take() -> None:
        while any(thread.is_alive() for thread in adders) or len(queue):
            batch = queue.claim()
            for item in batch.items if batch else ():
                queue.finish(item.id, ItemStatus.SUCCEEDED)
                taken.append(item.prompt_text)

    takers = [threading.Thread(target=take) for _ in range(2)]
    for thread in [*adders, *takers]:
        thread.start()
    for thread in [*adders, *takers]:
        thread.join()
    assert sorted(taken) == sorted(f"{n}-{i}" for n in range(5) for i in range(20))


def test_the_table_shows_prompt_weights_group_and_status() -> None:
    queue = Queue()
    queue.add_to_queue(prompts("Good night."), "espeak", {"rate": 140})
    frame = queue.get_queue_display()
    row = frame.iloc[0]
    assert (row["Prompt"], row["Params"], row["Batch Group"], row["Status"]) == ("Good night.", "rate 140", "A", "queued")


def test_a_part_of_the_table_says_what_the_whole_says() -> None:
    queue = Queue()
    for rate in (140, 160):
        queue.add_to_queue(prompts("one", "two"), "espeak", {"rate": rate})
    whole = queue.get_queue_display()
    assert queue.get_queue_display(1, 2).to_numpy().tolist() == whole.iloc[1:3].to_numpy().tolist()
    assert queue.get_queue_display(3, 9).to_numpy().tolist() == whole.iloc[3:].to_numpy().tolist()
    assert len(queue.get_queue_display(4, 9)) == 0


@pytest.mark.parametrize("old", list(ItemStatus))
@pytest.mark.parametrize("new", list(ItemStatus))
def test_a_status_changes_only_as_the_table_says(old: ItemStatus, new: ItemStatus) -> None:
    item = QueueItem("ps", "", "espeak", {}, {}, {}, "k", status=old)
    if new in TRANSITIONS[old]:
        assert item.to(new).status is new
    else:
        with pytest.raises(TransitionError):
            item.to(new)


def test_terminal_statuses_never_change() -> None:
    terminal = {status for status in ItemStatus if status.is_terminal}
    assert terminal == {ItemStatus.SUCCEEDED, ItemStatus.FAILED, ItemStatus.CANCELLED}


class QueueMachine(RuleBasedStateMachine):
    """Any order of what people and runners do: nothing is lost, nothing is twice, and the journal always agrees."""

    @initialize()
    def begin(self) -> None:
        self.journal = MemoryJournal()
        self.queue = Queue(journal=self.journal)
        self.known: set[str] = set()
        self.gone: set[str] = set()

    @rule(count=st.integers(1, 4), rate=st.sampled_from([100, 200]), engine=st.sampled_from(["espeak", "chatterbox"]))
    def add(self, count: int, rate: int, engine: str) -> None:
        params = {"rate": rate} if engine == "espeak" else {}
        added = self.queue.add_to_queue(prompts(*["text"] * count), engine, params)
        ids = {item.id for item in added}
        assert not ids & self.known
        self.known |= ids

    @rule(data=st.data(), offset=st.integers(-5, 5))
    def move(self, data: st.DataObject, offset: int) -> None:
        before = [item.id for item in self.queue.snapshot().queued]
        chosen = set(data.draw(st.lists(st.sampled_from(before), unique=True))) if before else set()
        self.queue.move(chosen, offset)
        after = [item.id for item in self.queue.snapshot().queued]
        assert sorted(after) == sorted(before)
        assert [i for i in after if i not in chosen] == [i for i in before if i not in chosen]
        assert [i for i in after if i in chosen] == [i for i in before if i in chosen]

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        items = self.queue.snapshot().items
        if items:
            chosen = data.draw(st.sampled_from(items))
            removed = self.queue.remove_from_queue([chosen.id])
            assert bool(removed) == (chosen.status is ItemStatus.QUEUED)
            self.gone |= {item.id for item in removed}

    @rule()
    def clear(self) -> None:
        running = {item.id for item in self.queue.snapshot().running}
        self.gone |= {item.id for item in self.queue.clear_queue()}
        assert {item.id for item in self.queue.snapshot().items} == running

    @rule()
    def claim(self) -> None:
        planned = self.queue.plan()
        batch = self.queue.claim()
        assert (batch is None) == (not planned)
        if batch:
            assert [item.id for item in batch.items] == [item.id for item in planned[0].items]
            assert len({(item.batch_key, item.engine, item.attempts) for item in batch.items}) == 1

    @precondition(lambda self: self.queue.snapshot().running)
    @rule(data=st.data(), status=st.sampled_from([ItemStatus.SUCCEEDED, ItemStatus.FAILED, ItemStatus.CANCELLED]))
    def finish(self, data: st.DataObject, status: ItemStatus) -> None:
        item = data.draw(st.sampled_from(self.queue.snapshot().running))
        self.queue.finish(item.id, status, "reason")
        self.gone.add(item.id)
        with pytest.raises((TransitionError, KeyError)):
            self.queue.finish(item.id, ItemStatus.SUCCEEDED)

    @precondition(lambda self: self.queue.snapshot().running)
    @rule(data=st.data())
    def interrupt(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(self.queue.snapshot().running))
        after = item.after(Ending.DIED, "its process died.")
        self.queue.settle(after)
        assert (after.status is ItemStatus.FAILED) == (item.attempts == MAX_INTERRUPTIONS)
        if after.status is ItemStatus.FAILED:
            self.gone.add(item.id)
        else:
            assert after.position == item.position

    @rule()
    def retry(self) -> None:
        ended = {item.id for item in self.queue.snapshot().retryable}
        added = self.queue.retry()
        assert {item.retry_of for item in added} == ended
        self.known |= {item.id for item in added}

    @invariant()
    def nothing_lost_nothing_twice(self) -> None:
        ids = [item.id for item in self.queue.snapshot().items]
        assert len(ids) == len(set(ids))
        assert set(ids) == self.known - self.gone

    @invariant()
    def what_is_told_of_all_is_what_they_are(self) -> None:
        now = self.queue.snapshot()
        assert {item.id for item in now.running} == {i.id for i in now.items if i.status is ItemStatus.RUNNING}
        assert now.waiting == len(now.queued)
        counted: dict[Kind, Work] = {}
        for item in now.items:
            count_work(counted, item)
        assert {kind: (work.items, work.cost) for kind, work in now.work.items()} == {
            kind: (work.items, pytest.approx(work.cost)) for kind, work in counted.items()
        }

    @invariant()
    def the_journal_agrees(self) -> None:
        assert self.journal.items == {item.id: item for item in self.queue.snapshot().items}
        positions = [item.position for item in self.queue.snapshot().items]
        assert positions == sorted(set(positions))


TestQueueMachine = QueueMachine.TestCase
