"""The engine to learn from: a tone for each character of a text, spec and work in one file.

An engine is two classes. The app reads the spec without loading anything; a worker process loads the engine that the spec names
and hands it one batch after another. Both are complete here: copy this file, name your spec in pyproject.toml, and run it.
"""

from __future__ import annotations

from typing import cast

from cosmos_workflow.engines.base import Context, Output, Request, SerialEngine
from cosmos_workflow.engines.params import Params, param
from cosmos_workflow.engines.spec import EngineSpec
from cosmos_workflow.media import write_sound
from cosmos_workflow.progress import Stage

RATE = 16_000
SECONDS = 0.1
"""Of each character."""


class ToneParams(Params):
    """What it can be told: the page makes its form of this, and job files are checked against it."""

    pitch: int = param(440, label="Pitch", help="Hertz.", ge=50, le=4000, step=10)
    steady: bool = param(False, label="Steady", help="One pitch for all characters.", invariant=True)
    """Invariant: all items of a batch have the same."""


class ToneSpec(EngineSpec):
    """What the app knows of it."""

    name = "tone"
    title = "Tone"
    summary = "A tone for each character; the example of CONTRIBUTING.md."
    medium = "audio"
    params = ToneParams
    implementation = "cosmos_workflow.engines.tone:ToneEngine"
    stages = (Stage("humming", 0.0, "Humming"), Stage("completed", 1.0, "Completed"))
    output = "audio"
    max_text = 1000


class ToneEngine(SerialEngine):
    """Does the work in the worker, item by item; `Engine` is for models that make several at once."""

    def generate_one(self, request: Request, context: Context) -> Output:
        """Files go into the request's folder. `report` raises where the item was cancelled, which is let through."""
        import numpy as np

        params = cast("ToneParams", request.params)
        blocks = []
        for number, character in enumerate(request.text):
            context.report(request.id, "humming", number / len(request.text), character)
            pitch = params.pitch * (1.0 if params.steady else 2 ** (ord(character) % 12 / 12))
            time = np.arange(round(SECONDS * RATE)) / RATE
            blocks.append((8000 * np.sin(2 * np.pi * pitch * time)).astype(np.int16))
        samples = write_sound(request.folder / "tone.wav", blocks, RATE, "wav")
        context.report(request.id, "completed")
        return Output(request.id, {"audio": "tone.wav"}, {"seconds": samples / RATE})


SPEC = ToneSpec()
