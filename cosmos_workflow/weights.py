"""Where model weights are, and how they get there: a folder of one's own, or the hub's cache.

A set of weights is a list of files of one hub repository. They are looked for in the folder that the environment variable
COSMOS_WORKFLOW_WEIGHTS names (one subfolder a repository, called like its last part), then in the hub's cache.
`huggingface_hub` is imported only where it is needed; nothing here unpickles anything.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cosmos_workflow.errors import UnavailableError

FOLDER_VARIABLE = "COSMOS_WORKFLOW_WEIGHTS"


@dataclass(frozen=True, slots=True)
class WeightSet:
    """Files of one hub repository that a model needs.

    `name` is what a person types (`cosmos-workflow weights fetch NAME`); `files` are needed, `optional` are taken where they are.
    """

    name: str
    title: str
    repo: str
    files: tuple[str, ...]
    optional: tuple[str, ...] = ()
    revision: str = "main"

    @property
    def folder_name(self) -> str:
        """Name of the subfolder of COSMOS_WORKFLOW_WEIGHTS that holds it: "chatterbox" for "ResembleAI/chatterbox"."""
        return self.repo.rpartition("/")[2]


def own_folder() -> Path | None:
    """The folder of weights that the user named, if any."""
    named = os.environ.get(FOLDER_VARIABLE, "").strip()
    return Path(named).expanduser() if named else None


def find_weights(weights: WeightSet) -> Path | None:
    """The folder with every needed file of a set, or None. Looks only at this machine's disk."""
    root = own_folder()
    if root is not None and _has_all(root / weights.folder_name, weights):
        return root / weights.folder_name
    return _find_in_cache(weights)


def require_weights(weights: WeightSet) -> Path:
    """As `find_weights`; raises UnavailableError with what to do where they aren't there."""
    folder = find_weights(weights)
    if folder is None:
        raise UnavailableError(missing_sentence(weights))
    return folder


def missing_sentence(weights: WeightSet) -> str:
    """Why a set can't be used, and what to do about it."""
    return f"The weights of {weights.title} ({weights.repo}) aren't on this machine; {remedy(weights)}."


def remedy(weights: WeightSet) -> str:
    """How to get a set."""
    return (
        f"run `cosmos-workflow weights fetch {weights.name}`, or put them into a folder {weights.folder_name!r} and set "
        f"{FOLDER_VARIABLE} to the folder above it"
    )


def _has_all(folder: Path, weights: WeightSet) -> bool:
    return all((folder / name).is_file() for name in weights.files)


def _find_in_cache(weights: WeightSet) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(weights.repo, name, revision=weights.revision) for name in weights.files]
    folders = {str(path)[: -len(name)] for path, name in zip(found, weights.files, strict=True) if isinstance(path, str)}
    complete = len(folders) == 1 and all(isinstance(path, str) for path in found)
    return Path(folders.pop()) if complete else None
