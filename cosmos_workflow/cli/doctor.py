"""The verb `doctor`: looks at what the program needs of this machine, and says what to do where something is missing."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import typer

from cosmos_workflow.cli.options import ExitCode, JsonOption, PortOption, WorkspaceOption
from cosmos_workflow.cli.terminal import show
from cosmos_workflow.errors import WorkflowError

SHORT_ROOT = 40
"""Letters of a workspace's path that leave room for the longest below it."""
Result = Literal["ok", "note", "problem"]
FREE = 2_000_000_000
"""Bytes below which a disk is told to be short: a model's files and a night of results need more."""


@dataclass(frozen=True, slots=True)
class Look:
    """One thing that was looked at: ok, a note (something can't be used that isn't needed by all), or a problem."""

    what: str
    result: Result
    found: str
    do: str = ""


def doctor(workspace: WorkspaceOption = None, port: PortOption = 7860, as_json: JsonOption = False) -> None:
    """Look at Python, devices, engines, model files, disk and port. Exit code 1 where something has to be done first."""
    looks = [*_machine(), *_engines(), *_media(), *_workspace(workspace), *_port(port)]
    show([asdict(look) for look in looks], as_json, "Doctor", "")
    if any(look.result == "problem" for look in looks):
        raise typer.Exit(ExitCode.FAILED)


def _machine() -> Iterator[Look]:
    from cosmos_workflow import __version__
    from cosmos_workflow.gpu_dispatch.devices import discover_gpus

    yield Look("cosmos-workflow", "ok", f"{__version__} in {Path(__file__).parents[1]}")
    yield Look("Python", "ok", f"{platform.python_version()} at {sys.executable}, {platform.system()} {platform.machine()}")
    if not sys.platform.startswith("linux"):
        found = f"{platform.system()} was never tried by its makers"
        yield Look("system", "note", found, "Tell them what works and what doesn't.")
    yield Look("processors", "ok", f"{os.cpu_count()}")
    gpus = discover_gpus()
    for gpu in gpus:
        memory = f", {gpu.memory_total / 1e9:.0f} GB" if gpu.memory_total else ""
        yield Look(f"GPU {gpu.id}", "ok", f"{gpu.name}{memory}")
    if not gpus:
        yield Look("GPU", "note", "none that NVIDIA's driver shows", "Fine for espeak, kokoro and control-preview.")


def long_paths(enabled: bool, root: Path) -> Look:
    """Whether Windows lets paths be longer than 260 letters; what is made lies at most 220 below the workspace."""
    if enabled or len(str(root)) <= SHORT_ROOT:
        return Look("long paths", "ok", "can be used" if enabled else f"not needed below {root}")
    do = "Set LongPathsEnabled to 1 (Group Policy: Enable Win32 long paths), or choose a workspace with a shorter path."
    return Look("long paths", "note", f"Windows refuses paths of more than 260 letters, which {root} may need", do)


def _engines() -> Iterator[Look]:
    from cosmos_workflow.engines.registry import all_engines, availability_of, broken_engines

    for spec in all_engines():
        state = availability_of(spec)
        yield Look(spec.name, "ok" if state.available else "note", state.reason or "can run", state.remedy)
    for name, problem in broken_engines().items():
        yield Look(name, "problem", problem, "Update or uninstall that package.")


def _media() -> Iterator[Look]:
    try:
        import av
        import soundfile
    except (ImportError, OSError) as error:
        yield Look("media", "problem", f"PyAV or soundfile can't be loaded ({error})", "Install cosmos-workflow again.")
        return
    missing = [name for name in ("libx264", "libmp3lame", "libopus", "aac", "flac") if name not in av.codecs_available]
    if missing:
        do = "Install PyAV from its wheel: `pip install --force av`."
        yield Look("media", "problem", f"PyAV lacks {', '.join(missing)}", do)
        return
    found = f"PyAV {av.__version__} and soundfile {soundfile.__version__}, which need no ffmpeg on this machine"
    yield Look("media", "ok", found)


def _workspace(given: Path | None) -> Iterator[Look]:
    from cosmos_workflow.config import Workspace
    from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE

    try:
        opened = Workspace.open(given)
    except WorkflowError as error:
        yield Look("workspace", "problem", str(error), "Choose another with --workspace, or mend this one.")
        return
    yield Look("workspace", "ok", str(opened.root))
    if sys.platform == "win32":
        import winreg

        enabled = False
        path = r"SYSTEM\CurrentControlSet\Control\FileSystem"
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key, suppress(FileNotFoundError):
            enabled = bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
        yield long_paths(enabled, opened.root)
    free = shutil.disk_usage(opened.root).free
    do = "Free some space; `prune` says what could go." if free < FREE else ""
    yield Look("disk", "problem" if do else "ok", f"{free / 1e9:.1f} GB free", do)
    if folder := os.environ.get(FOLDER_VARIABLE):
        there = Path(folder).is_dir()
        do = "" if there else f"Make the folder, or unset {FOLDER_VARIABLE}."
        yield Look("model files", "ok" if there else "problem", folder if there else f"{folder} isn't there", do)


def _port(port: int) -> Iterator[Look]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            do = "Is the page open already? Else choose another with --port."
            yield Look("port", "note", f"{port} can't be used ({error.strerror})", do)
            return
    yield Look("port", "ok", f"{port} is free")
