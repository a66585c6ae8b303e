"""How much a GPU would be asked for, at the real number of layers: a step's time there is that of starting its kernels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosmos_workflow.engines.chatterbox.params import ChatterboxParams

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SIZES = {
    "Llama_520M": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 30,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "head_dim": 4,
    },
    "Perceiver": {"pre_attention_query_size": 64, "embedding_dim": 64},
    "GPT2_medium": {"hidden_size": 32, "n_embd": 32, "n_head": 4, "n_layer": 24, "n_positions": 2048, "vocab_size": 8},
}


def _speech_model(folder: Path, variant: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """As deep as the real one, with keys and values in the dtype that they have on a GPU."""
    import torch
    from chatterbox.models.t3 import T3
    from chatterbox.models.t3.modules.t3_config import T3Config

    from cosmos_workflow.engines.chatterbox import backbone
    from cosmos_workflow.engines.chatterbox.loader import turbo_config
    from cosmos_workflow.engines.chatterbox.speech_model import SpeechModel
    from cosmos_workflow.engines.testing.chatterbox.sizes import SIZES_FILE, sized

    monkeypatch.setattr(backbone, "cached_dtype", lambda weights, _: weights)
    (folder / SIZES_FILE).write_text(json.dumps(SIZES), encoding="utf-8")
    with sized(folder), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        t3 = T3(turbo_config() if variant == "turbo" else T3Config.english_only()).eval().requires_grad_(False)
    return SpeechModel(t3, getattr(torch, dtype), static=True)


def _lines(model: Any, texts: list[int], voices: int) -> list[Any]:
    """A line of each of these numbers of text tokens."""
    import torch

    from cosmos_workflow.engines.chatterbox.speech_model import Line

    width = 32 if model.turbo else 64
    return [
        Line(
            id=str(index),
            text=torch.arange(1, tokens + 1),
            voice=index % voices,
            conditioning=torch.randn(34, width, generator=torch.Generator().manual_seed(index % voices)).to(model.backbone.dtype),
            params=ChatterboxParams(min_p=0.05, top_p=0.9),
            cfg_weight=0.0 if model.turbo else 0.5,
            generator=torch.Generator().manual_seed(index),
        )
        for index, tokens in enumerate(texts)
    ]


def _counted(model: Any, lines: list[Any]) -> tuple[Any, Any, Any]:
    """What it takes to admit lines, a step after it, and the part of the step that is a graph on a GPU."""
    from cosmos_workflow.engines.chatterbox.batch import Batch
    from cosmos_workflow.engines.chatterbox.static import StaticStep
    from tests.engines.chatterbox.counting import Counting

    batch = Batch(model, lines, len(lines))
    with Counting() as admitted:
        batch.step(lines)
    batch.step([])
    graph = Counting()
    run = StaticStep._run

    def counted(self: Any) -> Any:
        with graph:
            return run(self)

    with Counting() as step:
        batch.step([])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StaticStep, "_run", counted)
        batch.step([])
    return admitted, step, graph


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("variant", ["english", "turbo"])
def test_a_step_starts_few_kernels_and_waits_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str, dtype: str
) -> None:
    model = _speech_model(tmp_path, variant, dtype, monkeypatch)
    _, step, graph = _counted(model, _lines(model, [9, 14, 20, 25, 31, 40, 55, 70], 3))
    assert graph.kernels.total() <= 400
    assert not graph.waits
    assert step.kernels.total() - graph.kernels.total() <= 50
    assert step.waits == {"tolist": 1}, "the tokens that were chosen"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_eight_lines_come_in_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    """With voices of their own, and texts of up to 300 characters; once more, with voices that are known."""
    model = _speech_model(tmp_path, "english", dtype, monkeypatch)
    texts = [9, 14, 20, 25, 31, 70, 110, 150]
    first, _, _ = _counted(model, _lines(model, texts, 8))
    again, _, _ = _counted(model, _lines(model, texts, 8))
    assert again.kernels.total() <= first.kernels.total() - 300, "the voices are kept"
    assert first.kernels.total() <= 2500
