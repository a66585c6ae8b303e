"""An engine with seeds, for tests of jobs: hums a text, a twentieth of a second a letter, in a pitch that the seed decides.

What a text says changes that: "broken" fails always, "flaky" until the file $COSMOS_TONE_MENDED is there, "gate" waits for the
file $COSMOS_TONE_GATE, "mute" is silent with its first seed (the params' own), and what holds "refused" isn't taken at all. The
input `before` is heard first.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import cast

import numpy as np
import soundfile

from cosmos_workflow.engines.base import Context, Output, Request, SerialEngine
from cosmos_workflow.engines.params import Params, param
from cosmos_workflow.engines.spec import EngineSpec, InputSpec, Recipe
from cosmos_workflow.errors import InputError, WorkflowError
from cosmos_workflow.progress import Stage

RATE = 16_000
SECONDS_PER_LETTER = 0.05
MOST_BEFORE = 5.0
LOG, GATE, MENDED = "COSMOS_TONE_LOG", "COSMOS_TONE_GATE", "COSMOS_TONE_MENDED"


class ToneParams(Params):
    """`key` tells batches apart."""

    seed: int = param(7, label="Seed", ge=0)
    key: int = param(0, label="Key", ge=0, invariant=True)


class ToneSpec(EngineSpec):
    """Costs nothing to load."""

    name = "tone"
    title = "Tone"
    medium = "audio"
    params = ToneParams
    implementation = "cosmos_tone:ToneEngine"
    stages = (Stage("hum", 0.0, "Humming"),)
    inputs = (InputSpec("before", "audio", "What is heard first"),)
    output = "audio"
    max_batch_size = 4
    max_text = 200
    min_letters = 2
    cost_inputs = ("before",)

    def check(self, recipe: Recipe, later: Collection[str] = ()) -> None:
        super().check(recipe, later)
        if "refused" in recipe.text:
            raise InputError(f"tone: {recipe.text!r} is refused; write something else.")
        before = recipe.inputs.get("before")
        if before is not None and (seconds := soundfile.info(str(before)).duration) > MOST_BEFORE:
            raise InputError(f"tone: {before.name} lasts {seconds:.1f} s; give {MOST_BEFORE:g} s at most.")

    def cost(self, recipe: Recipe) -> float:
        """Its letters, and the seconds that are heard first."""
        before = recipe.inputs.get("before")
        return super().cost(recipe) + (soundfile.info(str(before)).duration if before else 0.0)


class ToneEngine(SerialEngine):
    """Does what the text says."""

    def generate_one(self, request: Request, context: Context) -> Output:
        text, params = request.text, cast("ToneParams", request.params)
        context.report(request.id, "hum", 0.0, "humming")
        if "broken" in text or ("flaky" in text and not _is_there(os.environ, MENDED)):
            raise WorkflowError("the tone broke")
        if "gate" in text:
            self._wait(request, context)
        time = np.arange(round(len(text) * SECONDS_PER_LETTER * RATE)) / RATE
        sound = 0.2 * np.sin(2 * np.pi * (200 + params.seed % 500) * time) * np.abs(np.sin(np.pi * 4 * time))
        if "mute" in text and params.seed == ToneParams().seed:
            sound *= 0
        if "before" in request.inputs:
            sound = np.concatenate([soundfile.read(request.inputs["before"])[0], sound])
        soundfile.write(request.folder / "tone.wav", sound, RATE, subtype="PCM_16")
        _log(f"{params.seed} {text}")
        return Output(request.id, {"audio": "tone.wav"})

    def _wait(self, request: Request, context: Context) -> None:
        pause = threading.Event()
        for _ in range(6_000):
            if _is_there(os.environ, GATE):
                return
            context.report(request.id, "hum", 0.0, "waiting")
            pause.wait(0.01)


def _is_there(environment: Mapping[str, str], name: str) -> bool:
    return bool(environment.get(name)) and Path(environment[name]).exists()


def _log(line: str) -> None:
    if os.environ.get(LOG):
        with Path(os.environ[LOG]).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


SPEC = ToneSpec()
