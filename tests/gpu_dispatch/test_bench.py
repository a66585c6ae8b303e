"""The bench measures what it says, for us and the limit; how fast that is, is not asserted."""

from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cosmos_workflow.bench import scale
from cosmos_workflow.bench.dispatch import OURS, PIPE, DispatchFigure, bench_dispatch, bench_shared
from cosmos_workflow.bench.frame import table

# The bare pipe's processes are multiprocessing's, which keeps a helper until the program ends.
resource_tracker.ensure_running()


@pytest.mark.slow
def test_it_measures_and_shows_the_contenders(tmp_path: Path):
    picture = tmp_path / "dispatch.png"
    measured = bench_dispatch(50, 1, only=(OURS, PIPE), plot=picture)
    ours, pipe = figures = [figure for figure in measured if isinstance(figure, DispatchFigure)]
    assert (ours.name, pipe.name) == (OURS, PIPE)
    assert ours.survives
    assert pipe.survives is None
    for figure in figures:
        assert figure.tasks_per_second > 0
        assert figure.array_mb_per_second > 0
        assert figure.latency_p50_us
        assert figure.latency_p99_us
        assert figure.latency_p50_us <= figure.latency_p99_us
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table(figures), table([bench_shared(2, 1)]))
    assert PIPE in capture.get()
    assert "2 MB in every task" in capture.get()
    assert picture.stat().st_size > 1000


def test_a_queue_is_measured_on_more_workers_here_and_on_a_cluster(cluster: Any):
    figures = scale.bench_scale(tasks=20, nap=0.01, workers=(1, 2), rounds=1)
    assert [(figure.executor, figure.workers) for figure in figures] == [("local", 1), ("ray", 1), ("local", 2), ("ray", 2)]
    for figure in figures:
        assert 0 < figure.efficiency <= 1
        assert figure.overhead_ms >= 0
        assert figure.empty_per_second > 0
        assert len(figure.mb_per_second) == len(scale.ARRAY_MB)
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table(figures))
    assert "overhead ms" in capture.get()
