"""Narrated explainer videos from an outline, or from a topic with the help of a language model of one's own choice."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, cast

from cosmos_workflow.engines.espeak.voices import KnownVoice, suggestions
from cosmos_workflow.engines.explainer.endpoint import Endpoint
from cosmos_workflow.engines.explainer.outline import (
    MAX_OUTLINE,
    MAX_SCENES,
    Outline,
    is_outline,
    parse_outline,
    read_outline_file,
)
from cosmos_workflow.engines.params import Params, param
from cosmos_workflow.engines.probing import look_at_sound
from cosmos_workflow.engines.spec import Availability, EngineSpec, InputSpec, Recipe
from cosmos_workflow.errors import InputError, about, install
from cosmos_workflow.progress import Stage

MAX_TOPIC = 4000
MAX_SOUND_SECONDS = 600
"""Seconds that the sound of one scene may last."""

Theme = Literal["night", "paper"]
Quality = Literal["240p", "480p", "720p", "1080p"]
SIZES: Mapping[Quality, tuple[int, int]] = {
    "240p": (426, 240),
    "480p": (854, 480),
    "720p": (1280, 720),
    "1080p": (1920, 1080),
}
"""Width and height in pixels."""

_NEEDED = ("manim", "manimpango", "cairo", "typst")
_TWO_OUTLINES = "explainer: there is a text and an outline file; keep one of them."


class ExplainerParams(Params):
    """Look, size and rate are equal in a batch; what is said, and how, is each item's own."""

    theme: Theme = param("night", label="Theme", help="Light on dark, or dark on light.", invariant=True)
    quality: Quality = param("720p", label="Quality", help="Lines of the picture; 240p is for drafts.", invariant=True)
    fps: int = param(30, label="Frames per second", invariant=True, ge=10, le=60, step=1)
    narration: bool = param(True, label="Narration", help="Off: no sound; scenes last as long as reading takes.")
    voice: KnownVoice = param(
        "en-us+f2",
        label="Voice",
        help="The built-in speech: a language, and after a plus the speaker. Scenes with a sound of their own don't use it.",
        choices=suggestions,
        open_choices=True,
    )
    rate: int = param(165, label="Rate", help="Words per minute.", ge=80, le=450, step=5)
    pitch: int = param(50, label="Pitch", help="0 is the lowest, 99 the highest.", ge=0, le=99, step=1)
    pause: float = param(0.6, label="Pause", help="Seconds of quiet after the narration of a scene.", ge=0, le=10, step=0.1)
    subtitles: bool = param(True, label="Subtitles", help="An SRT file beside the video.")
    plan_only: bool = param(False, label="Plan only", help="Make the outline and its timing, and no video.")
    scenes: int = param(
        6, label="Scenes", help="How many a model should plan; an outline has its own.", ge=2, le=MAX_SCENES, step=1
    )
    language: str = param("", label="Language", help="Of a model's outline; empty: that of the topic.", max_length=40)
    seed: int = param(1, label="Seed", help="Another number asks the model for another outline of a topic.", ge=0, step=1)
    scene_limit: int = param(
        300, label="Time limit", help="Seconds after which a scene that isn't drawn is given up.", ge=5, le=7200, step=5
    )


class ExplainerSpec(EngineSpec):
    """A narrated animation, scene by scene."""

    name = "explainer"
    title = "Explainer"
    summary = "A narrated animation from an outline (YAML or JSON), or from a topic if a model's address is set."
    medium = "video"
    params = ExplainerParams
    implementation = "cosmos_workflow.engines.explainer.engine:ExplainerEngine"
    stages = (
        Stage("initializing", 0.05, "Initializing"),
        Stage("planning", 0.15, "Planning the outline"),
        Stage("implementation_planning", 0.25, "Speaking and timing the scenes"),
        Stage("code_generation", 0.40, "Writing down the scenes"),
        Stage("scene_rendering", 0.70, "Drawing the scenes"),
        Stage("video_combining", 0.90, "Joining the scenes"),
        Stage("finalizing", 0.95, "Taking snapshots"),
        Stage("completed", 1.0, "Completed"),
    )
    inputs = (
        InputSpec("outline", "text", "Outline"),
        *(InputSpec(f"scene_{number}", "audio", f"Narration of scene {number}") for number in range(1, MAX_SCENES + 1)),
    )
    max_text = MAX_OUTLINE
    needs_text = False
    max_batch_size = 4
    cost_unit = "scenes"
    cost_inputs = ("outline",)
    output = "video"

    def availability(self) -> Availability:
        """Whether the extra is installed."""
        missing = [name for name in _NEEDED if find_spec(name) is None]
        if not missing:
            return Availability(True)
        return Availability(
            False,
            "Manim and Typst, which draw the scenes, aren't installed.",
            "On Debian run `apt install libcairo2-dev libpango1.0-dev pkg-config`; then "
            f"{install('cosmos-workflow', 'explainer')}.",
        )

    def repair(self, apply: bool) -> list[tuple[str, str, str]]:
        """Kept scenes and outlines that can't be used; with `apply` they are put aside, and made again when needed."""
        from cosmos_workflow.engines.explainer.cache import ASIDE, cache_folder, check_cache

        action = f"It went to the folder {ASIDE} of the explainer's cache; it is made again when needed."
        return [(name, problem, action) for name, problem in check_cache(cache_folder(), apply)]

    def check(self, recipe: Recipe, later: Collection[str] = ()) -> None:
        """As every engine; also refuses an outline that breaks the schema, a topic without a model, and unusable sounds."""
        super().check(recipe, later)
        if "outline" not in later:
            _check_scenes(given_outline(recipe.text, recipe.inputs), recipe, later)
        elif recipe.text.strip():
            raise InputError(_TWO_OUTLINES, key="outline")

    def cost(self, recipe: Recipe) -> float:
        outline = given_outline(recipe.text, recipe.inputs)
        return float(len(outline.scenes) if outline else cast("ExplainerParams", recipe.params).scenes)


def _check_scenes(outline: Outline | None, recipe: Recipe, later: Collection[str]) -> None:
    """Raise InputError where an outline, or its absence, doesn't go with the sounds: those there, and those still to come."""
    params, inputs = cast("ExplainerParams", recipe.params), recipe.inputs
    if outline is None:
        Endpoint.from_environment()
    scenes = _scenes_of({*inputs, *later})
    if scenes and not params.narration:
        first = f"scene_{scenes[0]}"
        word = inputs[first].name if first in inputs else first
        raise InputError(f"explainer: narration is off, but {word} is given; keep one of them.", key=first)
    for number in scenes:
        if outline is not None and number > len(outline.scenes):
            raise InputError(
                f"explainer: scene_{number} has a sound, but the outline has {len(outline.scenes)} scenes.", key=f"scene_{number}"
            )
    for number, path in given_sounds(inputs).items():
        with about(f"scene_{number}"):
            if (seconds := look_at_sound(path).seconds) > MAX_SOUND_SECONDS:
                raise InputError(
                    f"explainer: {path.name} lasts {seconds:,.0f} s; the sound of a scene lasts at most {MAX_SOUND_SECONDS} s."
                )


def given_outline(text: str, inputs: Mapping[str, Path]) -> Outline | None:
    """The outline that the prompt holds, as its file or as its text; None for a topic. Raises InputError."""
    if "outline" in inputs:
        if text.strip():
            raise InputError(_TWO_OUTLINES)
        with about("outline"):
            return parse_outline(read_outline_file(inputs["outline"]), f"explainer: {inputs['outline'].name}")
    if is_outline(text):
        return parse_outline(text, "explainer")
    if not text.strip():
        raise InputError("explainer: there is nothing to explain; write a topic or an outline, or give an outline file.")
    if len(text) > MAX_TOPIC:
        raise InputError(
            f"explainer: the topic has {len(text):,} characters; use at most {MAX_TOPIC:,}, "
            "or an outline, which begins with `title:` and `scenes:`."
        )
    return None


def given_sounds(inputs: Mapping[str, Path]) -> dict[int, Path]:
    """The sounds that were made beforehand, by the scene's number from 1."""
    return {number: inputs[f"scene_{number}"] for number in _scenes_of(inputs)}


def _scenes_of(names: Collection[str]) -> list[int]:
    return sorted(int(name.removeprefix("scene_")) for name in names if name.startswith("scene_"))


SPEC = ExplainerSpec()
