"""Input files: copied into the workspace under the digest of their content, and known by what they contain."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path, PurePath
from typing import NamedTuple

from sqlalchemy import delete, insert, select

from cosmos_workflow.config import Workspace, assets_dir
from cosmos_workflow.engines.probing import look_at_clip, look_at_sound
from cosmos_workflow.errors import InputError, list_choices, shorten
from cosmos_workflow.files import Digests, Disk, file_errors, folder_name, inside, path_as_here
from cosmos_workflow.store.database import Database
from cosmos_workflow.store.quota import Quota
from cosmos_workflow.store.records import LOCAL, InputFile
from cosmos_workflow.store.schema import input_files

_EXTENSIONS: dict[str, tuple[str, ...]] = {
    "audio": (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a"),
    "video": (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi"),
    "text": (".txt", ".csv", ".yaml", ".yml", ".json", ".ssml", ".xml"),
}
_CALLED = {"audio": "an audio file", "video": "a video", "text": "text in UTF-8", None: "an audio, video or text file"}
MAX_JSON_BYTES = 1_000_000
_LOOKS: Mapping[str, Callable[[Path], object]] = {"audio": look_at_sound, "video": look_at_clip}


class _Content(NamedTuple):
    """What a file's first bytes say: the kinds of input it may be, and the extension it is kept under."""

    kinds: frozenset[str]
    extension: str


class Inputs:
    """The files that prompts name, each owner's apart."""

    def __init__(self, workspace: Workspace, database: Database, disk: Disk, digests: Digests) -> None:
        self.quota = Quota(workspace, database, disk)
        self._workspace = workspace
        self._database = database
        self._disk = disk
        self._digests = digests

    def add(self, source: Path, name: str = "", owner: str = LOCAL) -> Path:
        """Keep a copy of an audio, video or text file; the same content twice is one file. Returns its path.

        `name` is what the file was called where it came from. Raises InputError for a file that is too large, empty, or
        not what its name says, or doesn't fit beside what the owner has.
        """
        name = PurePath((name or source.name).replace("\\", "/")).name
        with file_errors(f"The file {shorten(name)}"):
            size = source.stat().st_size
            limit = self._workspace.settings.max_upload_mb
            if size > limit * 1_000_000:
                raise InputError(f"{shorten(name)} has {size / 1e6:,.0f} MB; use a file of at most {limit:,} MB.")
            kind, extension = _look_into(source, name)
            digest = self._digests.of(source)
        folder = self.folder(owner)
        target = folder / f"{digest}{extension}"
        if self.quota.room(owner, size, target.name) < size:
            raise self.quota.refusal(owner, name)
        self._disk.make_folder(folder)
        if not target.exists() or target.stat().st_size != size:
            self._disk.copy(source, target)
        row = {"owner": owner, "file": target.name, "name": name, "kind": kind, "size": size, "added_at": time.time()}
        with self._database.write() as connection:
            same = (input_files.c.owner == owner) & (input_files.c.file == target.name)
            connection.execute(delete(input_files).where(same))
            connection.execute(insert(input_files).values(**row))
        if not target.exists():  # nothing used it until now, and it was taken away meanwhile
            self._disk.copy(source, target)
        return target

    def list(self, owner: str = LOCAL) -> list[InputFile]:
        """The files of an owner, newest first."""
        columns = [input_files.c[column.name] for column in fields(InputFile)]
        query = select(*columns).where(input_files.c.owner == owner).order_by(input_files.c.added_at.desc())
        return [InputFile(**row) for row in self._database.rows(query)]

    def own(self, path: str, owner: str = LOCAL) -> Path:
        """The file that `path` names among the owner's input files and the samples; raises InputError for any other.

        `path` is what `add` returned, a file's name in the workspace, or the name it came with.
        """
        for folder in (self.folder(owner), assets_dir()):
            relative = path
            if Path(path).is_relative_to(folder):
                relative = Path(path).relative_to(folder).as_posix()
            elif Path(path).is_absolute():
                continue
            found = inside(folder, path_as_here(relative), "your input files")
            if found.is_file():
                return found
        for known in self.list(owner):
            if known.name == path:
                return self.folder(owner) / known.file
        raise InputError(f"There is no input file {shorten(path)} in your library; add the file first.")

    def folder(self, owner: str) -> Path:
        """The folder with an owner's input files; it may not be there yet."""
        return self._workspace.inputs / folder_name(owner)


def _look_into(path: Path, name: str) -> tuple[str, str]:
    """What kind of input a file is, and the extension for its content.

    Raises InputError where that is nothing we take, or not what `name` says. Whether a clip or a sound can be used is said by
    the code with which the engines look at it.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise InputError(f"{shorten(name)} is empty; choose a file with something in it.")
    suffix = PurePath(name).suffix.lower()
    found = _by_magic(head) or _as_text(path, suffix)
    claimed = next((kind for kind, extensions in _EXTENSIONS.items() if suffix in extensions), None)
    if claimed is not None and claimed in _LOOKS and (found is None or claimed in found.kinds):
        _LOOKS[claimed](path)
        found = found or _Content(frozenset({claimed}), suffix)
    if found is None or (claimed is not None and claimed not in found.kinds):
        content = " or ".join(sorted(found.kinds)) if found else "something else"
        raise InputError(f"{shorten(name)} isn't {_CALLED[claimed]}: its content is {content}.")
    if claimed is None:
        takes = list_choices([extension for kind in _EXTENSIONS.values() for extension in kind], 20)
        raise InputError(f"{shorten(name)} isn't a kind of file that is taken; use one of {takes}.")
    if found.extension == ".json":
        _check_json(path, name)
    return claimed, found.extension


def _by_magic(head: bytes) -> _Content | None:
    audio, video = frozenset({"audio"}), frozenset({"video"})
    is_riff = head[:4] == b"RIFF"
    is_mpeg_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2  # eleven bits of sync, layer III
    is_ebml = head[:4] == b"\x1a\x45\xdf\xa3"  # the container of Matroska and WebM
    known = (
        (is_riff and head[8:12] == b"WAVE", _Content(audio, ".wav")),
        (is_riff and head[8:12] == b"AVI ", _Content(video, ".avi")),
        (head[:4] == b"fLaC", _Content(audio, ".flac")),
        (head[:4] == b"OggS", _Content(audio | video, ".ogg")),
        (head[:3] == b"ID3" or is_mpeg_frame, _Content(audio, ".mp3")),
        (head[4:11] == b"ftypM4A", _Content(audio, ".m4a")),
        (head[4:8] == b"ftyp", _Content(audio | video, ".mp4")),
        (is_ebml, _Content(audio | video, ".webm" if b"webm" in head[:64] else ".mkv")),
    )
    return next((found for matches, found in known if matches), None)


def _as_text(path: Path, suffix: str) -> _Content | None:
    try:
        with path.open(encoding="utf-8") as file:
            while part := file.read(1 << 20):
                if "\0" in part:
                    return None
    except UnicodeDecodeError:
        return None
    return _Content(frozenset({"text"}), suffix if suffix in _EXTENSIONS["text"] else ".txt")


def _check_json(path: Path, name: str) -> None:
    if (size := path.stat().st_size) > MAX_JSON_BYTES:
        raise InputError(f"{shorten(name)} has {size:,} bytes; a JSON file has at most {MAX_JSON_BYTES:,}.")
    try:
        json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise InputError(f"{shorten(name)} isn't JSON: line {error.lineno}: {error.msg}.") from error
    except RecursionError as error:
        raise InputError(f"{shorten(name)} is nested too deeply; use a flatter file.") from error
