"""Kokoro's model files: its int8 model and its voices, as the hub has them or as kokoro-onnx releases them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from cosmos_workflow.engines.kokoro.voices import VOICES
from cosmos_workflow.engines.model_files.digests import stated_digests
from cosmos_workflow.engines.model_files.sets import (
    ModelFiles,
    cached_file,
    find_model_files,
    own_folder,
    remedy,
    require_model_files,
)

_RELEASED_MODEL = "kokoro-v1.0.int8.onnx"
_RELEASED_VOICES = "voices-v1.0.bin"
_RELEASED_MODEL_DIGEST = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
_MODEL = "onnx/model_quantized.onnx"
KOKORO = ModelFiles(
    name="kokoro",
    title="Kokoro",
    repo="onnx-community/Kokoro-82M-v1.0-ONNX",
    files=(_MODEL, "voices/*.bin"),
    folder="kokoro",
    # The same weights were exported twice; the released file does at either name.
    digests=(
        (_MODEL, "fbae9257e1e05ffc727e951ef9b9c98418e6d79f1c9b6b13bd59f5c9028a1478"),
        (_MODEL, _RELEASED_MODEL_DIGEST),
        *stated_digests(Path(__file__).parent).items(),
    ),
    size=120_562_076,
)
RELEASED = replace(
    KOKORO,
    files=(_RELEASED_MODEL, _RELEASED_VOICES),
    digests=(
        (_RELEASED_MODEL, _RELEASED_MODEL_DIGEST),
        (_RELEASED_VOICES, "bca610b8308e8d99f32e6fe4197e7ec01679264efed0cac9140fe9c29f1fbf7d"),
    ),
    size=0,
)
"""What users of kokoro-onnx have already: the files of its release, in a folder `kokoro` of one's own."""


def find_kokoro() -> tuple[ModelFiles, Path] | None:
    """The set that is on this machine, and its folder; None where neither is."""
    root = own_folder()
    if root is not None and all((root / RELEASED.folder / name).is_file() for name in RELEASED.files):
        return RELEASED, root / RELEASED.folder
    folder = find_model_files(KOKORO)
    return None if folder is None else (KOKORO, folder)


def require_kokoro() -> tuple[ModelFiles, Path]:
    """As `find_kokoro`; raises UnavailableError with what to do where they aren't there."""
    return find_kokoro() or (KOKORO, require_model_files(KOKORO))


def model_file(folder: Path) -> Path:
    """The model in a folder of either set."""
    released = folder / _RELEASED_MODEL
    return released if released.is_file() else folder / _MODEL


def voice_file(folder: Path, name: str) -> Path | None:
    """The file that holds a voice in a folder of either set: its own, or the archive of all; None where it isn't there."""
    own = folder / "voices" / f"{name}.bin"
    archive = folder / _RELEASED_VOICES
    return own if own.is_file() else archive if archive.is_file() else None


def voices_there() -> tuple[str, ...] | None:
    """The voices whose files are on this machine; None where one archive holds all, and where no model is. Asked for each item of
    a job, so it looks at few files."""
    for folder in _folders():
        if not model_file(folder).is_file():
            continue
        if (folder / _RELEASED_VOICES).is_file():
            return None
        voices = folder / "voices"
        if voices.is_dir() and (names := _names_in(voices, voices.stat().st_mtime_ns)):
            return names
    return None


def missing_voice(name: str) -> str:
    """What to do about a voice that isn't there, behind the engine's name."""
    return f"kokoro: the voice {name} isn't among the model files; {remedy(KOKORO)}"


def _folders() -> Iterator[Path]:
    root = own_folder()
    if root is not None:
        yield root / KOKORO.folder
    cached = cached_file(KOKORO, _MODEL)
    if cached is not None:
        yield cached.parents[_MODEL.count("/")]


@lru_cache(maxsize=8)
def _names_in(folder: Path, _changed_at: int) -> tuple[str, ...]:
    there = {file.stem for file in folder.glob("*.bin")}
    return tuple(name for name in VOICES if name in there)
