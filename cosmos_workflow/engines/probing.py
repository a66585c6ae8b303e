"""Clips and sounds as somebody sent them, looked at in a process of its own with limits: a small file may be a huge picture.

Run as a script it is that process: `probing.py clip|sound PATH` prints what the file is as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from cosmos_workflow.clips import ClipInfo
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.media import SoundInfo, probe_sound

MEMORY = 1 << 30
"""Bytes of address space; PyAV itself takes a quarter of it."""
CPU_SECONDS = 20
WALL_SECONDS = 120
_PACKAGES = Path(__file__).parents[2]


def look_at_clip(path: Path) -> ClipInfo:
    """What a clip is; raises InputError where it isn't one, or takes more than the limits to look at."""
    found = _look("clip", path)
    return ClipInfo(**{**found, "notes": tuple(found["notes"])})


def look_at_sound(path: Path) -> SoundInfo:
    """What a sound is; raises InputError where it isn't one, or takes more than the limits to look at."""
    return SoundInfo(**_look("sound", path))


def _look(kind: Literal["clip", "sound"], path: Path) -> dict[str, Any]:
    command = [sys.executable, "-P", __file__, kind, str(path.absolute())]
    packages = os.pathsep.join([str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])])
    too_much = InputError(f"{path.name} takes too much memory or time to look at; use a smaller {kind}.")
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=WALL_SECONDS, check=False, env={**os.environ, "PYTHONPATH": packages}
        )
    except subprocess.TimeoutExpired as error:
        raise too_much from error
    except OSError as error:
        raise UnavailableError(f"{path.name} can't be looked at ({error.strerror}); try again.") from error
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:  # it died
        raise too_much from error
    if "error" in answer:
        raise InputError(answer["error"])
    return answer["found"]


def _main(kind: str, path: str) -> None:
    from cosmos_workflow.clips.looking import probe_clip

    try:
        import resource
    except ImportError:  # not on this system: the parent's patience is the only limit
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        found = probe_clip(Path(path)) if kind == "clip" else probe_sound(Path(path))
    except InputError as error:
        answer = {"error": str(error)}
    else:
        answer = {"found": asdict(found)}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    _main(*sys.argv[1:])
