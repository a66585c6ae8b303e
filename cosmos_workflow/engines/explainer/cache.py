"""Outlines and drawn scenes that are kept between videos, by what they were made of.

A file is named `<kind>-<key>-<checksum>.<ending>` and appears under that name by one rename, so that it is whole or not
there; what is read is checked against its name, and by what it should be. The folder is `cache/explainer` in
`$COSMOS_WORKFLOW_HOME`, else `explainer` in the user's cache folder. It holds at most `MAX_BYTES`: what was used longest ago
goes first. It may be deleted at any time.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cosmos_workflow.clips.looking import probe_clip
from cosmos_workflow.config import HOME_VARIABLE
from cosmos_workflow.engines.explainer.outline import parse_outline
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.files import TEMPORARY, Disk, sha256_of

MAX_BYTES = 2_000_000_000
LEFT_BEHIND = 3600.0
"""Seconds after which a temporary file is taken for one whose writer died."""

ASIDE = "aside"
"""Folder below the cache for what `repair` found broken; it counts towards `MAX_BYTES`."""

Kind = Literal["outline", "scene"]
ENDINGS: dict[Kind, str] = {"outline": "json", "scene": "mp4"}

_NAME = re.compile(r"(?P<kind>outline|scene)-(?P<key>[0-9a-f]{32})-(?P<sum>[0-9a-f]{32})\.(json|mp4)")


def cache_folder() -> Path:
    """Where the cache is; it may not be there yet."""
    if home := os.environ.get(HOME_VARIABLE):
        return Path(home).expanduser().absolute() / "cache" / "explainer"
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("cosmos-workflow", appauthor=False)) / "explainer"


@dataclass(slots=True)
class Cache:
    """The cache as one video uses it; `notes` are sentences on what was wrong with it, for the person who made the video."""

    folder: Path
    notes: list[str] = field(default_factory=list)

    def take(self, kind: Kind, key: str, target: Path, what: str, problem_of: Callable[[Path], str]) -> bool:
        """Put a kept file at `target`, if there is a sound one. A broken one is deleted, and noted as that of `what`.

        `problem_of` says what is wrong with a file beyond its checksum; empty where nothing is.
        """
        for path in sorted(self.folder.glob(f"{kind}-{key}-*.{ENDINGS[kind]}")):
            problem = _damage(path) or problem_of(path)
            if problem:
                self.notes.append(f"The kept {what} was broken ({problem}), so it was made again.")
                path.unlink(missing_ok=True)
                continue
            with suppress(OSError):  # somebody tidies up at this moment: it is made again
                try:
                    os.link(path, target)
                except OSError:  # another file system
                    shutil.copyfile(path, target)
                os.utime(path)
                return True
        return False

    def keep(self, kind: Kind, key: str, source: Path) -> None:
        """Keep a file. Where that fails, the video is made all the same, and a note says so."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            Disk().copy(source, self.folder / f"{kind}-{key}-{_checksum(source)}.{ENDINGS[kind]}")
        except (OSError, UnavailableError) as error:
            reason = error.__cause__ or error
            note = f"What was made can't be kept for the next time: {getattr(reason, 'strerror', None) or reason}."
            if note not in self.notes:
                self.notes.append(note)

    def prune(self, most: int = MAX_BYTES) -> None:
        """Delete what was used longest ago, until at most `most` bytes are left."""
        kept: list[tuple[float, int, Path]] = []
        for path in self.folder.rglob("*"):
            with suppress(OSError):
                state = path.stat()
                if not path.is_dir():
                    kept.append((state.st_mtime, state.st_size, path))
        size = sum(bytes_ for _, bytes_, _ in kept)
        for _, bytes_, path in sorted(kept):
            if size <= most:
                return
            with suppress(OSError):
                path.unlink(missing_ok=True)
                size -= bytes_


def check_cache(folder: Path, apply: bool = False) -> list[tuple[str, str]]:
    """Names of files that can't be used, each with a sentence that says why, for the verb `repair`; with `apply` they go to
    `ASIDE`, and are made again when needed."""
    found: list[tuple[str, str]] = []
    for path in sorted(folder.glob("*")):
        if problem := _problem(path):
            found.append((path.name, f"{problem[0].upper()}{problem[1:]}."))
            if apply:
                (folder / ASIDE).mkdir(exist_ok=True, mode=0o700)
                path.replace(folder / ASIDE / path.name)
    return found


def outline_problem(path: Path) -> str:
    """What is wrong with a kept outline; empty where nothing is."""
    try:
        parse_outline(path.read_text(encoding="utf-8"), path.name)
    except (InputError, ValueError, OSError):
        return "it isn't an outline"
    return ""


def clip_problem(path: Path, frames: int = 0) -> str:
    """What is wrong with a kept clip, which should have `frames` frames (0: any); empty where nothing is."""
    try:
        clip = probe_clip(path)
    except InputError as error:
        return f"it isn't a clip: {str(error).rstrip('.')}"
    return f"it has {clip.frames} frames instead of {frames}" if frames and clip.frames != frames else ""


def _problem(path: Path) -> str:
    if path.name.startswith(TEMPORARY):
        return "it was left behind half written" if time.time() - path.stat().st_mtime > LEFT_BEHIND else ""
    found = _NAME.fullmatch(path.name)
    if found is None:
        return ""  # not one of ours
    return _damage(path) or (outline_problem(path) if found["kind"] == "outline" else clip_problem(path))


def _damage(path: Path) -> str:
    """What is wrong with a file by its name; empty where nothing is."""
    try:
        if path.stat().st_size == 0:
            return "it is empty"
        if _checksum(path) != path.stem.rpartition("-")[2]:
            return "its content isn't what was written"
    except OSError as error:
        return f"it can't be read: {error.strerror or error}"
    return ""


def _checksum(path: Path) -> str:
    return sha256_of(path)[:32]
