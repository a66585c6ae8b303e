"""The recognisers that there are: their model files, and whether they can run here. Imports nothing heavy."""

from __future__ import annotations

from importlib.util import find_spec

from cosmos_workflow.engines.model_files.sets import ModelFiles, find_model_files, missing_sentence
from cosmos_workflow.errors import InputError, UnavailableError, install, list_choices, shorten

DEFAULT = "base"
NEEDED = ("faster_whisper", "rapidfuzz")

_BASE_DIGEST = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"


MODELS = {
    size: ModelFiles(
        name=f"whisper-{size}",
        title=f"Whisper {size}",
        repo=f"{'mobiuslabsgmbh' if size == 'large-v3-turbo' else 'Systran'}/faster-whisper-{size}",
        files=("config.json", "tokenizer.json", f"vocabulary.{'json' if size == 'large-v3-turbo' else 'txt'}", "model.bin"),
        optional=("preprocessor_config.json",),
        folder=f"whisper-{size}",
        digests=(("model.bin", _BASE_DIGEST),) if size == "base" else (),
        size=147_882_941 if size == "base" else 0,
    )
    for size in ("tiny", "base", "small", "medium", "large-v3-turbo")
}
"""Whisper for CTranslate2, by size; each file is checked against its digest, pinned or the hub's."""


def recogniser_files() -> dict[str, ModelFiles]:
    """The sets of model files by the name that a person types."""
    return {model.name: model for model in MODELS.values()}


def find_model(name: str) -> ModelFiles:
    """The model files of a recogniser; raises InputError for an unknown name."""
    if name not in MODELS:
        raise InputError(f"There is no recogniser {shorten(name)}; use {list_choices(list(MODELS))}.")
    return MODELS[name]


def require_recogniser(name: str) -> None:
    """Raise UnavailableError, which says what to do, where a recogniser can't run here; InputError where there is none."""
    model = find_model(name)
    if not all(find_spec(package) for package in NEEDED):
        raise UnavailableError(
            f"Hearing speech back needs faster-whisper; install it with {install('cosmos-workflow', 'check')}."
        )
    if find_model_files(model) is None:
        raise UnavailableError(missing_sentence(model))
