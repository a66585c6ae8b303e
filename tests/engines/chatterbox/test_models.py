"""The models that came after the package's version 0.1.7, and a finetune: under their real names, at toy size."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cosmos_workflow.engines.base import Output
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from tests.engines.chatterbox.conftest import Bench

CLOSE = 1e-5


@pytest.fixture(scope="module")
def newer(toy_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Multilingual v3 and Nano, and an English finetune `my-voice` with a larger vocabulary and a prefix on every name."""
    import torch
    from safetensors.torch import load_file, save_file

    from cosmos_workflow.engines.testing.chatterbox.toy_weights import write_toy_weights

    root = tmp_path_factory.mktemp("newer")
    write_toy_weights(root / "chatterbox", "english")
    write_toy_weights(root / "chatterbox", "multilingual-v3")
    write_toy_weights(root / "chatterbox-nano", "nano")
    write_toy_weights(root / "other", "english", seed=5)
    speech = load_file(root / "other" / "t3_cfg.safetensors")
    for name in ("text_emb.weight", "text_head.weight"):
        speech[name] = torch.cat([speech[name], torch.randn(20, speech[name].shape[1])])
    (root / "my-voice").mkdir()
    save_file({f"t3.{name}": tensor for name, tensor in speech.items()}, root / "my-voice" / "model.safetensors")
    for name in ("s3gen.safetensors", "ve.safetensors", "conds.pt"):
        shutil.copy(root / "chatterbox" / name, root / "other" / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(root))
        made = Bench(root, tmp_path_factory.mktemp("voices"))
        yield made
    made.engine.close()


def _cases(bench: Bench, variant: str) -> list[Any]:
    if variant == "nano":
        return bench.cases_of("turbo")[:4]
    params = [{"language_id": "fr"}, {"language_id": "hi", "cfg_weight": 0.0}, {"language_id": "de", "exaggeration": 1.0}]
    return [
        bench.case(text, voice, {"seed": seed, "max_tokens": 35, **own})
        for seed, (text, voice, own) in enumerate(
            zip(("Bonjour.", "Na", "Guten Morgen."), ("", "anna", "ben"), params, strict=True)
        )
    ]


def _said(tokens: list[int]) -> list[int]:
    return tokens[:-1] if tokens[-1] == 6562 else tokens


@pytest.mark.parametrize("variant", ["multilingual-v3", "nano"])
def test_a_newer_model_says_in_a_batch_what_it_says_alone_upstream(newer: Bench, tmp_path: Path, variant: str) -> None:
    cases = _cases(newer, variant)
    made = newer.make(newer.requests(variant, cases, tmp_path), flow_rows=len(cases))
    for index, case in enumerate(cases):
        serial = newer.serial(variant, case)
        assert _said(made.tokens[f"qi_{index}"]) == _said(serial.tokens), case
        assert made.waves[f"qi_{index}"].shape == serial.wave.shape
        assert abs(made.waves[f"qi_{index}"] - serial.wave).max() < CLOSE


@pytest.mark.slow
def test_nano_has_twelve_layers_of_width_768() -> None:
    import torch
    from chatterbox.models.t3 import T3

    from cosmos_workflow.engines.chatterbox.loader import turbo_config

    with torch.device("meta"):
        t3: Any = T3(turbo_config(nano=True))
    assert (len(t3.tfmr.h), t3.dim, t3.tfmr.h[0].attn.num_heads) == (12, 768, 12)


def test_a_finetune_speaks_with_its_own_speech_model_and_the_variants_rest(newer: Bench, tmp_path: Path) -> None:
    from cosmos_workflow.engines.testing.chatterbox.serial import SerialModel

    plain = newer.cases_of("english")[:2]
    tuned = [newer.case(case.text, case.voice, {**case.params, "finetune": "my-voice"}) for case in plain]
    base = newer.make(newer.requests("english", plain, tmp_path / "plain"), tokens_only=True)
    made = newer.make(newer.requests("english", tuned, tmp_path / "tuned"))
    upstream = SerialModel.load("english", newer.root / "other")
    for index, case in enumerate(plain):
        voice = newer.voices.get(case.voice)
        serial = upstream.generate(case.text, newer.params("english", case), voice)
        assert _said(made.tokens[f"qi_{index}"]) == _said(serial.tokens) != _said(base.tokens[f"qi_{index}"])
        assert abs(made.waves[f"qi_{index}"] - serial.wave).max() < CLOSE
    output = made.outcomes["qi_0"]
    assert isinstance(output, Output)
    assert output.metadata["finetune"] == "my-voice"
