"""A finetune of one's own: found by its name, its files told apart, and refused with a sentence where that can't be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cosmos_workflow.engines import chatterbox
from cosmos_workflow.engines.chatterbox import SPEC
from cosmos_workflow.engines.chatterbox.finetunes import Files, require_finetune
from cosmos_workflow.engines.chatterbox.variants import LANGUAGE_PACKS, VARIANTS, find_variant
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.errors import InputError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights, and an empty cache of the hub."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


def _folder(root: Path, name: str, *files: str) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("files", "speech_model"),
    [
        (["t3_cfg.safetensors", "other.safetensors"], "t3_cfg.safetensors"),
        (["t3_anna.safetensors", "s3gen.safetensors", "ve.safetensors"], "t3_anna.safetensors"),
        (["model.safetensors", "optimizer.pt", "training_args.bin", "conds.pt"], "model.safetensors"),
        (["t3_cfg.pt", "s3gen.pt", "ve.pt"], "t3_cfg.pt"),
        (["t3_ft.pt", "t3_ft.safetensors"], "t3_ft.safetensors"),
    ],
)
def test_the_speech_model_is_found_whatever_it_is_called(root: Path, files: list[str], speech_model: str) -> None:
    folder, variant = _folder(root, "anna", *files), find_variant("english")
    assert require_finetune("anna", variant) == folder
    found = Files.of(variant, root / "chatterbox", folder)
    assert found.t3 == folder / speech_model
    for name, path in (("s3gen.safetensors", found.sound), ("ve.safetensors", found.encoder), ("conds.pt", found.voice)):
        assert path == (folder if name in files else root / "chatterbox") / name, "what it doesn't bring is the variant's own"


def test_a_pack_of_one_language_is_v3_with_another_speech_model(root: Path) -> None:
    pack = next(pack for pack in LANGUAGE_PACKS if pack.name == "chatterbox-hi")
    variant = find_variant("multilingual-v3")
    with pytest.raises(InputError, match=r"Chatterbox for Hindi .* aren't on this machine; run `.*weights fetch chatterbox-hi"):
        require_finetune(pack.repo, variant)
    folder = _folder(root, pack.folder_name, *pack.files)
    found = Files.of(variant, root / "chatterbox", require_finetune(pack.repo, variant))
    assert (found.t3, found.sound) == (folder / "t3_hi.safetensors", folder / "s3gen_v3.safetensors")
    assert found.vocabulary == root / "chatterbox" / variant.vocabulary


def test_a_finetune_in_the_hubs_cache_is_found_by_owner_and_name(root: Path) -> None:
    repository = root / "hub" / "models--someone--my-voice"
    folder = _folder(repository / "snapshots", "0123", "t3_x.safetensors")
    _folder(repository, "refs").joinpath("main").write_text("0123\n")
    assert require_finetune("someone/my-voice", find_variant("english")) == folder


@pytest.mark.parametrize("name", ["../chatterbox", "a/../b", "/etc", "a/b/c", "..", ".hidden", "a\\b", "https://x"])
def test_a_name_leads_nowhere_else(root: Path, name: str) -> None:
    with pytest.raises(InputError, match="isn't right; use the name of a folder, or owner/name"):
        SPEC.check_params(SPEC.checked_params({"finetune": name}))


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (None, r"'anna' isn't on this machine; put its files into a folder 'anna'"),
        (["ve.safetensors"], r"anna has no file it can be; call the speech model t3_cfg\.safetensors"),
        (["a.safetensors", "b.safetensors"], r"anna has several files it may be \(a\.safetensors, b\.safetensors\)"),
    ],
)
def test_a_finetune_that_cant_be_used_is_refused_before_it_is_queued(root: Path, files: list[str] | None, sentence: str) -> None:
    if files is not None:
        _folder(root, "anna", *files)
    with pytest.raises(InputError, match=sentence):
        SPEC.check_params(SPEC.checked_params({"finetune": "anna"}))


def test_nano_is_the_usual_variant_without_a_gpu_where_its_files_are(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus: list[Any] = []
    monkeypatch.setattr(chatterbox, "_has_gpu", lambda: bool(gpus))
    assert SPEC.complete_params({})["variant"] == "english"
    nano = VARIANTS["nano"].model_files
    _folder(root, nano.folder_name, *nano.files)
    assert SPEC.complete_params({})["variant"] == "nano"
    assert SPEC.complete_params({"temperature": 1.0})["variant"] == "nano"
    assert SPEC.complete_params({"exaggeration": 1.0})["variant"] == "english", "Nano would take no notice of it"
    assert SPEC.complete_params({"variant": "turbo"})["variant"] == "turbo"
    gpus.append("one")
    assert SPEC.complete_params({})["variant"] == "english"


def test_what_is_fetched_is_pinned_and_nothing_is_unpickled_where_there_is_a_safe_file() -> None:
    for variant in VARIANTS.values():
        assert len(variant.model_files.revision) == 40
        assert [name for name in variant.model_files.files if name.endswith(".pt")] == ["conds.pt"]
        assert {variant.t3, variant.sound, variant.vocabulary} - {""} <= set(variant.model_files.files)
