"""Steps at fixed shapes, as the fast mode takes them on a GPU: tried here on the CPU, without the graph around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

END = 6562


def _fixed(bench: Any, variant: str, mode: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Have the loaded model take fixed steps; gives the rows and positions of each."""
    from cosmos_workflow.engines.chatterbox.static import StaticStep

    bench.make(bench.requests(variant, [_case(bench, 0, mode, variant)], folder / "loaded"), tokens_only=True)
    monkeypatch.setattr(bench.engine.model.speech, "static", True)
    shapes: list[tuple[int, int]] = []
    real = StaticStep.scores

    def scores(self: Any, inputs: Any, positions: Any) -> Any:
        made = real(self, inputs, positions)
        shapes.append((self._inputs.shape[0], self._end))
        return made

    monkeypatch.setattr(StaticStep, "scores", scores)
    return shapes


def _case(bench: Any, index: int, mode: str, variant: str = "english") -> Any:
    case = bench.cases_of(variant)[index]
    return bench.case(case.text, case.voice, {**case.params, "mode": mode})


def _said(tokens: Sequence[int]) -> list[int]:
    return list(tokens[:-1]) if tokens[-1] == END else list(tokens)


@pytest.mark.parametrize("variant", ["english", "turbo"])
def test_in_float32_a_line_gets_what_it_gets_alone_upstream(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    monkeypatch.setattr("cosmos_workflow.engines.chatterbox.batch.GROWTH", 64)
    shapes = _fixed(bench, variant, "reproducible", tmp_path, monkeypatch)
    cases = bench.cases_of(variant)
    made = bench.make(bench.requests(variant, cases, tmp_path), max_lines=3, tokens_only=True)
    for index, case in enumerate(cases):
        assert _said(made.tokens[f"qi_{index}"]) == _said(bench.serial(variant, case).tokens), case
    assert {rows for rows, _ in shapes} == {8 if variant == "english" else 4}, "three lines, with CFG two rows each"
    assert len({positions for _, positions in shapes}) > 1, "the cache grew, and the step with it"
    assert all(positions % 64 == 0 for _, positions in shapes)


@pytest.mark.parametrize("variant", ["english", "turbo"])
def test_in_bfloat16_a_line_is_the_same_in_any_company_of_its_bucket(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    def company(*others: int) -> list[list[int]]:
        cases = [_case(bench, index, "fast", variant) for index in (0, *others)]
        made = bench.make(bench.requests(variant, cases, tmp_path / "-".join(map(str, others))), tokens_only=True)
        return [made.tokens[f"qi_{index}"] for index in range(len(cases))]

    shapes = _fixed(bench, variant, "fast", tmp_path, monkeypatch)
    first, second, third = company(1, 2, 3), company(7, 6, 5), company(5, 4, 6, 7)[:1]
    assert first[0] == second[0]
    assert len({rows for rows, _ in shapes}) == 2, "four lines fill a bucket, five are in the next one"
    assert len(third[0]) > 1


def test_a_line_that_is_watched_keeps_its_own_steps(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = _fixed(bench, "multilingual", "reproducible", tmp_path, monkeypatch)
    cases = bench.cases_of("multilingual")
    bench.make(bench.requests("multilingual", cases[:2], tmp_path), tokens_only=True)
    assert not shapes, "one of the two is watched"
    bench.make(bench.requests("multilingual", [cases[0], cases[2]], tmp_path / "unwatched"), tokens_only=True)
    assert shapes


@pytest.mark.slow  # it imports the package
@pytest.mark.parametrize(("rows", "bucket"), [(1, 1), (2, 2), (3, 4), (8, 8), (9, 16), (128, 128)])
def test_rows_come_in_powers_of_two(rows: int, bucket: int) -> None:
    from cosmos_workflow.engines.chatterbox.static import row_bucket

    assert row_bucket(rows) == bucket


def test_little_free_memory_means_fewer_lines_in_whole_buckets(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cosmos_workflow.engines.chatterbox import engine, production
    from cosmos_workflow.engines.chatterbox.static import row_bucket

    _fixed(bench, "english", "reproducible", tmp_path, monkeypatch)
    lines: list[int] = []
    real = production.decode

    def note(*args: Any) -> Iterator[Any]:
        lines.append(args[2])
        return real(*args)

    monkeypatch.setattr(production, "decode", note)
    for free in (1_000_000, 60_000_000, 90_000_000, None):
        monkeypatch.setattr(engine, "free_memory", lambda _, free=free: free)
        bench.make(bench.requests("english", bench.cases_of("english")[:1], tmp_path / str(free)), tokens_only=True)
    assert lines == sorted(lines)
    assert (lines[0], lines[-1]) == (1, 16)
    assert 1 < lines[1] < 16
    assert all(row_bucket(number) == number for number in lines)


@pytest.mark.slow  # it imports the package
def test_positions_are_turned_in_float32_whatever_the_dtype() -> None:
    import torch

    from cosmos_workflow.engines.chatterbox.fused import as_matrices, turn

    with torch.random.fork_rng():
        torch.manual_seed(0)
        part = torch.randn(5, 2, 3, 8).bfloat16()
        turns = torch.polar(torch.ones(5, 4), torch.rand(5, 4) * 500)
        exact, rounded = part.float(), part.clone()
    turn(exact, turns)
    turn(rounded, as_matrices(turns))
    assert torch.equal(rounded, exact.bfloat16())
