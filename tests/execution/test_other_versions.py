"""Items that another version queued: with an engine that is gone, or params that are refused now. They fail, the others go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import DEADLINE

from cosmos_workflow.engines.registry import all_engines, find_engine
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.runner import RunnerState
from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.ids import new_token
from cosmos_workflow.queueing.batches import explain_groups
from cosmos_workflow.queueing.items import Configuration, ItemStatus, Prompt, QueueItem
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.ui.text import recipe_facts


def queued(engine: str, params: Mapping[str, Any], text: str = "ok") -> QueueItem:
    known = Configuration.of("probe", {})
    return replace(known.item(Prompt(text), 1.0), engine=engine, params=params, batch_key=f"{engine} {params}")


def opened(operations: Operations, *items: QueueItem) -> Session:
    """A session whose queue another version left so."""
    token = new_token()
    placed = [replace(item, position=position) for position, item in enumerate(items, 1)]
    operations.store.queues.save(token, placed, [])
    return Sessions(operations).open(token)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "params", "reason"),
    [
        ("gone", {"rate": 3}, "gone: 'gone' isn't installed"),
        ("probe", {"rate": -3, "group": 0}, "rate: -3 isn't right; use a whole number of at least 0"),
        ("probe", {"speed": 3}, "speed: unknown parameter; use group, rate"),
        ("probe", {"rate": [1], "group": "one"}, "group: 'one' isn't right"),
        ("chatterbox", {"variant": "of-tomorrow"}, "chatterbox: "),
    ],
)
def test_it_fails_with_its_reason_and_its_neighbours_are_made(
    operations: Operations, engine: str, params: Mapping[str, Any], reason: str
) -> None:
    good = queued("probe", {"rate": 1, "group": 0})
    session = opened(operations, good, queued(engine, params), replace(good, id="qi_second"))
    assert list(session.queue.get_queue_display()["Engine"]) == ["probe", engine, "probe"]
    session.runner.start()
    assert session.runner.join(DEADLINE)
    finished = {item.engine + str(item.params): item for item in session.queue.snapshot().finished}
    bad = finished.pop(engine + str(params))
    assert bad.status is ItemStatus.FAILED
    assert reason in bad.error
    assert [item.status for item in finished.values()] == [ItemStatus.SUCCEEDED] * len(finished)
    assert session.runner.snapshot().state is RunnerState.IDLE
    run = next(run for run in operations.store.runs.list() if run.item_id == bad.id)
    assert (run.status, run.error) == (ItemStatus.FAILED, bad.error)


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers(), max_size=2), st.just({})
)


@pytest.fixture(scope="module")
def complete() -> dict[str, dict[str, Any]]:
    """The params of every engine at their defaults."""
    return {spec.name: spec.complete_params({}) for spec in all_engines(examples=True)}


@pytest.mark.slow
@given(data=st.data())
def test_whatever_was_kept_a_queue_can_be_looked_at(complete: dict[str, dict[str, Any]], data: st.DataObject) -> None:
    items: list[QueueItem] = []
    for number in range(2):
        spec = find_engine(data.draw(st.sampled_from(sorted(complete))))
        names = [*spec.params.model_fields, "of_another_version"]
        params = {**complete[spec.name], **data.draw(st.dictionaries(st.sampled_from(names), ODD, max_size=3))}
        for gone in data.draw(st.lists(st.sampled_from(names), max_size=2)):
            params.pop(gone, None)
        known = replace(queued(spec.name, params), weights=spec.complete_weights({}), position=number)
        items.append(replace(known, batch_key=str(data.draw(st.integers(0, 2)))))
    queue = Queue(items=items)
    assert len(queue.get_queue_display()) == 2
    explain_groups(queue.plan())
    for item in items:
        assert find_engine(item.engine).title in str(recipe_facts(item.engine, item.params, item.weights, item.inputs, {}))
    assert queue.claim() is not None
