"""Videos: every stage fires, what was made is kept, what stops goes on where it was, and the result plays with sound."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil
import pytest
from explainer_support import DRAFT, KEY, MODEL, SAMPLE, SHORT, Made, Stub, make_video
from playwright.sync_api import sync_playwright
from support import DEADLINE, digest, wait_for

from cosmos_workflow.clips.looking import probe_clip
from cosmos_workflow.clips.reading import read_frames
from cosmos_workflow.engines.base import Device, Dropped, Failure
from cosmos_workflow.engines.explainer import SIZES, SPEC
from cosmos_workflow.engines.explainer.cache import cache_folder
from cosmos_workflow.engines.explainer.outline import parse_outline
from cosmos_workflow.engines.explainer.storyboard import FADE, LEAD
from cosmos_workflow.engines.testing.harness import RecordingContext, make_request, run_engine
from cosmos_workflow.errors import InputError

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not SPEC.availability().available, reason=str(SPEC.availability()))]

ONE = """
title: One
scenes:
  - title: Alone
    narration: ""
"""


def heard(path: Path) -> tuple[np.ndarray[Any, Any], int]:
    """The audio track of a video: samples from -1 to 1, and their rate."""
    import av

    with av.open(str(path)) as film:
        blocks = [frame.to_ndarray()[0] for frame in film.decode(film.streams.audio[0])]
        return np.concatenate(blocks), film.streams.audio[0].codec_context.sample_rate


def drawers() -> list[psutil.Process]:
    """The processes that draw scenes for this one."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if any("explainer.draw" in word for word in child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


def fail(folder: Path, text: str, context: RecordingContext | None = None, **given: Any) -> str:
    from cosmos_workflow.engines.explainer.engine import ExplainerEngine

    inputs = given.pop("inputs", {})
    request = make_request(SPEC, folder, text, {**DRAFT, **given}, None, inputs)
    outcome = run_engine(ExplainerEngine(), [request], context or RecordingContext(SPEC))[request.id]
    assert isinstance(outcome, Failure), outcome
    assert list(request.folder.iterdir()) == []
    return outcome.error


def test_a_video_goes_through_every_stage(made: Made) -> None:
    assert made.context.stages_of("qi_one") == [stage.name for stage in SPEC.stages]
    reports = made.context.reports
    messages = [message for _, stage, _, message in reports if stage == "scene_rendering"]
    assert messages[0] == "5 of 5 scenes to draw"
    assert list(dict.fromkeys(messages[1:])) == [f"Scene {number} of 5" for number in range(1, 6)]
    shares = [share for _, stage, share, _ in reports if stage == "scene_rendering"]
    assert shares == sorted(shares)
    assert made.context.trackers["qi_one"].fraction == 1.0


def test_the_files_are_what_they_say(made: Made) -> None:
    snapshots = {f"scene_{number:02d}" for number in range(1, 6)}
    assert set(made.output.files) == {"video", "outline", "storyboard", "subtitles", "thumbnail", *snapshots}
    metadata = made.output.metadata
    info = probe_clip(made.folder / "video.mp4")
    assert (info.width, info.height, info.fps, info.codec) == (426, 240, 10.0, "h264")
    assert info.has_sound
    assert info.frames == metadata["frames"]
    assert info.seconds == pytest.approx(metadata["seconds"], abs=0.05)
    assert (metadata["scenes"], metadata["scenes_drawn"], metadata["notes"]) == (5, 5, [])
    assert parse_outline((made.folder / "outline.yaml").read_text(), "again") == parse_outline(SAMPLE.read_text(), "sample")
    plan = json.loads((made.folder / "storyboard.json").read_text())
    assert sum(scene["seconds"] for scene in plan["scenes"]) == pytest.approx(metadata["seconds"], abs=0.01)
    assert [scene["kind"] for scene in plan["scenes"]] == ["title", "bullets", "formula", "chart", "chart"]


def test_every_frame_decodes_in_order(made: Made) -> None:
    times = [start for _, start, _ in read_frames(made.folder / "video.mp4")]
    assert len(times) == made.output.metadata["frames"]
    assert np.allclose(np.diff(times), 0.1)


def test_the_narration_is_heard_where_the_subtitles_say(made: Made) -> None:
    sound, rate = heard(made.folder / "video.mp4")
    assert rate == 48_000
    assert len(sound) / rate == pytest.approx(made.output.metadata["seconds"], abs=0.1)
    plan = json.loads((made.folder / "storyboard.json").read_text())
    begun = 0.0
    for scene in plan["scenes"]:
        spoken = sound[int((begun + LEAD) * rate) : int((begun + LEAD + scene["narration_seconds"]) * rate)]
        assert np.sqrt(np.mean(spoken**2)) > 0.02
        lead = sound[int((begun + 0.05) * rate) : int((begun + LEAD - 0.1) * rate)]
        assert np.abs(lead).max() < 0.01
        begun += scene["seconds"]
    text = (made.folder / "subtitles.srt").read_text()
    narration = " ".join(scene.narration for scene in parse_outline(SAMPLE.read_text(), "sample").scenes)
    spoken_words = re.sub(r"\d+\n\d\d:.* --> .*\n", "", text).split()
    assert spoken_words == narration.split()


def test_pictures_are_taken_when_everything_is_there(made: Made) -> None:
    from PIL import Image

    for name in ("thumbnail.jpg", *(f"scene_{number:02d}.jpg" for number in range(1, 6))):
        picture = np.asarray(Image.open(made.folder / name).convert("L")).astype(int)
        assert picture.shape[1] == (320 if name == "thumbnail.jpg" else 426)
        assert (np.abs(picture - np.median(picture)) > 60).mean() > 0.01


def test_a_scene_ends_on_the_bare_ground(made: Made) -> None:
    plan = json.loads((made.folder / "storyboard.json").read_text())
    last = round(sum(scene["seconds"] for scene in plan["scenes"][:2]) * 10) - 1
    frames = [frame for frame, _, _ in read_frames(made.folder / "video.mp4")]
    ground = np.array([0x15, 0x21, 0x2C])
    assert np.abs(frames[last].astype(int) - ground).max() < 12
    settled = frames[last - round(FADE * 10) - 2].astype(int)
    assert np.abs(settled - ground).max() > 150


def test_nothing_that_is_read_comes_near_the_border(made: Made) -> None:
    for number in (2, 3, 4, 5):
        from PIL import Image

        picture = np.asarray(Image.open(made.folder / f"scene_{number:02d}.jpg")).astype(int)
        drawn = np.abs(picture - np.array([0x15, 0x21, 0x2C])).max(axis=-1) > 60
        rows, columns = np.nonzero(drawn)
        height, width = drawn.shape
        assert 0.05 * width < columns.min() < columns.max() < 0.95 * width
        assert 0.06 * height < rows.min() < rows.max() < 0.94 * height


def test_the_same_video_again_draws_nothing(made: Made, cache: Path, tmp_path: Path) -> None:
    output, folder, context = make_video(tmp_path, inputs={"outline": SAMPLE})
    assert output.metadata["scenes_drawn"] == 0
    assert context.stages_of("qi_one") == [stage.name for stage in SPEC.stages]
    assert digest(folder / "video.mp4") == digest(made.folder / "video.mp4")


def test_a_changed_scene_alone_is_drawn_again(made: Made, cache: Path, tmp_path: Path) -> None:
    changed = SAMPLE.read_text().replace("values: [100, 46]", "values: [100, 47]")
    output, _, context = make_video(tmp_path, changed)
    assert output.metadata["scenes_drawn"] == 1
    drawn = {message for _, stage, share, message in context.reports if stage == "scene_rendering" and share}
    assert drawn <= {"Scene 4 of 5"}


def test_a_broken_clip_is_found_said_and_made_again(made: Made, cache: Path, tmp_path: Path) -> None:
    clips = sorted(cache.glob("scene-*"))
    clips[0].write_bytes(b"")
    clips[1].write_bytes(clips[1].read_bytes()[:-2000])
    clips[2].write_text('{"error": "no space left"}')
    output, folder, _ = make_video(tmp_path, inputs={"outline": SAMPLE})
    assert output.metadata["scenes_drawn"] == 3
    notes = output.metadata["notes"]
    assert len(notes) == 3
    assert all(re.fullmatch(r"The kept clip of scene \d was broken \(it.*\), so it was made again\.", note) for note in notes)
    assert probe_clip(folder / "video.mp4").frames == made.output.metadata["frames"]
    again, _, _ = make_video(tmp_path / "again", inputs={"outline": SAMPLE})
    assert (again.metadata["scenes_drawn"], again.metadata["notes"]) == (0, [])


def test_killed_in_the_middle_it_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2] / "plugin")!r})
from pathlib import Path
from explainer_support import make_video
make_video(Path({str(tmp_path / "killed")!r}), sys.argv[1])
"""
    with subprocess.Popen([sys.executable, "-c", code, SHORT], env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        try:
            wait_for(lambda: list(cache_folder().glob("scene-*.mp4")), "a first scene is kept")
            family = psutil.Process(process.pid).children(recursive=True)
        finally:
            process.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=DEADLINE)
    assert not alive
    kept = len(list(cache_folder().glob("scene-*.mp4")))
    assert 1 <= kept <= 3
    output, _, _ = make_video(tmp_path, SHORT)
    assert output.metadata["scenes_drawn"] == 3 - kept
    assert output.metadata["notes"] == []


def test_cancelled_while_drawing_nothing_is_left_running(tmp_path: Path) -> None:
    from cosmos_workflow.engines.explainer.engine import ExplainerEngine

    seen: list[psutil.Process] = []

    def cancel(context: RecordingContext, item_id: str) -> None:
        if context.reports[-1][1] == "scene_rendering" and drawers():
            seen.extend(drawers())
            context.cancelled.add(item_id)

    request = make_request(SPEC, tmp_path, ONE, DRAFT)
    outcome = run_engine(ExplainerEngine(), [request], RecordingContext(SPEC, on_report=cancel))[request.id]
    assert isinstance(outcome, Dropped)
    assert seen
    assert not any(process.is_running() for process in seen)
    assert list(request.folder.iterdir()) == []


def test_a_scene_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmos_workflow.engines.explainer import rendering

    monkeypatch.setattr(rendering, "START_SECONDS", -5.0)
    error = fail(tmp_path, ONE, scene_limit=5)
    assert error.startswith("explainer: scene 1 wasn't drawn within 5 s; raise scene_limit")
    assert drawers() == []


def test_a_drawing_process_that_dies_is_one_sentence(tmp_path: Path) -> None:
    def kill(context: RecordingContext, item_id: str) -> None:
        for process in drawers():
            process.kill()

    error = fail(tmp_path, ONE, RecordingContext(SPEC, on_report=kill))
    assert error == "explainer: the process that draws was killed by SIGKILL (signal 9) in scene 1; try again."


def test_plan_only_makes_outline_and_timing_and_no_picture(tmp_path: Path) -> None:
    output, folder, context = make_video(tmp_path, SHORT, plan_only=True)
    assert set(output.files) == {"outline", "storyboard", "subtitles"}
    assert context.stages_of("qi_one") == ["initializing", "planning", "implementation_planning", "finalizing", "completed"]
    assert output.metadata["plan_only"]
    assert output.metadata["seconds"] > 5
    again = parse_outline((folder / "outline.yaml").read_text(), "plan")
    assert again == parse_outline(SHORT, "short")


def test_without_narration_there_is_no_sound_and_the_text_is_read(tmp_path: Path) -> None:
    output, folder, _ = make_video(tmp_path, ONE, narration=False)
    assert not probe_clip(folder / "video.mp4").has_sound
    assert "subtitles" not in output.files
    assert output.metadata["seconds"] >= 3


def test_every_theme_and_size_is_drawn_as_it_is_called(tmp_path: Path) -> None:
    _, folder, _ = make_video(tmp_path, ONE, theme="paper", quality="480p", fps=12, narration=False)
    info = probe_clip(folder / "video.mp4")
    assert (info.width, info.height) == SIZES["480p"]
    assert info.fps == 12
    first = next(read_frames(folder / "video.mp4"))[0].astype(int)
    assert np.abs(np.median(first, axis=(0, 1)) - np.array([0xFA, 0xF6, 0xEE])).max() < 6
    assert (first.sum(axis=-1) < 300).mean() > 0.005, "the title stands from the first frame"


def test_a_given_sound_is_heard_instead_of_the_voice(tmp_path: Path) -> None:
    import soundfile

    time = np.arange(4 * 22_050) / 22_050
    tone = tmp_path / "tone.flac"
    soundfile.write(tone, 0.5 * np.sin(2 * np.pi * 440 * time), 22_050)
    output, folder, _ = make_video(tmp_path, ONE, inputs={"scene_1": tone})
    assert output.metadata["seconds"] == pytest.approx(LEAD + 4 + FADE, abs=0.11)
    sound, rate = heard(folder / "video.mp4")
    spectrum = np.abs(np.fft.rfft(sound[int(LEAD * rate) : int((LEAD + 4) * rate)]))
    assert np.argmax(spectrum) / 4 == pytest.approx(440, abs=2)


def test_sounds_that_belong_nowhere_are_refused(tmp_path: Path) -> None:
    sound = SAMPLE.parents[1] / "samples" / "voice.flac"
    with pytest.raises(InputError, match="scene_2 has a sound, but the outline has 1 scenes"):
        SPEC.check(SPEC.recipe(ONE, {}, {}, {"scene_2": sound}))
    with pytest.raises(InputError, match=r"narration is off, but voice\.flac is given"):
        SPEC.check(SPEC.recipe(ONE, {"narration": False}, {}, {"scene_1": sound}))
    with pytest.raises(InputError, match="isn't a sound"):
        SPEC.check(SPEC.recipe(ONE, {}, {}, {"scene_1": SAMPLE}))


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("foo + 1", "scenes[1].formula: Typst says 'unknown variable: foo'"),
        ("frac(1, 2", "scenes[1].formula: Typst says 'unclosed delimiter'"),
        (" + ".join("abcdefghijkl" * 3), "scenes[1].formula: it is too wide to be read"),
        ("space", "scenes[1].formula: it shows nothing"),
    ],
)
def test_a_formula_that_cannot_be_shown_is_found_before_the_work(tmp_path: Path, formula: str, says: str) -> None:
    text = json.dumps({"title": "T", "scenes": [{"title": "S", "narration": "", "formula": formula}]})
    context = RecordingContext(SPEC)
    assert says in fail(tmp_path, text, context)
    assert context.stages_of("qi_test") == ["initializing"]


def test_narration_that_cannot_be_spoken_names_its_scene(tmp_path: Path) -> None:
    assert "scenes[1].narration: the text holds nothing that can be spoken" in fail(tmp_path, ONE.replace('""', '"..."'))


def test_text_of_any_kind_is_drawn_as_text(tmp_path: Path) -> None:
    wild = '#let x = 1 $y$ \\ "quoted" <label> @ref *b* _i_ `c` // no /* comment */ Ελλάδα 日本 😀 ' + "x" * 60
    title = '#panic("no") ' + "W" * 60
    scenes = [
        {"title": title, "caption": wild[:140], "narration": ""},
        {"title": title, "bullets": [wild] * 3, "narration": ""},
        {
            "title": "Bars",
            "narration": "",
            "caption": wild[:140],
            "chart": {"labels": ["#a", "b\\"], "values": [-1e-9, 1e15], "unit": '"$'},
        },
        {"title": "Line", "narration": "", "chart": {"kind": "line", "labels": ["a", "b", "c"], "values": [0, 0, 0]}},
    ]
    output, _, _ = make_video(tmp_path, json.dumps({"title": wild[:120], "scenes": scenes}), narration=False)
    assert output.metadata["scenes_drawn"] == 4


def test_a_topic_becomes_a_plan_once_and_is_kept(stub: Stub, tmp_path: Path) -> None:
    stub.answers = ["no", SHORT, parse_outline(SHORT, "short").model_dump_json()]
    topic = "What makes a triangle right-angled?"
    output, folder, context = make_video(tmp_path, topic, plan_only=True)
    assert (output.metadata["outline_by"], output.metadata["title"]) == ("model", "Short")
    assert len(stub.questions) == 3
    messages = list(dict.fromkeys(message for _, stage, _, message in context.reports if stage == "planning" and message))
    assert messages == ["Asking the model for an outline", *(f"Asking the model to mend it ({n} of 2)" for n in (1, 2))]
    for file in (*folder.iterdir(), *cache_folder().iterdir()):
        assert not any(secret.encode() in file.read_bytes() for secret in (KEY, MODEL, stub.url))
    assert not any(secret in json.dumps(dict(output.metadata)) for secret in (KEY, MODEL, stub.url))
    again, _, _ = make_video(tmp_path / "again", topic, plan_only=True)
    assert again.metadata["title"] == "Short"
    assert len(stub.questions) == 3
    other, _, _ = make_video(tmp_path / "other", topic, plan_only=True, seed=2)
    assert other.metadata["title"] == "Short"
    assert len(stub.questions) == 4


def test_an_error_kept_as_an_outline_is_asked_for_again(stub: Stub, tmp_path: Path) -> None:
    stub.answers = [parse_outline(SHORT, "short").model_dump_json()]
    make_video(tmp_path, "A topic", plan_only=True)
    (kept,) = cache_folder().iterdir()
    kept.write_text('{"error": {"message": "rate limit"}}')
    output, _, _ = make_video(tmp_path / "again", "A topic", plan_only=True)
    assert output.metadata["notes"] == ["The kept outline was broken (its content isn't what was written), so it was made again."]
    assert len(stub.questions) == 2


def test_a_formula_of_the_model_that_typst_refuses_is_asked_for_again(stub: Stub, tmp_path: Path) -> None:
    good = parse_outline(SHORT, "short").model_dump_json()
    stub.answers = [good.replace("a^2 + b^2 = c^2", "\\\\frac(a, b)^foo"), good]
    make_video(tmp_path, "A topic", plan_only=True)
    assert "scenes[2].formula: Typst says" in stub.questions[1]["messages"][-1]["content"]


def test_the_worker_makes_it_like_any_other_item(operations: Any) -> None:
    from cosmos_workflow.queueing import Prompt, Queue

    queue = Queue()
    items = queue.add_to_queue([Prompt(SHORT)], "explainer", {**DRAFT, "plan_only": True})
    (result,) = operations.batch_inference(items)
    assert result.outcome == "succeeded", result.error
    assert set(result.files) == {"outline", "storyboard", "subtitles"}


@pytest.mark.browser
def test_a_video_plays_in_chromium_with_sound(made: Made, tmp_path: Path) -> None:
    (tmp_path / "video.mp4").write_bytes((made.folder / "video.mp4").read_bytes())
    site = tmp_path / "page.html"
    site.write_text("<video src='video.mp4' autoplay></video>")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium" if Path("/usr/bin/chromium").exists() else None,
            args=[
                *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
                "--autoplay-policy=no-user-gesture-required",
            ],
        )
        page = browser.new_page()
        page.goto(site.as_uri())
        video = "document.querySelector('video')"
        page.wait_for_function(f"{video}.currentTime > 1 && {video}.webkitAudioDecodedByteCount > 1000")
        shown = cast("list[float]", page.evaluate(f"[{video}.duration, {video}.videoWidth, {video}.videoHeight]"))
        assert shown == [pytest.approx(made.output.metadata["seconds"], abs=0.1), 426, 240]
        page.evaluate(f"{video}.currentTime = {video}.duration - 1")
        page.wait_for_function(f"{video}.ended")
        browser.close()


def test_nothing_is_loaded_where_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmos_workflow.engines.explainer.engine import ExplainerEngine
    from cosmos_workflow.errors import UnavailableError

    monkeypatch.setattr("cosmos_workflow.engines.explainer.find_spec", lambda _: None)
    with pytest.raises(UnavailableError, match=r"libpango1\.0-dev"):
        ExplainerEngine().load(Device())
