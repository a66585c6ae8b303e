"""What a run's folder holds: its outputs, and a `run.json` that tells all."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata as packages
from pathlib import Path
from typing import Any

import orjson

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError, WorkflowError, shorten
from cosmos_workflow.files import Digests, Disk, inside, sha256_of
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.records import RUN_FILE, RunRecord

FORMAT = 1
_FIRST = ("id", "item_id", "owner", "engine")
_MAPPINGS = ("params", "weights", "metadata")
_BATCH = ("id", "key", "size")
_TIMES = ("queued_at", "started_at", "finished_at", "load_seconds")
_LAST = ("device", "worker", "cost", "cost_unit", "retry_of", "source", "attempt")
_NAMED = ("cosmos-workflow", "torch", "chatterbox-tts", "diffusers", "espeakng-loader", "opencv-python-headless", "av", "numpy")


class RunFiles:
    """Reads and writes what is in the folders of a workspace's runs."""

    def __init__(self, workspace: Workspace, disk: Disk, digests: Digests) -> None:
        self._root = workspace.root
        self._disk = disk
        self._digests = digests

    def measure(self, record: RunRecord, outputs: Mapping[str, str], folder: Path) -> dict[str, dict[str, Any]]:
        """Size and digest of each output, which is on the disk from here on; raises WorkflowError where one isn't there."""
        checks: dict[str, dict[str, Any]] = {}
        for key, name in outputs.items():
            path = inside(folder, name, f"the folder of {record.id}")
            if not path.is_file() or path.stat().st_size == 0:
                raise WorkflowError(f"{record.engine} said that it made {key}, but {shorten(name)} isn't there or is empty.")
            self._disk.sync(path)
            checks[key] = {"size": path.stat().st_size, "sha256": sha256_of(path)}
        return checks

    def find_fault(self, record: RunRecord, folder: Path, *, remembered: bool = False) -> str:
        """What is wrong with the first output that isn't as the record says; empty where all are.

        With `remembered`, a file that nobody wrote to since it was last read isn't read again; what a failing disk changed
        under its unchanged name and times is found without it only.
        """
        digest_of = self._digests.of if remembered else sha256_of
        for key, name in record.outputs.items():
            try:
                path = inside(folder, name, "the folder")
            except InputError:
                return f"its output {key} lies outside the folder."
            check = record.checks.get(key, {})
            if not path.is_file():
                return f"its output {name} isn't there."
            size = path.stat().st_size
            if size != check.get("size"):
                return f"its output {name} has {size:,} bytes instead of {check.get('size', 0):,}."
            if digest_of(path) != check.get("sha256"):
                return f"the content of its output {name} has changed."
        return ""

    def write(self, record: RunRecord, folder: Path) -> None:
        """Write `run.json` into a folder."""
        self._disk.write(folder / RUN_FILE, self._told(record))

    def complete(self, record: RunRecord, folder: Path) -> None:
        """Write `run.json` into a folder that hasn't its name yet."""
        self._disk.add(folder / RUN_FILE, self._told(record))

    def _told(self, record: RunRecord) -> bytes:
        """What `run.json` says: enough to make the run again, and to put its record back."""
        content = {
            "format": FORMAT,
            **{name: getattr(record, name) for name in _FIRST},
            "outcome": str(record.status),
            "prompt": {"id": record.prompt_id, "text": record.prompt_text},
            "seed": record.params.get("seed"),
            **{name: dict(getattr(record, name)) for name in _MAPPINGS},
            "inputs": {name: self._describe_input(path) for name, path in record.inputs.items()},
            "outputs": {key: {"file": name, **record.checks[key]} for key, name in record.outputs.items()},
            "versions": versions(),
            "batch": {name: getattr(record, f"batch_{name}") for name in _BATCH},
            "times": {name: getattr(record, name) for name in _TIMES},
            **{name: getattr(record, name) for name in _LAST},
        }
        try:
            return orjson.dumps(content, option=orjson.OPT_INDENT_2)
        except TypeError:  # whole numbers of more than 64 bits
            return json.dumps(content, ensure_ascii=False, indent=2).encode()

    def read(self, folder: Path) -> RunRecord:
        """The record that a folder's `run.json` tells of; raises InputError saying what is wrong with it.

        Paths of inputs below the workspace are absolute again.
        """
        path = folder / RUN_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT or content["id"] != folder.name:
                raise InputError(f"{folder.name}/{RUN_FILE} is of another format or another run.")
            return _record(content, self._root)
        except OSError as error:
            raise InputError(f"{folder.name}/{RUN_FILE} can't be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{folder.name}/{RUN_FILE} is damaged: {type(error).__name__} {error}.") from error

    def _describe_input(self, path: str) -> dict[str, Any]:
        file = Path(path)
        try:
            size, sha256 = file.stat().st_size, self._digests.of(file)
        except OSError:  # taken away meanwhile: the run is whole without it
            size, sha256 = None, None
        shown = file.relative_to(self._root) if file.is_relative_to(self._root) else file
        return {"file": shown.as_posix(), "size": size, "sha256": sha256}


def _record(content: Mapping[str, Any], root: Path) -> RunRecord:
    outputs = content["outputs"]
    return RunRecord(
        status=ItemStatus(content["outcome"]),
        progress=1.0,
        prompt_id=content["prompt"]["id"],
        prompt_text=content["prompt"]["text"],
        inputs={name: str(root / entry["file"]) for name, entry in content["inputs"].items()},
        outputs={key: entry["file"] for key, entry in outputs.items()},
        checks={key: {"size": entry["size"], "sha256": entry["sha256"]} for key, entry in outputs.items()},
        **{name: dict(content[name]) for name in _MAPPINGS},
        **{f"batch_{name}": content["batch"][name] for name in _BATCH},
        **{name: content["times"][name] for name in _TIMES},
        **{name: content[name] for name in (*_FIRST, *_LAST)},
    )


@cache
def versions() -> dict[str, str]:
    """The releases that make a run what it is, without importing them."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _NAMED:
        with suppress(packages.PackageNotFoundError):
            found[name] = packages.version(name)
    return found
