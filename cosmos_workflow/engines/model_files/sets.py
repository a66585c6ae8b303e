"""Sets of model files, and where they are: a folder of one's own, or the hub's cache.

A set is a list of files of one hub repository. They are looked for in the folder that the environment variable
COSMOS_WORKFLOW_WEIGHTS names (one subfolder a repository, called like its last part), then in the hub's cache; `fetching` brings
them there. `huggingface_hub` is imported only where it is needed; nothing here unpickles anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from cosmos_workflow.engines.model_files.digests import Checked, digest_in_cache, digest_of, stated_digests
from cosmos_workflow.errors import UnavailableError, command

FOLDER_VARIABLE = "COSMOS_WORKFLOW_WEIGHTS"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Files of one hub repository that a model needs.

    `name` is what a person types (`cosmos-workflow weights fetch NAME`); `files` are needed, `optional` are taken where they are.
    Both may hold patterns: "blocklist/*" stands for every file below blocklist, and among `files` needs one at least; one of
    `files` is no pattern. `folder` is the name below COSMOS_WORKFLOW_WEIGHTS for sets that are branches of one repository.
    `digests` pins files: pairs of a file's name and a SHA-256 that it may have, `size` is the bytes of the whole set, 0 where
    only the hub knows them.
    """

    name: str
    title: str
    repo: str
    files: tuple[str, ...]
    optional: tuple[str, ...] = ()
    revision: str = "main"
    folder: str = ""
    digests: tuple[tuple[str, str], ...] = ()
    size: int = 0

    @property
    def folder_name(self) -> str:
        """Name of the subfolder of COSMOS_WORKFLOW_WEIGHTS that holds it: "chatterbox" for "ResembleAI/chatterbox"."""
        return self.folder or self.repo.rpartition("/")[2]

    def pick(self, names: Iterable[str]) -> list[str]:
        """Those of a folder's or a repository's file names that belong to the set; what no pattern names comes last, needed
        files at the very end, so that a fetch that was broken off doesn't look complete."""
        there = list(names)
        wanted = sorted((*self.optional, *self.files), key=lambda entry: not _is_pattern(entry))
        return list(dict.fromkeys(name for entry in wanted for name in there if _matches(name, entry)))

    def lacking(self, names: Iterable[str]) -> list[str]:
        """What of `files` isn't among these names."""
        there = list(names)
        return [entry for entry in self.files if not any(_matches(name, entry) for name in there)]


def own_folder() -> Path | None:
    """The folder of model files that the user named, if any."""
    named = os.environ.get(FOLDER_VARIABLE, "").strip()
    return Path(named).expanduser() if named else None


def find_model_files(model: ModelFiles) -> Path | None:
    """The folder with every needed file of a set, or None. Looks only at this machine's disk."""
    root = own_folder()
    if root is not None and _has_all(root / model.folder_name, model):
        return root / model.folder_name
    return _find_in_cache(model)


def require_model_files(model: ModelFiles, find: Callable[[ModelFiles], Path | None] = find_model_files) -> Path:
    """The folder that `find` has of a set, undamaged; raises UnavailableError with what to do where it isn't so."""
    folder = find(model)
    if folder is None:
        raise UnavailableError(missing_sentence(model))
    check_model_files(model, folder)
    return folder


def missing_sentence(model: ModelFiles) -> str:
    """Why a set can't be used, and what to do about it."""
    return f"The weights of {model.title} ({model.repo}) aren't on this machine; {remedy(model)}."


def remedy(model: ModelFiles) -> str:
    """How to get a set."""
    return (
        f"run {command('weights', 'fetch', model.name)}, or put them into a folder {model.folder_name!r} and set "
        f"{FOLDER_VARIABLE} to the folder above it"
    )


def model_files_state(model: ModelFiles) -> tuple[Path | None, int]:
    """Where a set is on this machine, and its bytes there; None where it isn't. Looks only at the disk."""
    folder = find_model_files(model)
    return folder, sum((folder / name).stat().st_size for name in files_in(folder, model)) if folder else 0


def files_in(folder: Path, model: ModelFiles) -> list[str]:
    """Names of a set's files that are in a folder."""
    entries = (*model.files, *model.optional)
    if any(_is_pattern(entry) for entry in entries):
        return model.pick(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))
    return [entry for entry in entries if (folder / entry).is_file()]


def cache_folder(model: ModelFiles) -> Path:
    """Where the hub's cache keeps the repository of a set."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{model.repo.replace('/', '--')}"


def cached_file(model: ModelFiles, name: str) -> Path | None:
    """A file of a set in the hub's cache, if it is there."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(model.repo, name, revision=model.revision)
    return Path(found) if isinstance(found, str) else None


def check_model_files(model: ModelFiles, folder: Path) -> None:
    """Compare a set's files with their digests, once for each state of a file; raises UnavailableError for a damaged one.

    A set may pin them. Else, in the hub's cache a file's digest is its blob's name; in a folder of one's own `SHA256SUMS` holds
    them, if there is one.
    """
    known = Checked()
    stated = stated_digests(folder)
    for name in files_in(folder, model):
        path = folder / name
        digests = [digest for pinned, digest in model.digests if pinned == name]
        if not digests:
            digests = [digest for digest in (stated.get(name) or digest_in_cache(path),) if digest]
        if not digests or any(known.has(path, digest) for digest in digests):
            continue
        found = digest_of(path, digests[0])
        if found not in digests:
            raise UnavailableError(damaged_sentence(model, name, f"delete {path.resolve()} and "))
        known.add(path, found)
    known.write()


def damaged_sentence(model: ModelFiles, name: str, first: str = "") -> str:
    """That a file isn't what it should be, and what to do about it, `first` before anything else."""
    return (
        f"{name} of {model.title} is damaged: its content isn't what its digest says; {first}run "
        f"{command('weights', 'fetch', model.name)}."
    )


def _find_in_cache(model: ModelFiles) -> Path | None:
    first = next(entry for entry in model.files if not _is_pattern(entry))
    path = cached_file(model, first)
    if path is None:
        return None
    folder = path.parents[first.count("/")]
    return folder if _has_all(folder, model) else None


def _has_all(folder: Path, model: ModelFiles) -> bool:
    return not model.lacking(files_in(folder, model))


def _is_pattern(entry: str) -> bool:
    return "*" in entry


def _matches(name: str, entry: str) -> bool:
    return name == entry or (_is_pattern(entry) and fnmatchcase(name, entry))
