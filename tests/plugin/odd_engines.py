"""Packages with engines that are broken, each in a way of its own: what a folder on the module search path has is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

GOOD = """
import numpy as np

from cosmos_workflow.engines.base import Output, SerialEngine
from cosmos_workflow.engines.params import Params, param
from cosmos_workflow.engines.spec import EngineSpec
from cosmos_workflow.media import write_sound
from cosmos_workflow.progress import Stage

class OddParams(Params):
    level: int = param(3, label="Level", ge=0, le=9)

class Odd(EngineSpec):
    name = "NAME"
    title = "Odd"
    medium = "audio"
    params = OddParams
    implementation = "MODULE:Maker"
    stages = (Stage("make", 0.0, "Making"),)
    output = "audio"

class Maker(SerialEngine):
    def generate_one(self, request, context):
        write_sound(request.folder / "odd.wav", [np.full(1600, 99, np.int16)], 16_000, "wav")
        return Output(request.id, {"audio": "odd.wav"})

SPEC = Odd()
"""
NO_NAMES = "from cosmos_workflow.engines.spec import EngineSpec\nclass Odd(EngineSpec):\n    name = 'NAME'\nSPEC = Odd()"
FALLING = '(Stage("make", 0.9, "Making"), Stage("write", 0.1, "Writing"))'
BROKEN: Mapping[str, tuple[str, str]] = {
    "fails-on-import": ("import a_library_that_is_not_here", "ModuleNotFoundError: No module named 'a_library_that_is_not_here'"),
    "exits-on-import": ("print('not JSON'); raise SystemExit(3)", "SystemExit: 3"),
    "is-no-spec": ("SPEC = object()", "isn't an EngineSpec"),
    "is-a-class": (GOOD.replace("SPEC = Odd()", "SPEC = Odd"), "isn't an EngineSpec"),
    "has-another-name": (GOOD.replace("NAME", "somebody"), "calls itself 'somebody'"),
    "states-nothing": (NO_NAMES, "doesn't state its title, medium, params, implementation, stages, output"),
    "has-falling-stages": (GOOD.replace('(Stage("make", 0.0, "Making"),)', FALLING), "must rise from 0 to 1"),
    "refuses-its-defaults": (GOOD.replace("param(3,", "param(30,"), "level: 30 isn't right"),
}
"""By the engine's name: the source of its module, and what is said of it."""


def raising(method: str) -> str:
    """An engine whose spec raises in this method."""
    more = f"class Raising(Odd):\n    def {method}(self, *args, **kwargs):\n        raise KeyError('odd')\n\nSPEC = Raising()"
    return GOOD.replace("SPEC = Odd()", more)


def install(folder: Path, engines: Mapping[str, str], package: str = "odd") -> Path:
    """Put a package with these engines, name and source, into a folder; returns the folder."""
    about = folder / f"{package}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = ["[cosmos_workflow.engines]"]
    for number, (name, source) in enumerate(engines.items()):
        module = f"{package}_{number}"
        (folder / f"{module}.py").write_text(source.replace("NAME", name).replace("MODULE", module))
        lines.append(f"{name} = {module}:SPEC")
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder
