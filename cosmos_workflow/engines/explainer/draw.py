"""The process that draws scenes: the only one that loads Manim. Its one argument is the task file of `rendering.draw_scenes`.

It prints JSON lines: {"scene": number, "frames": how many are drawn}, {"made": number} when a clip is whole, and
{"error": sentence} where a scene can't be drawn.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import manim  # pyright: ignore[reportMissingImports] - the extra
import numpy as np

from cosmos_workflow.engines.explainer.scenes import compose
from cosmos_workflow.engines.explainer.storyboard import FADE
from cosmos_workflow.engines.explainer.themes import COLORS, HEIGHT
from cosmos_workflow.gpu_dispatch import platform
from cosmos_workflow.media import ClipWriter

SAY_EVERY = 0.2
_PARENT_DEATH_SIGNAL = 1


def main() -> int:
    """Draw what the task file asks for; 0 when every clip is there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    else:
        platform.exit_with(0)
    # Libraries print to standard output now and then: our lines go to a copy that they don't know.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**line: Any) -> None:
        lines.write(json.dumps(line) + "\n")
        lines.flush()

    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    width, height = task["width"], task["height"]
    config = manim.config
    config.pixel_width, config.pixel_height = width, height
    config.frame_height, config.frame_width = HEIGHT, HEIGHT * width / height
    config.background_color = COLORS[task["theme"]].ground
    config.media_dir = task["scratch"]
    config.tex_dir = str(Path(task["scratch"]) / "typst")
    manim.logger.setLevel(logging.ERROR)
    try:
        for shot in task["shots"]:
            _draw(shot, task, say)
            say(made=shot["number"])
    except Exception as error:  # the border of this process: the parent gets the sentence, its log the traceback
        traceback.print_exc()
        say(error=f"{type(error).__name__}: {error}")
        return 1
    return 0


def _draw(shot: dict[str, Any], task: dict[str, Any], say: Callable[..., None]) -> None:
    number, total = shot["number"], shot["frames"]
    say(scene=number, frames=0)
    timeline = compose(shot, COLORS[task["theme"]], HEIGHT * task["width"] / task["height"])
    said = time.monotonic()
    with ClipWriter(Path(shot["clip"]), task["width"], task["height"], shot["fps"]) as clip:
        for frame in timeline.frames(total, shot["fps"], FADE):
            clip.write(np.ascontiguousarray(frame[..., :3]))
            if time.monotonic() - said > SAY_EVERY:
                said = time.monotonic()
                say(scene=number, frames=clip.frames)


if __name__ == "__main__":
    sys.exit(main())
