"""Has scenes drawn by a process of their own: watched, limited in time, and gone as soon as nobody wants them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, cast

from cosmos_workflow.engines.explainer.endpoint import KEY_VARIABLE, MODEL_VARIABLE, URL_VARIABLE
from cosmos_workflow.engines.explainer.storyboard import Shot
from cosmos_workflow.engines.talking import Lines
from cosmos_workflow.errors import WorkflowError
from cosmos_workflow.gpu_dispatch.process import describe_exit

START_SECONDS = 120.0
"""Seconds that Manim may take to load, beside the time for its first scene."""

_DRAW = "cosmos_workflow.engines.explainer.draw"
_TAIL = 4000


def draw_scenes(
    shots: Sequence[tuple[Shot, Path]],
    theme: str,
    size: tuple[int, int],
    seconds: float,
    scratch: Path,
    on_frames: Callable[[int, int], None],
    on_made: Callable[[Shot, Path], None],
) -> None:
    """Draw each shot into its clip, one after another, each within `seconds`.

    `on_frames(number, frames)` hears every tenth of a second which scene is being drawn and how far, and may raise to stop it;
    `on_made` gets each clip as soon as it is whole. Raises WorkflowError where a scene can't be drawn.
    """
    by_number = {shot.number: (shot, clip) for shot, clip in shots}
    task = {
        "theme": theme,
        "width": size[0],
        "height": size[1],
        "scratch": str(scratch),
        "shots": [{"number": shot.number, "clip": str(clip), **shot.picture()} for shot, clip in shots],
    }
    task_file = scratch / "draw.json"
    task_file.write_text(json.dumps(task), encoding="utf-8")
    errors = scratch / "draw.log"
    # -I, and a home of its own: neither the user's settings for Manim nor their modules get in. The key stays outside.
    environment = {**os.environ, "HOME": str(scratch), "XDG_CONFIG_HOME": str(scratch), "OMP_NUM_THREADS": "1"}
    for name in (URL_VARIABLE, MODEL_VARIABLE, KEY_VARIABLE):
        environment.pop(name, None)
    command = [sys.executable, "-I", "-m", _DRAW, str(task_file)]
    number, done = shots[0][0].number, 0
    pipe = subprocess.PIPE
    with (
        errors.open("wb") as log,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, env=environment, cwd=scratch) as process,
    ):
        try:
            deadline = time.monotonic() + START_SECONDS + seconds
            for line in Lines(cast("IO[bytes]", process.stdout)):
                if line and "error" in line:
                    raise WorkflowError(f"explainer: scene {number} can't be drawn: {line['error']}.") from _Said(_tail(errors))
                if line and "made" in line:
                    on_made(*by_number.pop(line["made"]))
                    deadline = time.monotonic() + seconds
                elif line:
                    if line["scene"] != number or done == 0:
                        deadline = time.monotonic() + seconds
                    number, done = line["scene"], line["frames"]
                if time.monotonic() > deadline:
                    raise WorkflowError(
                        f"explainer: scene {number} wasn't drawn within {seconds:g} s; raise scene_limit, "
                        "or take a lower quality or a shorter scene."
                    )
                on_frames(number, done)
        finally:
            process.kill()
        code = process.wait()
    if by_number:
        sentence = f"explainer: {describe_exit(code, 'the process that draws')} in scene {number}; try again."
        raise WorkflowError(sentence) from _Said(_tail(errors))


class _Said(Exception):  # noqa: N818 - not an error of ours: what the process said, for the traceback
    """The last words of the process."""


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-_TAIL:].strip()
