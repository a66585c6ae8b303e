"""`cosmos-workflow bench chatterbox`: figures of both ways from one run."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from cosmos_workflow.errors import InputError


@pytest.mark.slow
def test_a_bench_measures_both_ways_and_draws_them(bench: Any, tmp_path: Path) -> None:
    from cosmos_workflow.bench.chatterbox import bench_chatterbox
    from cosmos_workflow.bench.frame import table

    figures = bench_chatterbox("tiny", tokens=25, batch=[1, 3], threads=1, plot=tmp_path / "picture.png")
    assert [figure.batch for figure in figures] == [1, 3]
    for figure in figures:
        assert figure.t3_ratio == pytest.approx(figure.t3_ours / figure.t3_serial)
        assert figure.all_ratio == pytest.approx(figure.all_ours / figure.all_serial)
        assert figure.times_real_time == pytest.approx(figure.all_ours / 25)
        assert figure.t3_ours < figure.t3_limit
        assert figure.all_ours < figure.t3_ours
        assert figure.peak_mb > 100
        assert figure.goal == (1.8 if figure.batch == 1 else None)
        for stages, rate in ((figure.serial, figure.all_serial), (figure.ours, figure.all_ours)):
            assert min(astuple(stages)) > 0
            assert sum(astuple(stages)) == pytest.approx(25 / rate)
        assert 0 < figure.step < figure.batch * figure.ours.t3
    assert table(figures).row_count == 2
    assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": "huge"}, "size 'huge' isn't right; use tiny or full"),
        ({"device": "tpu"}, "device 'tpu' isn't right; use cpu or cuda"),
        ({"mode": "quick"}, "mode: 'quick' isn't one of its choices; use reproducible, fast"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_written(options: dict[str, Any], sentence: str) -> None:
    from cosmos_workflow.bench.chatterbox import bench_chatterbox

    with pytest.raises(InputError, match=sentence):
        bench_chatterbox(**options)
