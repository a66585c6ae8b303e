"""What a take is made for, and what its runs say of it."""

from __future__ import annotations

import pytest

from cosmos_workflow.jobs.takes import Take, TakeRef
from cosmos_workflow.queueing.items import Configuration, ItemStatus
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.recovery import REASON


def ended(error: str, *, interrupted: bool) -> Take:
    run = RunRecord("qi_1", "text", "tone", {}, status=ItemStatus.FAILED, error=error, interrupted=interrupted)
    return Take("abc", Configuration.of("espeak", {}), last=run)


def test_whether_a_take_failed_is_told_by_its_run_and_never_by_a_sentence() -> None:
    assert not ended("Ended, in whatever words.", interrupted=True).failed
    assert ended(REASON, interrupted=False).failed


def test_a_reference_is_its_source_and_back() -> None:
    ref = TakeRef("night", "one", "0123")
    assert str(ref) == "job:night/one#0123"
    assert (TakeRef.parse(str(ref)), ref.task_id) == (ref, "night/one")
    assert str(ref).startswith(TakeRef.all_of("night").removesuffix("*"))


@pytest.mark.parametrize("source", ["", "page", "job:night", "job:night/one"])
def test_what_comes_from_no_job_has_no_reference(source: str) -> None:
    with pytest.raises(ValueError, match="comes from no job"):
        TakeRef.parse(source)
