"""The retry policy, played out: whatever breaks, innocent items are made, guilty ones fail, and it comes to an end."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.queueing.items import ItemStatus, Prompt
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.queueing.retries import MAX_DEATHS, MAX_INTERRUPTIONS, Deaths, Ending, next_attempts, rung

attempts = st.integers(0, MAX_INTERRUPTIONS)
sizes = st.integers(1, 64)


def play(texts: str, size: int = 8) -> tuple[Counter[str], list[int], bool]:
    """Work a queue off in which "k" kills its worker and "b" breaks its batch; how items ended, the batches, and a hold."""
    queue = Queue(size_of=lambda _item: size)
    queue.add_to_queue([Prompt(text) for text in texts], "espeak", {})
    deaths, batches = Deaths(), []
    while (batch := queue.claim()) and deaths.in_a_row < MAX_DEATHS:
        batches.append(len(batch))
        guilty = "".join(item.prompt_text for item in batch.items if item.prompt_text in "kb")
        ending = Ending.SUCCEEDED if not guilty else Ending.DIED if guilty[0] == "k" else Ending.BROKEN
        for item in batch.items:
            queue.settle(item.after(ending, "because.", len(batch)))
        deaths = deaths.after(ending, batch.items[0].attempts, len(batch))
    if batch:
        queue.put_back([item.id for item in batch.items])
    ends = Counter(f"{item.prompt_text} {item.status}" for item in queue.snapshot().finished)
    return ends, batches, deaths.in_a_row >= MAX_DEATHS


@given(st.text("gb", min_size=1, max_size=24))
def test_whatever_breaks_its_batch_fails_and_all_others_are_made(texts: str) -> None:
    ends, batches, held = play(texts)
    assert not held
    assert ends["g succeeded"] == texts.count("g")
    assert ends["b failed"] == texts.count("b")
    assert sum(batches) <= len(texts) * (MAX_INTERRUPTIONS + 1)


@given(st.lists(st.integers(0, 7), min_size=2, max_size=2, unique=True))
def test_two_killers_in_a_batch_of_eight_stop_nothing(places: list[int]) -> None:
    texts = "".join("k" if place in places else "g" for place in range(8))
    ends, _, held = play(texts)
    assert (ends, held) == ({"g succeeded": 6, "k failed": 2}, False)


@given(st.integers(1, 30))
def test_a_machine_on_which_everything_dies_holds_the_queue_before_much_is_lost(count: int) -> None:
    ends, _, held = play("k" * count)
    assert ends["k failed"] <= MAX_DEATHS
    assert held or ends["k failed"] == count


@given(st.text("gk", min_size=1, max_size=24))
def test_an_innocent_item_never_fails(texts: str) -> None:
    ends, _, _ = play(texts)
    assert not ends["g failed"]


@given(attempts, sizes)
def test_the_ladder_goes_down_and_ends_alone(tried: int, size: int) -> None:
    assert 1 <= rung(tried, size) <= size
    assert rung(0, size) == size
    assert rung(MAX_INTERRUPTIONS, size) == 1


@given(st.sampled_from(Ending), attempts, sizes)
def test_nothing_is_tried_for_ever(ending: Ending, tried: int, size: int) -> None:
    again = next_attempts(ending, tried, size)
    if ending in (Ending.STOPPED, Ending.DIED_LOADING):
        assert again == tried, "nothing is known against it"
    elif again is not None:
        assert ending in (Ending.DIED, Ending.BROKEN)
        assert again == tried + 1 <= MAX_INTERRUPTIONS


def test_every_ending_is_a_status_or_leads_to_one() -> None:
    for ending in Ending:
        queue = Queue()
        queue.add_to_queue([Prompt("text")], "espeak", {})
        batch = queue.claim()
        assert batch is not None
        after = batch.items[0].after(ending, "because.")
        assert after.status.is_terminal == (ending not in (Ending.DIED, Ending.DIED_LOADING, Ending.STOPPED))
        assert (after.status is ItemStatus.FAILED) == (ending in (Ending.FAILED, Ending.BROKEN))
