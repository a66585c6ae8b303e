"""What a snapshot looks like in words."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from cosmos_workflow.execution.batch_run import ItemProgressed
from cosmos_workflow.execution.estimates import Rate, TimeLeft
from cosmos_workflow.execution.runner import RunnerSnapshot, RunnerState
from cosmos_workflow.queueing import ItemStatus, Prompt, Queue
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.ui.components import counter_value
from cosmos_workflow.ui.page_view import PageView
from cosmos_workflow.ui.queue import view
from cosmos_workflow.ui.results.markup import run_facts
from cosmos_workflow.ui.text import left_text, shorten_text

FAST = Rate(seconds_per_unit=0.1, spread=0.1, samples=10)


def filled(texts: Sequence[str] = ("one", "two", "three")) -> Queue:
    queue = Queue()
    queue.add_to_queue([Prompt(text) for text in texts], "probe", {})
    return queue


def view_of(
    queue: Queue,
    state: RunnerState = RunnerState.IDLE,
    *,
    reason: str = "",
    left: TimeLeft | None = None,
    progress: dict[str, ItemProgressed] | None = None,
    since: float = 0.0,
    rate: Rate | None = None,
) -> PageView:
    snapshot = RunnerSnapshot(1, state, reason, queue.snapshot(), progress or {}, (), left, 0.0)
    return PageView(snapshot, queue.plan, queue.labels, lambda _engine: rate, since)


def counter_text(now: PageView) -> str:
    return counter_value(now)["text"]


def title_text(now: PageView) -> str:
    return counter_value(now)["title"]


def finish(queue: Queue, *outcomes: ItemStatus) -> None:
    batch = queue.claim()
    assert batch is not None
    for item, outcome in zip(batch.items, outcomes, strict=False):
        queue.finish(item.id, outcome, "" if outcome is ItemStatus.SUCCEEDED else "it broke")


def test_the_counter_says_what_runs_waits_and_is_done() -> None:
    queue = filled()
    assert counter_text(view_of(Queue())) == "Queue empty"
    assert counter_text(view_of(queue)) == "3 queued"
    finish(queue, ItemStatus.SUCCEEDED)
    queue.add_to_queue([Prompt("four")], "probe", {})
    assert counter_text(view_of(queue)) == "2 running, 1 queued, 1 of 4 done"


def test_the_title_counts_only_while_it_runs() -> None:
    queue = filled()
    assert title_text(view_of(queue)) == "Cosmos Workflow"
    running = view_of(queue, RunnerState.RUNNING, left=TimeLeft(360, 60))
    assert title_text(running) == "0/3, 6 min left - Cosmos Workflow"
    assert title_text(view_of(queue, RunnerState.RUNNING)) == "0/3 - Cosmos Workflow"


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (RunnerState.IDLE, "3 items wait; press Start."),
        (RunnerState.PAUSED, "3 items wait; press Start to go on."),
        (RunnerState.PAUSING, "The batch that is running is finished first."),
        (RunnerState.RUNNING, "3 items to go."),
    ],
)
def test_each_state_says_what_happens_and_what_to_do(state: RunnerState, sentence: str) -> None:
    assert view.state_text(view_of(filled(), state)) == sentence


def test_a_held_queue_says_why() -> None:
    held = view_of(filled(), RunnerState.HELD, reason="The disk is full.")
    assert (view.state_word(held), view.state_text(held)) == ("On hold", "The disk is full.")
    assert view.end_notice(held.snapshot) == "The queue is on hold: The disk is full."


def test_items_older_than_the_server_came_back() -> None:
    queue = filled(["one"])
    assert view.state_text(view_of(queue, since=time.time() + 1)) == "1 item came back from before; press Start."


def test_time_left_has_its_error_and_never_claims_a_second_exactly() -> None:
    assert left_text(TimeLeft(360, 60)) == "about 6 min, ±1 min left"
    assert left_text(TimeLeft(0.2, 0.01)) == "about 1 s, ±1 s left"
    assert "known after the first finished batch" in left_text(None)


def test_an_items_time_left_shrinks_with_its_progress() -> None:
    queue = filled(["0123456789"])
    item = queue.snapshot().items[0]
    half = {item.id: ItemProgressed(item.id, 0.5, "think", "", 0.0)}
    before = view_of(queue, rate=FAST).item_left(item)
    after = view_of(queue, rate=FAST, progress=half).item_left(item)
    assert before is not None
    assert after is not None
    assert after.seconds == pytest.approx(before.seconds / 2) == pytest.approx(0.5)
    assert view_of(queue).item_left(item) is None


def test_the_end_names_what_failed_and_counts_the_rest() -> None:
    queue = filled(["ok", "bad one", "bad two", "bad three", "bad four"])
    finish(queue, ItemStatus.SUCCEEDED, *[ItemStatus.FAILED] * 4)
    notice = view.end_notice(view_of(queue).snapshot)
    assert notice == "Done: 1 succeeded, 4 failed. Failed: bad one, bad two, bad three and 1 more."
    assert view.state_word(view_of(queue)) == "Done"


def test_failures_of_an_earlier_round_are_not_named_again() -> None:
    queue = filled(["bad"])
    finish(queue, ItemStatus.FAILED)
    queue.add_to_queue([Prompt("good")], "probe", {})
    finish(queue, ItemStatus.SUCCEEDED)
    assert view.end_notice(view_of(queue).snapshot) == "Done: 1 succeeded."


def test_clear_says_what_goes_and_what_goes_on() -> None:
    queue = filled()
    assert view.clear_question(queue.snapshot()).startswith("Take away 3 waiting items?")
    queue.claim()
    queue.add_to_queue([Prompt("four")], "probe", {})
    assert "1 waiting item? 3 items are running and would go on." in view.clear_question(queue.snapshot())


def test_pause_says_whether_something_is_finished_first() -> None:
    queue = filled()
    assert view.pause_notice(queue.snapshot()) == "Paused."
    queue.claim()
    assert view.pause_notice(queue.snapshot(), freeing=True) == (
        "Pausing: 3 running items will be finished first. Then the engines are unloaded."
    )


def test_a_run_of_an_engine_that_is_gone_still_shows_everything() -> None:
    run = RunRecord("qi_1", "text", "gone", {"depth": 0.5, "on": True, "list": [1, 2]}, metadata={"frames": 72})
    facts = dict(run_facts(run, {}))
    assert facts["Engine"] == "gone"
    assert (facts["depth"], facts["on"], facts["list"], facts["Frames"]) == ("0.5", "yes", "1, 2", "72")


def test_long_texts_are_one_short_line() -> None:
    assert shorten_text("a\n b\t c", 10) == "a b c"
    assert shorten_text("x" * 50, 10) == "x" * 9 + "…"
