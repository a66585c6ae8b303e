"""The work of the explainer engine: from a topic or an outline to a video, stage by stage, keeping what it makes on the way."""

from __future__ import annotations

import hashlib
import json
from functools import cache, partial
from importlib import metadata as packages
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from cosmos_workflow.engines.base import Context, Device, Output, Request, SerialEngine
from cosmos_workflow.engines.explainer import SIZES, SPEC, ExplainerParams, given_outline, given_sounds
from cosmos_workflow.engines.explainer.asking import ask_outline, check_model, spell_wish
from cosmos_workflow.engines.explainer.cache import Cache, cache_folder, clip_problem, outline_problem
from cosmos_workflow.engines.explainer.endpoint import Endpoint
from cosmos_workflow.engines.explainer.film import join, snapshot
from cosmos_workflow.engines.explainer.formulas import check_formulas
from cosmos_workflow.engines.explainer.narration import RATE, speak, take_sound
from cosmos_workflow.engines.explainer.outline import Outline, Scene, parse_outline, write_outline
from cosmos_workflow.engines.explainer.rendering import draw_scenes
from cosmos_workflow.engines.explainer.storyboard import Shot, digest, plan_shot, subtitles
from cosmos_workflow.errors import InputError, UnavailableError, WorkflowError

OUTLINE, STORYBOARD, VIDEO = "outline.yaml", "storyboard.json", "video.mp4"
SUBTITLES, THUMBNAIL = "subtitles.srt", "thumbnail.jpg"

# Whoever changes one of these draws other pictures.
_DRAWN_BY = ("charts.py", "draw.py", "figures.py", "scenes.py", "themes.py", "timeline.py", "typesetting.py")


class ExplainerEngine(SerialEngine):
    """Makes videos one after another; Manim runs in a process of its own."""

    def load(self, device: Device) -> None:
        available = SPEC.availability()
        if not available.available:
            raise UnavailableError(str(available))

    def generate_one(self, request: Request, context: Context) -> Output:
        with TemporaryDirectory(dir=request.folder) as scratch:
            return _Video(request, context, Path(scratch)).make()


class _Video:
    """One video on its way."""

    def __init__(self, request: Request, context: Context, scratch: Path) -> None:
        self.request, self.context, self.scratch = request, context, scratch
        self.params = cast("ExplainerParams", request.params)
        self.cache = Cache(cache_folder())
        # What is made goes to the request's folder at the end, all of it: a video that fails leaves nothing there.
        self.made = scratch / "made"
        self.made.mkdir()
        self.files: dict[str, str] = {}

    def make(self) -> Output:
        """Every stage in its order; with `plan_only` those that draw are left out."""
        self.report("initializing")
        given = given_outline(self.request.text, self.request.inputs)
        if given is not None:
            check_formulas(given)
            self.report("planning")
        outline = given or self.ask()
        self.report("implementation_planning")
        sounds = [self.narrate(number, scene, outline) for number, scene in enumerate(outline.scenes, 1)]
        shots = [
            plan_shot(number, scene, _seconds(sound), self.params.fps, self.params.pause)
            for number, (scene, sound) in enumerate(zip(outline.scenes, sounds, strict=True), 1)
        ]
        self.write_plan(outline, shots)
        drawn = 0
        if not self.params.plan_only:
            clips, drawn = self.draw(shots)
            self.combine(outline, shots, clips, sounds)
        else:
            self.report("finalizing", 0.0, "Only the plan was asked for")
        self.cache.prune()
        for name in self.files.values():
            (self.made / name).replace(self.request.folder / name)
        self.report("completed")
        return Output(self.request.id, self.files, self.describe(outline, shots, drawn, given is None, any(sounds)))

    def ask(self) -> Outline:
        """The outline of the topic: what a model made of it before, if that is sound, else what it makes now."""
        endpoint, params = Endpoint.from_environment(), self.params
        wish = spell_wish(self.request.text.strip(), params.scenes, params.language.strip())
        key = digest({"wish": wish, "seed": params.seed, "model": endpoint.model, "url": endpoint.url})
        kept, made = self.scratch / "kept.json", self.scratch / "made.json"
        if self.cache.take("outline", key, kept, "outline", outline_problem):
            self.report("planning")
            return parse_outline(kept.read_text(encoding="utf-8"), "explainer")
        check_model(endpoint, lambda: self.report("initializing", 0.5, "Checking the model"))
        self.report("planning")
        check = partial(check_formulas, where="the outline")
        outline = ask_outline(endpoint, wish, lambda doing: self.report("planning", 0.1, doing), check)
        for number in given_sounds(self.request.inputs):
            if number > len(outline.scenes):
                raise InputError(f"explainer: scene_{number} has a sound, but the model planned {len(outline.scenes)} scenes.")
        made.write_text(outline.model_dump_json(), encoding="utf-8")
        self.cache.keep("outline", key, made)
        return outline

    def narrate(self, number: int, scene: Scene, outline: Outline) -> Path | None:
        """The sound of a scene: the given one, else speech; None where it is silent."""
        total = len(outline.scenes)
        given = given_sounds(self.request.inputs).get(number)
        if given is None and not (self.params.narration and scene.narration):
            return None
        share = (number - 1) / total
        look = partial(self.report, "implementation_planning", share, f"Scene {number} of {total}: the narration")
        if given is not None:
            return take_sound(given, self.scratch / f"sound_{number}.wav", look)
        folder = self.scratch / f"speech_{number}"
        folder.mkdir()
        try:
            return speak(scene.narration, self.params, folder, look)
        except InputError as error:
            raise InputError(f"explainer: scenes[{number}].narration: {str(error).removeprefix('espeak: ')}") from error

    def write_plan(self, outline: Outline, shots: list[Shot]) -> None:
        """Outline, timing and subtitles, as files of the result."""
        plan = {"title": outline.title, "fps": self.params.fps, "scenes": [shot.described() for shot in shots]}
        self.write("outline", OUTLINE, write_outline(outline))
        self.write("storyboard", STORYBOARD, json.dumps(plan, ensure_ascii=False, indent=1))
        cues = subtitles(shots)
        if self.params.subtitles and cues:
            self.write("subtitles", SUBTITLES, cues)

    def write(self, key: str, name: str, text: str) -> None:
        (self.made / name).write_text(text, encoding="utf-8")
        self.files[key] = name

    def draw(self, shots: list[Shot]) -> tuple[list[Path], int]:
        """A clip for each shot, and how many of them were drawn now; the others were kept."""
        self.report("code_generation")
        clips = [self.scratch / f"scene_{shot.number}.mp4" for shot in shots]
        look = {"theme": self.params.theme, "quality": self.params.quality, "drawn_by": _drawn_by()}
        keys = [digest({**look, "picture": shot.picture()}) for shot in shots]
        missing: list[tuple[Shot, Path]] = []
        for shot, clip, key in zip(shots, clips, keys, strict=True):
            self.report("code_generation", (shot.number - 1) / len(shots), f"Scene {shot.number} of {len(shots)}")
            problem_of = partial(clip_problem, frames=shot.frames)
            if not self.cache.take("scene", key, clip, f"clip of scene {shot.number}", problem_of):
                missing.append((shot, clip))
        self.report(
            "scene_rendering", 0.0, f"{len(missing)} of {len(shots)} scenes to draw" if missing else "All scenes are there"
        )
        if missing:
            self.render(missing, dict(zip(clips, keys, strict=True)), len(shots))
        return clips, len(missing)

    def render(self, missing: list[tuple[Shot, Path]], keys: dict[Path, str], total: int) -> None:
        """Draw the missing scenes, keeping each as soon as it is whole."""
        frames, before = 0, dict[int, int]()
        for shot, _ in missing:
            before[shot.number] = frames
            frames += shot.frames

        def on_frames(number: int, done: int) -> None:
            self.report("scene_rendering", (before[number] + done) / frames, f"Scene {number} of {total}")

        def on_made(shot: Shot, clip: Path) -> None:
            problem = clip_problem(clip, shot.frames)
            if problem:
                raise WorkflowError(f"explainer: scene {shot.number} was drawn, but {problem}; try again.")
            self.cache.keep("scene", keys[clip], clip)

        params = self.params
        draw_scenes(missing, params.theme, SIZES[params.quality], float(params.scene_limit), self.scratch, on_frames, on_made)

    def combine(self, outline: Outline, shots: list[Shot], clips: list[Path], sounds: list[Path | None]) -> None:
        """The video, and the pictures taken from it."""
        self.report("video_combining")
        join(shots, clips, sounds, self.made / VIDEO, outline.title, lambda done: self.report("video_combining", done))
        self.files["video"] = VIDEO
        self.report("finalizing")
        for shot, clip in zip(shots, clips, strict=True):
            self.report("finalizing", (shot.number - 1) / len(shots), f"Snapshot {shot.number} of {len(shots)}")
            name = f"scene_{shot.number:02d}.jpg"
            thumbnail = self.made / THUMBNAIL if shot.number == 1 else None
            snapshot(clip, shot, self.made / name, thumbnail)
            self.files[f"scene_{shot.number:02d}"] = name
        self.files["thumbnail"] = THUMBNAIL

    def describe(self, outline: Outline, shots: list[Shot], drawn: int, by_model: bool, spoken: bool) -> dict[str, Any]:
        width, height = SIZES[self.params.quality]
        frames = sum(shot.frames for shot in shots)
        return {
            "title": outline.title,
            "outline_by": "model" if by_model else "given",
            "scenes": len(shots),
            "scenes_drawn": drawn,
            "seconds": round(frames / self.params.fps, 3),
            "frames": 0 if self.params.plan_only else frames,
            "fps": self.params.fps,
            "width": width,
            "height": height,
            "narrated": spoken,
            "plan_only": self.params.plan_only,
            "notes": self.cache.notes,
        }

    def report(self, stage: str, share: float = 0.0, message: str = "") -> None:
        self.context.report(self.request.id, stage, share, message)


def _seconds(sound: Path | None) -> float:
    if sound is None:
        return 0.0
    import soundfile

    return soundfile.info(str(sound)).frames / RATE


@cache
def _drawn_by() -> dict[str, str]:
    """What decides how a picture looks beside what it shows: our templates, and the libraries that draw."""
    folder = Path(__file__).parent
    ours = hashlib.sha256(b"".join((folder / name).read_bytes() for name in _DRAWN_BY)).hexdigest()[:32]
    return {"templates": ours, **{name: packages.version(name) for name in ("manim", "typst", "av")}}
