"""Kokoro's real files, from a hub to a voice."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub_support import open_hub, own_cache

from cosmos_workflow.engines.base import Device, Output
from cosmos_workflow.engines.kokoro import SPEC
from cosmos_workflow.engines.kokoro.engine import KokoroEngine
from cosmos_workflow.engines.kokoro.model_files import KOKORO, find_kokoro
from cosmos_workflow.engines.model_files.fetching import fetch_model_files, plan_fetch
from cosmos_workflow.engines.testing.harness import RecordingContext, make_request, run_engine
from cosmos_workflow.errors import UnavailableError

pytestmark = pytest.mark.real


def test_what_a_hub_serves_speaks(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_cache(tmp_path, monkeypatch)
    source = models / "kokoro"
    files = {path.relative_to(source).as_posix(): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    assert find_kokoro() is None
    with open_hub(KOKORO.repo, files) as hub:
        plan = plan_fetch(KOKORO, hub.address)
        assert plan.missing_bytes == plan.total_bytes == sum(map(len, files.values()))
        folder = fetch_model_files(KOKORO, endpoint=hub.address)
    assert find_kokoro() == (KOKORO, folder)
    assert SPEC.availability().available
    engine = KokoroEngine()
    engine.load(Device())
    request = make_request(SPEC, tmp_path, "Good morning.", {"voice": "jf_alpha", "language": "en-us"})
    outcome = run_engine(engine, [request], RecordingContext(SPEC))[request.id]
    engine.close()
    assert isinstance(outcome, Output), outcome
    assert 0.4 < outcome.metadata["seconds"] < 2


def test_a_file_that_isnt_the_official_one_is_never_loaded(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_cache(tmp_path, monkeypatch)
    voice = (models / "kokoro" / "voices" / "jf_alpha.bin").read_bytes()
    files = {"onnx/model_quantized.onnx": b"another model" * 10_000, "voices/jf_alpha.bin": voice}
    with open_hub(KOKORO.repo, files) as hub, pytest.raises(UnavailableError, match="is damaged"):
        fetch_model_files(KOKORO, endpoint=hub.address)
    with pytest.raises(UnavailableError, match="is damaged"):
        KokoroEngine().load(Device())
