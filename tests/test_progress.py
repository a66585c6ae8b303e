"""Progress that never falls, never passes 1, and says what it does."""

from __future__ import annotations

import logging
import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.progress import ProgressTracker, Stage

STAGES = (
    Stage("planning", 0.05, "Planning"),
    Stage("rendering", 0.40, "Rendering scenes"),
    Stage("combining", 0.90, "Combining"),
)

reports = st.lists(
    st.tuples(st.sampled_from(["planning", "rendering", "combining", "nonsense"]), st.floats(allow_nan=True)), max_size=30
)


@given(reports)
def test_whatever_is_reported_the_fraction_rises_and_stays_in_bounds(steps: list[tuple[str, float]]) -> None:
    logging.disable(logging.WARNING)
    tracker = ProgressTracker("qi_1", STAGES)
    before = 0.0
    for stage, sub_progress in steps:
        fraction = tracker.update_stage(stage, sub_progress)
        assert before <= fraction <= 1
        assert not math.isnan(fraction)
        before = fraction
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(("sub_progress", "expected"), [(0.0, 0.40), (0.4, 0.60), (1.0, 0.90), (7.0, 0.90)])
def test_sub_progress_interpolates_to_the_next_stage(sub_progress: float, expected: float) -> None:
    assert ProgressTracker("qi_1", STAGES).update_stage("rendering", sub_progress) == pytest.approx(expected)


def test_the_message_is_kept_or_else_the_stage_is_named() -> None:
    tracker = ProgressTracker("qi_1", STAGES)
    tracker.update_stage("rendering", 0.2, "scene 2 of 5")
    assert tracker.message == "scene 2 of 5"
    tracker.update_stage("combining")
    assert tracker.message == "Combining"


def test_each_update_is_dated(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 11.0])
    monkeypatch.setattr("cosmos_workflow.progress.time", SimpleNamespace(time=lambda: next(times)))
    tracker = ProgressTracker("qi_1", STAGES)
    tracker.update_stage("planning")
    assert tracker.last_updated == 11.0


def test_an_unknown_stage_is_an_error_in_tests_and_a_log_line_in_use(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(KeyError, match="no stage 'cooking'"):
        ProgressTracker("qi_1", STAGES, strict=True).update_stage("cooking")
    tracker = ProgressTracker("qi_1", STAGES)
    tracker.update_stage("rendering", 0.5)
    assert tracker.update_stage("cooking", 0.9, "stirring") == pytest.approx(0.65)
    assert "unknown stage 'cooking'" in caplog.text
    assert tracker.message == "stirring"


def test_without_stages_the_message_still_changes() -> None:
    tracker = ProgressTracker("qi_1", ())
    assert tracker.update_stage("anything", 0.5, "working") == 0.0
    assert tracker.message == "working"


@pytest.mark.parametrize("entries", [(0.5, 0.2), (-0.1,), (0.0, 1.2)])
def test_a_stage_table_that_falls_is_refused(entries: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="must rise from 0 to 1"):
        ProgressTracker("qi_1", [Stage(str(at), at, "") for at in entries])
