"""A queue in a file: its items and their input files in one zip, to be loaded elsewhere, where each is checked like an upload."""

from __future__ import annotations

import json
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from zipstream import ZipStream

from cosmos_workflow.errors import InputError, shorten
from cosmos_workflow.queueing.items import Configuration, Prompt, QueueItem
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.store.store import Store

LIST, MEDIA = "queue.json", "media"
VERSION = 1
MOST_ITEMS = 10_000
MAX_LIST = 50_000_000
"""Bytes of the list of items."""


def write_queue(items: Iterable[QueueItem], names: Mapping[str, str]) -> ZipStream:
    """A zip that is made while it is sent; `names` has the name that an input file came with, by the name it is kept under."""
    made = ZipStream(sized=True)
    kept: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for item in items:
        inputs: dict[str, str] = {}
        for name, path in item.inputs.items():
            if path not in kept:
                file = Path(path)
                if not file.is_file():
                    raise InputError(f"The file {shorten(names.get(file.name, file.name))} of an item is gone; remove the item.")
                kept[path] = f"{MEDIA}/{len(kept) + 1:03}-{names.get(file.name, file.name)}"
                made.add_path(file, kept[path])
            inputs[name] = kept[path]
        row = {"text": item.prompt_text, "engine": item.engine, "params": dict(item.params), "weights": dict(item.weights)}
        rows.append({**row, "inputs": inputs})
    made.add(json.dumps({"cosmos_workflow_queue": VERSION, "items": rows}, ensure_ascii=False, indent=1).encode(), LIST)
    return made


def load_queue(path: Path, name: str, queue: Queue, store: Store) -> list[QueueItem]:
    """Add what a file holds to the end of a queue, all or nothing; returns the items.

    Its input files become the owner's. Raises InputError, naming the item, where something isn't right.
    """
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory(dir=store.workspace.root) as folder:
            rows = _rows(archive, name)
            files = _Files(archive, name, Path(folder), store, queue.owner)
            configurations: dict[str, Configuration] = {}
            items = [_item(row, f"{name}, item {number}", files, configurations) for number, row in enumerate(rows, 1)]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{name} isn't a queue that can be read: its zip file is damaged or locked; save it anew.") from error
    return queue.extend(items)


class _Files:
    """The input files of an archive, taken out when an item names them."""

    def __init__(self, archive: zipfile.ZipFile, name: str, folder: Path, store: Store, owner: str) -> None:
        self._archive, self._name, self._folder, self._store, self._owner = archive, name, folder, store, owner
        self._kept: dict[str, str] = {}

    def own(self, member: str, where: str) -> str:
        """The owner's copy of a member."""
        if member not in self._kept:
            parts = PurePosixPath(member).parts
            try:
                info = self._archive.getinfo(member)
            except KeyError as error:
                raise InputError(f"{where}: the file {shorten(member)} isn't in {self._name}.") from error
            limit = self._store.workspace.settings.max_upload_mb * 1_000_000
            if len(parts) != 2 or parts[0] != MEDIA or info.file_size > limit:
                raise InputError(f"{where}: {shorten(member)} is no file of a queue, or too large.")
            target = self._folder / f"{len(self._kept)}{PurePosixPath(member).suffix}"
            with self._archive.open(info) as source, target.open("xb") as file:
                left = limit
                while part := source.read(min(1 << 20, left + 1)):
                    left -= len(part)
                    if left < 0:
                        raise InputError(f"{where}: {shorten(member)} is larger than it says.")
                    file.write(part)
            original = parts[1].partition("-")[2] or parts[1]
            self._kept[member] = str(self._store.inputs.add(target, original, self._owner))
            target.unlink()
        return self._kept[member]


def _rows(archive: zipfile.ZipFile, name: str) -> list[Any]:
    if LIST not in archive.namelist() or archive.getinfo(LIST).file_size > MAX_LIST:
        raise InputError(f"{name} holds no queue; choose a file that was saved with Save queue.")
    try:
        given = json.loads(archive.read(LIST))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: its list of items isn't JSON; save the queue anew.") from error
    rows = given.get("items") if isinstance(given, dict) and given.get("cosmos_workflow_queue") == VERSION else None
    if not isinstance(rows, list) or not 0 < len(rows) <= MOST_ITEMS:
        raise InputError(f"{name} holds no queue of this version with 1 to {MOST_ITEMS:,} items.")
    return rows


def _item(row: Any, where: str, files: _Files, configurations: dict[str, Configuration]) -> QueueItem:
    kinds = {"text": str, "engine": str, "params": dict, "weights": dict, "inputs": dict}
    if not isinstance(row, dict) or any(not isinstance(row.get(key), kind) for key, kind in kinds.items()):
        raise InputError(f"{where}: it needs {', '.join(kinds)}, as Save queue writes them.")
    same = json.dumps([row["engine"], row["params"], row["weights"]], sort_keys=True)
    try:
        if same not in configurations:
            configurations[same] = Configuration.of(row["engine"], row["params"], row["weights"])
            configurations[same].check_params()
        inputs = {str(key): files.own(str(member), where) for key, member in row["inputs"].items()}
        prompt = Prompt(row["text"], inputs)
        configurations[same].check(prompt)
        return configurations[same].item(prompt)
    except InputError as error:
        said = str(error)
        raise InputError(said if said.startswith(where) else f"{where}: {said}") from error
