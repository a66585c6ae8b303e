"""Grouping and the batch key: what shares a batch, what doesn't, and why."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.errors import InputError
from cosmos_workflow.ids import digest
from cosmos_workflow.queueing.batches import (
    calculate_batch_key,
    explain_difference,
    explain_groups,
    group_queue_by_batch_key,
    plan_batches,
)
from cosmos_workflow.queueing.items import QueueItem

CLIP_WEIGHTS = {"vis": 0.5, "edge": 0.0, "depth": 0.0, "seg": 0.25}


def item(key: str, number: int = 0, attempts: int = 0) -> QueueItem:
    return QueueItem(f"ps_{number}", "text", "espeak", {}, {}, {}, key, id=f"qi_{number}", attempts=attempts)


def preview_item(params: dict[str, Any], weights: dict[str, float]) -> QueueItem:
    spec = find_engine("control-preview")
    full, stated = spec.complete_params(params), spec.complete_weights(weights)
    return QueueItem("ps", "", spec.name, full, stated, {}, calculate_batch_key(spec.name, full, stated))


keys = st.sampled_from("abcde")
queues = st.lists(keys, max_size=60).map(lambda found: [item(key, number) for number, key in enumerate(found)])
sizes = st.one_of(st.none(), st.integers(1, 7))


@given(queues, sizes)
def test_every_item_is_in_exactly_one_batch_of_its_own_key(items: list[QueueItem], size: int | None) -> None:
    batches = group_queue_by_batch_key(items, size)
    assert Counter(member.id for batch in batches for member in batch.items) == Counter(i.id for i in items)
    assert all(member.batch_key == batch.key for batch in batches for member in batch.items)
    assert all(1 <= len(batch) <= (size or len(items)) for batch in batches)


@given(queues, sizes)
def test_keys_come_in_first_appearance_order_and_items_in_queue_order(items: list[QueueItem], size: int | None) -> None:
    batches = group_queue_by_batch_key(items, size)
    assert list(dict.fromkeys(batch.key for batch in batches)) == list(dict.fromkeys(i.batch_key for i in items))
    for key in {i.batch_key for i in items}:
        planned = [member.id for batch in batches if batch.key == key for member in batch.items]
        assert planned == [i.id for i in items if i.batch_key == key]


@given(queues, sizes)
def test_planning_twice_gives_the_same_batches(items: list[QueueItem], size: int | None) -> None:
    assert group_queue_by_batch_key(items, size) == group_queue_by_batch_key(items, size)


@given(queues, sizes)
def test_only_the_last_batch_of_a_key_is_not_full(items: list[QueueItem], size: int | None) -> None:
    batches = group_queue_by_batch_key(items, size)
    for before, after in itertools.pairwise(batches):
        assert before.key != after.key or len(before) == size


@given(queues, st.integers(1, 9), st.slices(12))
def test_a_part_of_a_plan_is_that_part_of_its_batches(items: list[QueueItem], size: int, part: slice) -> None:
    plan = plan_batches(items, lambda _item: size)
    batches = list(plan)
    assert len(plan) == len(batches)
    assert plan[part] == batches[part]
    assert plan.keys == tuple(dict.fromkeys(batch.key for batch in batches))


def test_an_item_that_kills_its_worker_ends_up_alone() -> None:
    fresh = plan_batches([item("a", n) for n in range(8)], lambda _item: 8)
    once = plan_batches([item("a", n, attempts=1) for n in range(8)], lambda _item: 8)
    twice = plan_batches([item("a", n, attempts=2) for n in range(4)], lambda _item: 8)
    assert [len(batch) for batch in fresh] == [8]
    assert [len(batch) for batch in once] == [4, 4]
    assert [len(batch) for batch in twice] == [1, 1, 1, 1]


def test_five_and_five_point_zero_are_one_value() -> None:
    params = find_engine("control-preview").complete_params({})
    assert calculate_batch_key("control-preview", {**params, "guidance_scale": 5}) == calculate_batch_key(
        "control-preview", {**params, "guidance_scale": 5.0}
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=6))
def test_the_digest_does_not_depend_on_the_order_of_keys(parts: dict[str, Any]) -> None:
    assert digest(parts) == digest(dict(reversed(list(parts.items()))))


def test_true_is_not_one() -> None:
    assert digest({"ssml": True}) != digest({"ssml": 1})


def test_the_key_is_the_same_in_another_process_with_another_hash_seed() -> None:
    code = (
        "from cosmos_workflow import calculate_batch_key as k;"
        f"print(k('control-preview', {{'seed': 7, 'canny_threshold': 'high'}}, {CLIP_WEIGHTS!r}))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    here = calculate_batch_key("control-preview", {"canny_threshold": "high", "seed": 7}, CLIP_WEIGHTS)
    assert runs == [here, here]


def test_a_missing_param_counts_as_its_default() -> None:
    full = find_engine("control-preview").complete_params({})
    assert calculate_batch_key("control-preview", {}) == calculate_batch_key("control-preview", full)


def test_two_engines_never_share_a_key() -> None:
    names = ("espeak", "control-preview", "chatterbox")
    assert len({calculate_batch_key(name, {}) for name in names}) == len(names)


def test_what_varies_per_item_leaves_the_key_alone() -> None:
    assert calculate_batch_key("espeak", {"rate": 100}) == calculate_batch_key("espeak", {"rate": 300})


def test_the_active_controls_are_in_the_key_and_their_strength_is_not() -> None:
    keys = [
        calculate_batch_key("control-preview", {}, {"vis": vis, "edge": edge, "depth": 0, "seg": 0})
        for vis, edge in ((0.5, 0), (0.9, 0), (0.5, 0.1))
    ]
    assert keys[0] == keys[1] != keys[2]


def test_why_two_items_do_not_share_a_batch_is_said_in_words() -> None:
    first = preview_item({"seed": 1}, CLIP_WEIGHTS)
    assert explain_difference(first, first) == ""
    assert explain_difference(first, preview_item({"seed": 7}, CLIP_WEIGHTS)) == "seed differs: 1, 7"
    spoken = QueueItem("ps", "Hello.", "espeak", {}, {}, {}, calculate_batch_key("espeak", {}))
    assert explain_difference(first, spoken) == "engine differs: control-preview, espeak"
    other_controls = preview_item({"seed": 1}, {**CLIP_WEIGHTS, "vis": 0, "edge": 0.5})
    assert "edge+seg" in explain_difference(first, other_controls)


def test_a_full_batch_is_a_reason_too() -> None:
    reasons = explain_groups(group_queue_by_batch_key([preview_item({}, CLIP_WEIGHTS) for _ in range(3)], 2))
    assert reasons == ["", "batch is full at 2"]


@pytest.mark.parametrize(
    ("engine", "params", "expected"),
    [
        ("nope", {}, "isn't installed; use"),
        ("espeak", {"rate": 9000}, "a whole number from 80 to 450"),
        ("espeak", {"speed": 1}, "speed: unknown parameter"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(engine: str, params: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        calculate_batch_key(engine, params)


def test_queueing_imports_neither_torch_nor_gradio_nor_pandas(tmp_path: Path) -> None:
    code = "import sys, cosmos_workflow; print([m for m in ('torch','gradio','pandas','cv2','av') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert out.stdout.strip() == "[]"
