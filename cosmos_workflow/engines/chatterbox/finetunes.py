"""A finetune of one's own beside the variant that it was made from: where it is, and which of its files is what.

It is a folder below COSMOS_WORKFLOW_WEIGHTS, or a repository in the hub's cache. What a finetune doesn't bring, mostly all but
the speech model, is the variant's own. Its files may be called as anybody likes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cosmos_workflow.engines.chatterbox.variants import BUILT_IN_VOICE, LANGUAGE_PACKS, VOICE_ENCODER, Variant
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE, ModelFiles, check_model_files, missing_sentence, own_folder
from cosmos_workflow.errors import InputError, shorten

NAME = re.compile(r"(?!.*\.\.)[\w][\w.-]*(/[\w][\w.-]*)?", re.ASCII)
"""A folder's name, or owner/name; never a path that leads out of the folder of weights."""

_WEIGHTS = (".safetensors", ".pt", ".pth")
_OTHER = ("s3gen", "ve.", "conds", "voice", "optimizer", "training_args", "scheduler", "rng_state")
_SOUND = ("s3gen_v3.safetensors", "s3gen.safetensors")
_VOCABULARIES = ("tokenizer.json", "mtl_tokenizer.json")


@dataclass(frozen=True, slots=True)
class Files:
    """Where a model's parts are; `tables` is the folder with what some languages need. `t3` is no file for voice conversion."""

    t3: Path
    sound: Path
    encoder: Path
    vocabulary: Path
    voice: Path
    tables: Path

    @classmethod
    def of(cls, variant: Variant, folder: Path, finetune: Path | None = None) -> Files:
        """The files of a variant in its folder, and of a finetune of it in another one. Raises InputError where the folder has no
        speech model, or several."""
        own = finetune or folder

        def part(*names: str) -> Path:
            return next((own / name for name in names if (own / name).is_file()), folder / names[0])

        return cls(
            t3=_speech_model(finetune, variant.t3) if finetune else folder / variant.t3,
            sound=part(variant.sound, *(() if variant.turbo else _SOUND)),
            encoder=part(VOICE_ENCODER),
            vocabulary=part(variant.vocabulary, *(() if variant.turbo else _VOCABULARIES)),
            voice=part(BUILT_IN_VOICE),
            tables=folder,
        )


def require_finetune(name: str, variant: Variant) -> Path:
    """The folder of a finetune by its name; raises InputError where it isn't there, or holds no speech model."""
    if not NAME.fullmatch(name):
        raise InputError(
            f"chatterbox: finetune: {shorten(name)} isn't right; use the name of a folder, or owner/name of the hub."
        )
    folder = _find(name)
    if folder is None:
        pack = next((pack for pack in LANGUAGE_PACKS if pack.repo == name), None)
        if pack is not None:
            raise InputError(f"chatterbox: {missing_sentence(pack)}")
        raise InputError(
            f"chatterbox: finetune: {shorten(name)} isn't on this machine; put its files into a folder "
            f"{name.rpartition('/')[2]!r} and set {FOLDER_VARIABLE} to the folder above it, or get it by `hf download {name}`."
        )
    _speech_model(folder, variant.t3)
    return folder


def check_finetune(name: str, folder: Path) -> None:
    """Compare its files with the digests that the hub's cache or the folder states; raises UnavailableError for a damaged one."""
    names = tuple(path.name for path in sorted(folder.iterdir()) if path.suffix in _WEIGHTS)
    check_model_files(ModelFiles(name, f"the finetune {name}", name, names), folder)


def _find(name: str) -> Path | None:
    root = own_folder()
    if root is not None and (root / name.rpartition("/")[2]).is_dir():
        return root / name.rpartition("/")[2]
    if "/" not in name:
        return None
    from huggingface_hub import constants

    repository = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    main = repository / "refs" / "main"
    snapshot = repository / "snapshots" / main.read_text(encoding="ascii").strip() if main.is_file() else None
    return snapshot if snapshot is not None and snapshot.is_dir() else None


def _speech_model(folder: Path, usual: str) -> Path:
    """The file of a folder that holds T3: by the variant's own name, else called t3..., else the only one it can be."""
    if (folder / usual).is_file():
        return folder / usual
    rest = [path for path in sorted(folder.iterdir()) if path.suffix in _WEIGHTS and not path.name.startswith(_OTHER)]
    named = [path for path in rest if path.name.startswith("t3")] or rest
    safe = [path for path in named if path.suffix == ".safetensors"] or named
    if len(safe) == 1:
        return safe[0]
    has = f"several files it may be ({', '.join(path.name for path in safe[:3])})" if safe else "no file it can be"
    raise InputError(f"chatterbox: finetune: {folder.name} has {has}; call the speech model {usual}.")
