"""The package's real classes at toy size, with random weights made here; upstream's own `generate()` is the oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from cosmos_workflow.engines.base import Device, ItemOutcome, Request
from cosmos_workflow.engines.chatterbox import SPEC
from cosmos_workflow.engines.chatterbox.params import ChatterboxParams
from cosmos_workflow.engines.chatterbox.variants import find_variant
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.engines.testing.harness import RecordingContext, make_request, run_engine

SPEAKING = ("english", "multilingual", "turbo")

THIRD_PARTY_WARNINGS = (
    "ignore:pkg_resources is deprecated:UserWarning",
    "ignore:Deprecated call to `pkg_resources:DeprecationWarning",
    "ignore:`LoRACompatibleLinear` is deprecated:FutureWarning",
    "ignore:`torch.backends.cuda.sdp_kernel:FutureWarning",
    "ignore:'(aifc|audioop|sunau)' is deprecated:DeprecationWarning",
    "ignore:builtin type .* has no __module__ attribute:DeprecationWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings of the package and what it stands on, none of them about what we do; and what runs a model is slow."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            if "toy_root" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.slow)
            for warning in reversed(THIRD_PARTY_WARNINGS):
                item.add_marker(pytest.mark.filterwarnings(warning), append=False)


@dataclass(frozen=True)
class Case:
    """One item of a test: text, voice by name ("" for the built-in one), params."""

    text: str
    voice: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)


TEXTS = (
    "Hello there, this is a test of the thing.",
    "Short one.",
    "A somewhat different sentence with a few more words in it, so that it is long.",
    "Yes, no.",
    "Good morning to all of you.",
    "The quick brown fox jumps over the lazy dog.",
    "Six small ships sailed south.",
    "And this is the end of it, at last.",
)
VOICES = ("", "anna", "ben", "anna", "", "ben", "anna", "")

VARIED: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "english": (
        {"temperature": 0.8},
        {"temperature": 0.5, "cfg_weight": 0.3},
        {"temperature": 1.0, "min_p": 0.1, "exaggeration": 0.9},
        {"repetition_penalty": 2.0},
        {"top_p": 0.8, "temperature": 1.2},
        {"exaggeration": 0.3, "cfg_weight": 1.0, "min_p": 0.0, "top_p": 0.9},
        {"exaggeration": 1.5, "cfg_weight": 0.15},
        {"min_p": 0.2, "repetition_penalty": 1.0},
    ),
    "multilingual": (
        {"language_id": "en"},
        {"language_id": "fr", "cfg_weight": 0.3, "temperature": 0.6, "alignment_check": True},
        {"language_id": "de", "exaggeration": 0.9, "min_p": 0.1},
        {"language_id": "ko", "repetition_penalty": 2.0, "alignment_check": True},
        {"language_id": "sv", "top_p": 0.8, "temperature": 1.2},
        {"language_id": "en", "cfg_weight": 0.0},
        {"language_id": "it", "exaggeration": 1.5, "alignment_check": True},
        {"language_id": "sw", "min_p": 0.0, "top_p": 0.9},
    ),
    "turbo": (
        {"temperature": 0.8},
        {"temperature": 0.5, "top_k": 50},
        {"temperature": 1.0, "top_k": 0},
        {"repetition_penalty": 2.0},
        {"top_p": 0.8, "temperature": 1.2},
        {"top_p": 1.0, "top_k": 200},
        {"top_p": 0.7, "norm_loudness": False},
        {"repetition_penalty": 1.0},
    ),
}
MAX_TOKENS = 40


def cases_of(variant: str) -> list[Case]:
    """Eight items of a variant with three voices, each with a seed and parameters of its own."""
    return [
        Case(text, voice, {"seed": 11 + index, "max_tokens": MAX_TOKENS - 3 * (index % 4), **params})
        for index, (text, voice, params) in enumerate(zip(TEXTS, VOICES, VARIED[variant], strict=True))
    ]


@dataclass
class Made:
    """What the engine made: outcomes, and by item id the tokens and the waveform before its watermark."""

    outcomes: dict[str, ItemOutcome]
    context: RecordingContext
    tokens: dict[str, list[int]]
    waves: dict[str, Any]


class Bench:
    """Upstream and the engine on the same toy weights."""

    def __init__(self, root: Path, folder: Path) -> None:
        from cosmos_workflow.engines.testing.chatterbox.toy_engine import ToyChatterboxEngine

        self.root = root
        self.voices = {name: write_voice(folder / f"{name}.wav", pitch) for name, pitch in (("anna", 210), ("ben", 120))}
        self.engine = ToyChatterboxEngine()
        self.engine.load(Device())
        self._models: dict[str, Any] = {}
        self._serial: dict[tuple[str, str], Any] = {}

    @staticmethod
    def cases_of(variant: str) -> list[Case]:
        return cases_of(variant)

    @staticmethod
    def case(text: str, voice: str, params: Mapping[str, Any]) -> Case:
        return Case(text, voice, params)

    def folder_of(self, variant: str) -> Path:
        return self.root / find_variant(variant).model_files.folder_name

    def params(self, variant: str, case: Case) -> ChatterboxParams:
        return ChatterboxParams(**SPEC.complete_params({"variant": variant, **case.params}))

    def serial_model(self, variant: str) -> Any:
        from cosmos_workflow.engines.testing.chatterbox.serial import SerialModel

        if variant not in self._models:
            self._models[variant] = SerialModel.load(variant, self.folder_of(variant))
        return self._models[variant]

    def serial(self, variant: str, case: Case) -> Any:
        """What upstream makes of a case alone; made once."""
        key = (variant, repr(case))
        if key not in self._serial:
            model = self.serial_model(variant)
            voice = self.voices.get(case.voice)
            speech = self.voices["anna"] if variant == "voice-conversion" else None
            self._serial[key] = model.generate(case.text, self.params(variant, case), voice, speech)
        return self._serial[key]

    def requests(self, variant: str, cases: Sequence[Case], folder: Path) -> list[Request]:
        made = []
        for index, case in enumerate(cases):
            inputs = {"voice": self.voices[case.voice]} if case.voice else {}
            if variant == "voice-conversion":
                inputs["speech"] = self.voices["anna"]
            params = self.params(variant, case).model_dump()
            made.append(make_request(SPEC, folder, case.text, params, inputs=inputs, item_id=f"qi_{index}"))
        return made

    def make(
        self,
        requests: list[Request],
        max_lines: int | None = None,
        flow_rows: int | None = None,
        on_report: Callable[[RecordingContext, str], None] | None = None,
        tokens_only: bool = False,
    ) -> Made:
        """Run the engine over requests, listening to tokens and waveforms on their way; or only as far as the tokens."""
        from cosmos_workflow.engines.chatterbox import production
        from cosmos_workflow.engines.chatterbox.sound import SoundModel

        context = RecordingContext(SPEC, on_report=on_report)
        tokens: dict[str, list[int]] = {}
        waves: dict[str, Any] = {}

        def decode(*args: Any) -> Iterator[Any]:
            for step in real_decode(*args):
                tokens.update({line.id: list(line.tokens) for line in step.left})
                yield step

        def waveform(model: Any, sound: Any, mel: Any) -> Any:
            waves[sound.id] = real_waveform(model, sound, mel)
            return waves[sound.id]

        real_decode, real_waveform = production.decode, SoundModel.waveform
        self.engine.max_lines, self.engine.flow_rows = max_lines, flow_rows
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(production, "decode", decode)
            patch.setattr(SoundModel, "waveform", waveform)
            if tokens_only:
                patch.setattr(SoundModel, "mels", lambda *_: [])
            outcomes = run_engine(self.engine, requests, context)
        return Made(outcomes, context, tokens, {name: wave.numpy() for name, wave in waves.items()})


def write_voice(path: Path, pitch: float, seconds: float = 5.5) -> Path:
    """A wavering tone with a little noise: something that the voice encoders can look at."""
    time = np.arange(int(24_000 * seconds)) / 24_000
    random = np.random.default_rng(int(pitch))
    tone = 0.3 * np.sin(2 * np.pi * pitch * time * (1 + 0.1 * np.sin(3 * time)))
    soundfile.write(path, (tone + 0.05 * random.standard_normal(len(time))).astype(np.float32), 24_000)
    return path


@pytest.fixture(scope="session")
def toy_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of toy weights of every variant."""
    from cosmos_workflow.engines.testing.chatterbox.toy_weights import write_toy_weights

    root = tmp_path_factory.mktemp("weights")
    write_toy_weights(root / "chatterbox", "english")
    write_toy_weights(root / "chatterbox", "multilingual")
    write_toy_weights(root / "chatterbox-turbo", "turbo")
    return root


@pytest.fixture
def toy_weights(toy_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy weights are where the engine looks for them."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(toy_root))
    return toy_root


@pytest.fixture(scope="session")
def loaded_bench(toy_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """What `bench` is, kept for the whole session."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(toy_root))
        made = Bench(toy_root, tmp_path_factory.mktemp("voices"))
    yield made
    made.engine.close()
    torch.set_num_threads(threads)


@pytest.fixture
def bench(loaded_bench: Bench, toy_weights: Path) -> Bench:
    """Upstream and the engine on the same toy weights, loaded once a session."""
    return loaded_bench
