"""Every engine keeps the contract: the built-in ones, those of another package, and the example."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from real_support import write_kokoro

from cosmos_workflow.engines.base import Device, Engine
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.engines.registry import engine_names, find_engine
from cosmos_workflow.engines.spec import EngineSpec, Recipe
from cosmos_workflow.engines.testing.contract import CHECKS, Subject, same_bytes
from tests.engines.chatterbox.conftest import THIRD_PARTY_WARNINGS, write_voice
from tests.engines.cosmos_transfer.conftest import UPSTREAM
from tests.engines.cosmos_transfer.support import difference, frames_of, write_clip

TEXTS = ("Hello there, this is a text.", "A somewhat longer one, with more words in it.", "Short one.")
OUTLINE = "title: {0}\nscenes:\n  - title: {0}\n    narration: {0}\n"


def recipes(spec: EngineSpec, params: dict[str, Any], *given: tuple[str, dict[str, Path]], **weights: float) -> list[Recipe]:
    """Recipes of one batch: texts with their inputs."""
    stated = spec.complete_weights(weights or None)
    return [spec.recipe(text, spec.complete_params(params), stated, inputs) for text, inputs in given]


def loaded(spec: EngineSpec) -> Engine:
    """The engine as a worker has it."""
    module, _, name = spec.implementation.partition(":")
    engine: Engine = getattr(import_module(module), name)()
    engine.load(Device())
    return engine


def spoken(name: str, folder: Path, **params: Any) -> Subject:
    """An engine that needs a text and nothing else."""
    spec = find_engine(name)
    wrong = spec.recipe("  ", {}, {}, {})
    return Subject(spec, loaded(spec), recipes(spec, params, *((text, {}) for text in TEXTS)), wrong)


def control_preview(name: str, folder: Path) -> Subject:
    spec = find_engine(name)
    clips = [write_clip(folder / f"{frames}.mp4", frames=frames) for frames in (6, 9, 4)]
    made = recipes(spec, {"fps": 6}, *(("", {"video": clip}) for clip in clips))
    return Subject(spec, loaded(spec), made, spec.recipe("", {}, spec.complete_weights({}), {}))


def chatterbox(name: str, folder: Path) -> Subject:
    import torch

    from cosmos_workflow.engines.testing.chatterbox.toy_weights import write_toy_weights

    write_toy_weights(folder / "chatterbox", "english")
    torch.set_num_threads(1)
    os.environ[FOLDER_VARIABLE] = str(folder)
    voice = write_voice(folder / "voice.wav", 210)
    spec = find_engine(name)
    inputs: tuple[dict[str, Path], ...] = ({}, {"voice": voice}, {})
    made = recipes(spec, {"max_tokens": 25, "cfm_steps": 2}, *zip(TEXTS, inputs, strict=True))
    return Subject(spec, loaded(spec), made, spec.recipe("Hello there.", {}, {}, {"video": voice}), nearly_the_same_sound)


def nearly_the_same_sound(one: Path, other: Path) -> bool:
    """As its tests of the decoder have it: the sum of many numbers depends a little on the shape it is taken in."""
    import soundfile

    (first, _), (second, _) = soundfile.read(one), soundfile.read(other)
    return len(first) == len(second) and float(np.abs(first - second).max()) < 1e-4


def cosmos_transfer(name: str, folder: Path) -> Subject:
    from cosmos_workflow.engines.testing.cosmos_transfer.toy_weights import write_toy_weights

    os.environ[FOLDER_VARIABLE] = str(write_toy_weights(folder, annotators=False))
    clip = write_clip(folder / "clip.mp4")
    spec = find_engine(name)
    made = recipes(
        spec, {"num_steps": 2, "fps": 6}, *((text, {"video": clip}) for text in TEXTS), vis=0.25, edge=0.5, depth=0, seg=0
    )
    wrong = spec.recipe("", {}, spec.complete_weights({}), {"video": clip})
    return Subject(spec, loaded(spec), made, wrong, nearly_the_same_clip)


def nearly_the_same_clip(one: Path, other: Path) -> bool:
    # Read back from H.264, where a difference of 1 in a picture can become a few.
    return difference(frames_of(one), frames_of(other)) <= 8


def kokoro(name: str, folder: Path) -> Subject:
    write_kokoro(folder / "kokoro")
    os.environ[FOLDER_VARIABLE] = str(folder)
    return spoken(name, folder, voice="jf_alpha", language="en-us", speed=2)


def explainer(name: str, folder: Path) -> Subject:
    spec = find_engine(name)
    if not spec.availability().available:
        pytest.skip(str(spec.availability()))
    params = {"quality": "240p", "fps": 10, "rate": 400, "pause": 0.0}
    texts = [OUTLINE.format(word) for word in ("One", "Two", "Three")]
    wrong = spec.recipe("title: None\nscenes: []\n", {}, {}, {})
    return Subject(spec, loaded(spec), recipes(spec, params, *((text, {}) for text in texts)), wrong, same_bytes)


SUBJECTS: dict[str, Callable[[str, Path], Subject]] = {
    "espeak": spoken,
    "control-preview": control_preview,
    "explainer": explainer,
    "kokoro": kokoro,
    "tone": spoken,
    "probe": spoken,
    "toy-chatterbox": chatterbox,
    "toy-cosmos-transfer": cosmos_transfer,
}
TOYS = {"chatterbox": "toy-chatterbox", "cosmos-transfer": "toy-cosmos-transfer"}
"""Engines whose model files are too large for a test, and what stands for them: their own class on small ones."""
MARKS = {"kokoro": pytest.mark.real} | dict.fromkeys(("explainer", *TOYS.values()), pytest.mark.slow)
WARNINGS = [pytest.mark.filterwarnings(warning) for warning in reversed((*THIRD_PARTY_WARNINGS, UPSTREAM))]


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[*WARNINGS, MARKS[name]] if name in MARKS else []) for name in SUBJECTS],
)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """A loaded engine, one after another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, "")
        made = SUBJECTS[request.param](request.param, tmp_path_factory.mktemp(request.param))
        yield made
        made.engine.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_an_engine_keeps_the_contract(
    subject: Subject, check: Callable[[Subject, Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    check(subject, folder)


def test_every_engine_is_among_the_subjects() -> None:
    assert {TOYS.get(name, name) for name in engine_names(examples=True)} == set(SUBJECTS)


def test_the_example_is_found_and_listed_only_when_asked_for() -> None:
    assert "tone" not in engine_names()
    assert find_engine("tone").title == "Tone"
