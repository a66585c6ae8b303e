"""Each line's tokens in a batch are those that upstream's serial `generate()` gives it alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

SPEAKING = ("english", "multilingual", "turbo")
END = 6562


def _cases(bench: Any, variant: str) -> list[Any]:
    return bench.cases_of(variant)


def _without_end(tokens: Sequence[int]) -> list[int]:
    """Upstream's Turbo takes the end token away itself."""
    return list(tokens[:-1]) if tokens[-1] == END else list(tokens)


def _agreement(bench: Any, variant: str, cases: Sequence[Any], made: Any) -> tuple[int, int]:
    """Lines whose tokens are upstream's, and lines."""
    same = [
        _without_end(made.tokens[f"qi_{index}"]) == _without_end(bench.serial(variant, case).tokens)
        for index, case in enumerate(cases)
        if f"qi_{index}" in made.tokens
    ]
    return sum(same), len(cases)


@pytest.mark.parametrize("variant", SPEAKING)
def test_every_line_gets_the_tokens_it_gets_alone_upstream(bench: Any, tmp_path: Path, variant: str) -> None:
    cases = _cases(bench, variant)
    made = bench.make(bench.requests(variant, cases, tmp_path), tokens_only=True)
    for index, case in enumerate(cases):
        assert _without_end(made.tokens[f"qi_{index}"]) == _without_end(bench.serial(variant, case).tokens), case
    assert sum(len(tokens) for tokens in made.tokens.values()) > 100


@pytest.mark.parametrize("variant", SPEAKING)
def test_neither_order_nor_company_nor_refilled_places_change_a_line(bench: Any, tmp_path: Path, variant: str) -> None:
    cases = _cases(bench, variant)
    for name, order, max_lines in (("reversed", cases[::-1], 8), ("refilled", cases, 3), ("alone", cases[2:3], 1)):
        made = bench.make(bench.requests(variant, order, tmp_path / name), max_lines=max_lines, tokens_only=True)
        assert _agreement(bench, variant, order, made) == (len(order), len(order)), name


@pytest.mark.parametrize("variant", SPEAKING)
def test_a_cancelled_neighbour_leaves_within_a_step_and_changes_nobody(bench: Any, tmp_path: Path, variant: str) -> None:
    cases = _cases(bench, variant)
    leaving = {"qi_0", "qi_5"}

    def cancel(context: Any, item_id: str) -> None:
        if context.reports[-1][1] == "tokens" and item_id in leaving:
            context.cancelled.add(item_id)

    made = bench.make(bench.requests(variant, cases, tmp_path), max_lines=4, on_report=cancel, tokens_only=True)
    for item_id in leaving:
        assert type(made.outcomes[item_id]).__name__ == "Dropped"
        assert len(made.tokens[item_id]) == 1
    staying = [index for index in range(len(cases)) if f"qi_{index}" not in leaving]
    for index in staying:
        assert _without_end(made.tokens[f"qi_{index}"]) == _without_end(bench.serial(variant, cases[index]).tokens)


def test_without_cfg_a_line_takes_one_row_and_is_what_it_is_alone(bench: Any, tmp_path: Path) -> None:
    plain = bench.case("No guidance for this one.", "", {"seed": 3, "cfg_weight": 0.0, "max_tokens": 30})
    guided = bench.cases_of("english")[:2]
    together = bench.make(bench.requests("english", [guided[0], plain, guided[1]], tmp_path / "together"), tokens_only=True)
    alone = bench.make(bench.requests("english", [plain], tmp_path / "alone"), tokens_only=True)
    assert together.tokens["qi_1"] == alone.tokens["qi_0"]
    assert _without_end(together.tokens["qi_0"]) == _without_end(bench.serial("english", guided[0]).tokens)


# Four mistakes, each planted: the comparison above must see them.


def _tokens_agree(bench: Any, variant: str, folder: Path) -> bool:
    cases = _cases(bench, variant)[:4]
    made = bench.make(bench.requests(variant, cases, folder), tokens_only=True)
    return _agreement(bench, variant, cases, made)[0] == len(cases)


@pytest.mark.parametrize("variant", SPEAKING)
def test_the_comparison_sees_a_position_that_is_off_by_one(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    from cosmos_workflow.engines.chatterbox.backbone import Backbone

    name = "_with_places" if variant == "turbo" else "_turns"
    real = getattr(Backbone, name)

    def shifted(self: Any, *args: Any) -> Any:
        positions = args[-1]
        return real(self, *args[:-1], positions + (1 if positions.shape[1] == 1 else 0))

    monkeypatch.setattr(Backbone, name, shifted)
    assert not _tokens_agree(bench, variant, tmp_path)


@pytest.mark.parametrize("variant", SPEAKING)
def test_the_comparison_sees_a_shifted_mask(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str) -> None:
    from cosmos_workflow.engines.chatterbox.backbone import _Attend

    real = _Attend.__call__

    def shifted(self: Any, *args: Any) -> Any:
        self.bias = self.bias.roll(-1, dims=-1) if self.bias.shape[-1] > 1 and not hasattr(self.bias, "rolled") else self.bias
        self.bias.rolled = True
        return real(self, *args)

    monkeypatch.setattr(_Attend, "__call__", shifted)
    assert not _tokens_agree(bench, variant, tmp_path)


def test_the_comparison_sees_a_single_start_of_speech(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmos_workflow.engines.chatterbox.speech_model import SpeechModel

    real = SpeechModel.embed_start
    monkeypatch.setattr(SpeechModel, "embed_start", lambda self: real(self)[:1])
    assert not _tokens_agree(bench, "english", tmp_path)


@pytest.mark.parametrize("variant", SPEAKING)
def test_the_comparison_sees_a_missing_repetition_penalty(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    from cosmos_workflow.engines.chatterbox import sampling

    monkeypatch.setattr(sampling, "penalise", lambda scores, *_: scores)
    assert not _tokens_agree(bench, variant, tmp_path)
