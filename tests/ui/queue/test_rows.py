"""Which rows of a queue a page looks at, and where dropped ones go."""

from __future__ import annotations

import pytest

from cosmos_workflow.queueing import Prompt, Queue
from cosmos_workflow.ui.queue.rows import QueueTabState, matching_items, place_of_drop


def test_a_search_looks_at_text_name_and_engine() -> None:
    queue = Queue()
    queue.add_to_queue([Prompt("Good morning.", id="ps_1"), Prompt("Good night.", id="ps_2")], "espeak", {})
    items, names = queue.snapshot().items, {"ps_2": "The lullaby"}

    def found(search: str, status: str = "") -> list[str]:
        return [item.prompt_text for item in matching_items(items, QueueTabState(search=search, status=status), names)]

    assert found("good MORN") == ["Good morning."]
    assert found("lullaby") == ["Good night."]
    assert found("espeak good") == ["Good morning.", "Good night."]
    assert found("", "running") == []


@pytest.mark.parametrize(
    ("ids", "before", "after", "expected"),
    [
        ("a", "c", "", "bacd"),
        ("d", "a", "", "dabc"),
        ("a", "", "d", "bcda"),
        ("bc", "a", "", "bcad"),
        ("b", "b", "", "abcd"),
        ("b", "c", "", "abcd"),
        ("bc", "", "c", "abcd"),
        ("c", "runs", "", "cabd"),
    ],
)
def test_a_drop_goes_where_it_was_shown(ids: str, before: str, after: str, expected: str) -> None:
    queue = Queue()
    queue.add_to_queue([Prompt(letter) for letter in "abcd"], "espeak", {})
    named = {item.prompt_text: item.id for item in queue.snapshot().items} | {"runs": "qi_runs", "": ""}
    dropped = [named[letter] for letter in ids]
    queue.place(dropped, place_of_drop(queue.snapshot().queued, dropped, named[before], named[after]))
    assert "".join(item.prompt_text for item in queue.snapshot().items) == expected
