"""The control-preview engine: the controls that the presets ask for, in clips of the right size, rate and length."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import sync_playwright

from cosmos_workflow.clips.looking import probe_clip
from cosmos_workflow.clips.reading import read_frames
from cosmos_workflow.engines.base import Device, Dropped, Failure, Output
from cosmos_workflow.engines.control_preview import SPEC
from cosmos_workflow.engines.control_preview import controls as signals
from cosmos_workflow.engines.control_preview.controls import Picture
from cosmos_workflow.engines.control_preview.engine import ControlPreviewEngine
from cosmos_workflow.engines.testing.harness import RecordingContext, make_request, run_engine
from cosmos_workflow.engines.video import CONTROLS, Strength
from cosmos_workflow.errors import InputError
from cosmos_workflow.media import ClipWriter
from cosmos_workflow.queueing.items import Configuration

SAMPLE = Path(__file__).parents[2] / "assets" / "samples" / "street.mp4"
STRENGTHS: tuple[Strength, ...] = ("very_low", "low", "medium", "high", "very_high")
EDGE_ONLY = {"vis": 0.0, "edge": 1.0, "depth": 0.0, "seg": 0.0}


@pytest.fixture(scope="module")
def engine() -> ControlPreviewEngine:
    loaded = ControlPreviewEngine()
    loaded.load(Device())
    return loaded


@pytest.fixture(scope="module")
def street() -> Picture:
    return next(read_frames(SAMPLE))[0]


def write_clip(path: Path, frames: int = 12, width: int = 64, height: int = 48, fps: int = 12, brightness: int = 200) -> Path:
    """A bright square that moves to the right over a dark ground, two pixels a frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with ClipWriter(path, width, height, fps) as clip:
        for number in range(frames):
            picture = np.full((height, width, 3), 30, np.uint8)
            left = (4 + 2 * number) % (width - 20)
            picture[12:32, left : left + 20] = brightness
            clip.write(picture)
    return path


def pictures(path: Path) -> list[Picture]:
    return [picture for picture, _, _ in read_frames(path)]


def preview(
    engine: ControlPreviewEngine, folder: Path, clip: Path = SAMPLE, name: str = "qi_one", **given: Any
) -> tuple[Output, Path]:
    inputs = {"video": clip, **given.pop("inputs", {})}
    request = make_request(SPEC, folder, "", given.pop("params", {}), given.pop("weights", None), inputs, name)
    SPEC.check(request)
    outcome = run_engine(engine, [request], RecordingContext(SPEC))[name]
    assert isinstance(outcome, Output), outcome
    assert {file.name for file in request.folder.iterdir()} == set(outcome.files.values())
    return outcome, request.folder


@pytest.mark.parametrize(
    ("strength", "lower", "upper"),
    [("very_low", 20, 50), ("low", 50, 100), ("medium", 100, 200), ("high", 200, 300), ("very_high", 300, 400)],
)
def test_edge_is_canny_by_its_preset(street: Picture, strength: Strength, lower: int, upper: int) -> None:
    found = signals.edge(street, strength)
    assert found.shape == street.shape
    assert np.array_equal(found[..., 0], cv2.Canny(street, lower, upper))
    assert np.array_equal(found[..., 0], found[..., 1])
    assert set(np.unique(found)) == {0, 255}


def test_a_higher_edge_threshold_keeps_fewer_edges(street: Picture) -> None:
    kept = [int(signals.edge(street, strength).any(axis=-1).sum()) for strength in STRENGTHS]
    assert kept == sorted(kept, reverse=True)
    assert len(set(kept)) == len(kept)


@pytest.mark.parametrize(
    ("strength", "shrink", "down_up", "diameter", "sigma_color", "sigma_space"),
    [
        ("very_low", 1, 4, 15, 100, 50),
        ("low", 4, 4, 15, 100, 50),
        ("medium", 2, 10, 30, 150, 100),
        ("high", 1, 16, 50, 300, 150),
        ("very_high", 4, 16, 50, 300, 150),
    ],
)
def test_vis_is_the_blur_of_its_preset(
    street: Picture, strength: Strength, shrink: int, down_up: int, diameter: int, sigma_color: float, sigma_space: float
) -> None:
    import torch

    height, width = street.shape[:2]
    small = cv2.resize(street, (width // shrink, height // shrink), interpolation=cv2.INTER_AREA)
    blurred = cv2.bilateralFilter(small, diameter, sigma_color, sigma_space)
    tensor = torch.from_numpy(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR)).permute(2, 0, 1)[None]
    for size in ((height // down_up, width // down_up), (height, width)):
        resized = torch.nn.functional.interpolate(tensor.float(), size=size, mode="bicubic", antialias=True, align_corners=False)
        tensor = resized.round().clamp(0, 255).to(torch.uint8)
    expected = tensor[0].permute(1, 2, 0).numpy().astype(int)
    difference = np.abs(signals.vis(street, strength).astype(int) - expected)
    # Two float implementations may round a tie differently.
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


def test_vis_takes_detail_away_and_leaves_colour(street: Picture) -> None:
    detail = [
        float(cv2.Laplacian(signals.vis(street, strength), cv2.CV_64F).std()) for strength in ("very_low", "medium", "high")
    ]
    assert detail == sorted(detail, reverse=True)
    assert detail[0] < cv2.Laplacian(street, cv2.CV_64F).std() / 2
    assert np.allclose(signals.vis(street, "medium").mean(axis=(0, 1)), street.mean(axis=(0, 1)), atol=6)


def test_approximate_depth_takes_what_is_low_for_near() -> None:
    flat = np.full((60, 80, 3), 128, np.uint8)
    depth = signals.approximate_depth(flat)
    assert depth.shape == flat.shape
    assert np.all(np.diff(depth[:, 0, 0].astype(int)) >= 0)
    assert depth[-1, 0, 0] > depth[0, 0, 0] + 100


def test_approximate_seg_gives_each_region_one_colour_that_stays() -> None:
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:, :48], picture[:, 48:] = (200, 30, 30), (30, 30, 200)
    moved = np.ascontiguousarray(picture[:, ::-1])
    seg, other = signals.approximate_seg(picture), signals.approximate_seg(moved)
    assert len(np.unique(seg.reshape(-1, 3), axis=0)) == 2
    assert tuple(seg[32, 8]) != tuple(seg[32, 88])
    assert tuple(seg[32, 8]) == tuple(other[32, 88])


@given(weights=st.fixed_dictionaries({name: st.floats(0, 1) for name in CONTROLS}), grey=st.integers(0, 255))
def test_the_composite_is_the_weighted_sum_capped_at_one(weights: dict[str, float], grey: int) -> None:
    controls = {name: np.full((2, 2, 3), grey, np.uint8) for name in CONTROLS}
    assert np.abs(signals.composite(controls, weights).astype(int) - grey * min(1.0, sum(weights.values()))).max() <= 1


def test_the_composite_weighs_each_control() -> None:
    controls = {"vis": np.full((2, 2, 3), 200, np.uint8), "edge": np.full((2, 2, 3), 100, np.uint8)}
    assert signals.composite(controls, {"vis": 0.25, "edge": 0.5}).max() == 100
    assert signals.composite(controls, {"vis": 1.0, "edge": 1.0}).max() == 150


@pytest.mark.slow
def test_a_preview_has_a_clip_for_each_control_and_their_composite(engine: ControlPreviewEngine, tmp_path: Path) -> None:
    output, folder = preview(engine, tmp_path)
    assert set(output.files) == {"video", "control_vis", "control_edge", "control_depth", "control_seg"}
    for name in output.files.values():
        info = probe_clip(folder / name)
        assert (info.width, info.height, info.fps, info.frames, info.codec) == (320, 192, 24.0, 72, "h264")
        assert info.seconds == pytest.approx(3.0)
    assert output.metadata["frames"] == 72
    assert output.metadata["approximate"] == ["depth", "seg"]
    assert "approximate" in output.metadata["notes"][0]
    source, vis, edge = (pictures(path)[30] for path in (SAMPLE, folder / "control_vis.mp4", folder / "control_edge.mp4"))
    assert np.abs(vis.astype(int) - signals.vis(source, "medium")).mean() < 4
    assert np.abs(edge.astype(int) - signals.edge(source, "medium")).mean() < 12
    composite = pictures(folder / "video.mp4")[30]
    parts = {name: pictures(folder / f"control_{name}.mp4")[30] for name in CONTROLS}
    bare = np.s_[:160]  # Above the labels.
    expected = signals.composite(parts, dict.fromkeys(CONTROLS, 0.25))
    assert np.abs(composite[bare].astype(int) - expected[bare]).mean() < 5


@pytest.mark.slow
def test_approximate_controls_say_so_in_the_picture_and_in_the_file(engine: ControlPreviewEngine, tmp_path: Path) -> None:
    import av

    _, folder = preview(engine, tmp_path / "made")
    for name in ("depth", "seg"):
        with av.open(str(folder / f"control_{name}.mp4")) as container:
            assert f"approximate {name}" in container.metadata["comment"]
        corner = pictures(folder / f"control_{name}.mp4")[0][-10:, :60]
        assert (corner < 40).any()
        assert (corner > 180).any()
    with av.open(str(folder / "control_edge.mp4")) as container:
        assert "approximate" not in container.metadata["comment"]


def test_only_controls_with_a_weight_are_made(engine: ControlPreviewEngine, tmp_path: Path) -> None:
    output, folder = preview(engine, tmp_path, weights=EDGE_ONLY)
    assert set(output.files) == {"video", "control_edge"}
    assert output.metadata["approximate"] == output.metadata["notes"] == []
    difference = np.abs(pictures(folder / "video.mp4")[9].astype(int) - pictures(folder / "control_edge.mp4")[9])
    assert difference.mean() < 1


@pytest.mark.slow
@pytest.mark.parametrize(("fps", "frames"), [(24, 72), (12, 36), (30, 90), (60, 180), (1, 3), (7, 21)])
def test_fps_is_that_of_the_output_and_the_duration_stays(
    engine: ControlPreviewEngine, tmp_path: Path, fps: int, frames: int
) -> None:
    output, folder = preview(engine, tmp_path, params={"fps": fps}, weights=EDGE_ONLY)
    info = probe_clip(folder / "video.mp4")
    assert (info.fps, info.frames) == (fps, frames)
    assert info.seconds == pytest.approx(3.0)
    assert (output.metadata["frames"], output.metadata["fps"]) == (frames, fps)
    assert bool(output.metadata["notes"]) == (fps != 24)
    # The moment shown is the same: compare a frame in the middle of the preview with the clip's there.
    moment = frames // 2
    shown = int((moment + 0.5) / fps * 24)
    made = pictures(folder / "control_edge.mp4")[moment]
    candidates = [np.abs(made.astype(int) - signals.edge(frame, "medium")).mean() for frame in pictures(SAMPLE)]
    assert int(np.argmin(candidates)) == shown


@pytest.mark.parametrize(("key", "control"), [("blur_strength", "vis"), ("canny_threshold", "edge")])
def test_a_preset_changes_its_control_and_no_other(engine: ControlPreviewEngine, tmp_path: Path, key: str, control: str) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=3, brightness=90)
    weights = {"vis": 0.5, "edge": 0.5, "depth": 0.0, "seg": 0.0}
    _, low = preview(engine, tmp_path / "low", clip, params={key: "very_low"}, weights=weights)
    _, high = preview(engine, tmp_path / "high", clip, params={key: "very_high"}, weights=weights)
    for name in ("vis", "edge"):
        same = (low / f"control_{name}.mp4").read_bytes() == (high / f"control_{name}.mp4").read_bytes()
        assert same == (name != control)
    assert (low / "video.mp4").read_bytes() != (high / "video.mp4").read_bytes()


def test_a_given_control_clip_is_used_as_it_is(engine: ControlPreviewEngine, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    depth = write_clip(tmp_path / "depth.mp4", frames=24, fps=24, width=128, height=96, brightness=120)
    inputs = {"depth": depth, "seg": tmp_path / "clip.mp4"}
    weights = {"vis": 0.0, "edge": 0.0, "depth": 1.0, "seg": 0.0}
    output, folder = preview(engine, tmp_path / "out", clip, params={"fps": 12}, weights=weights, inputs=inputs)
    assert set(output.files) == {"video", "control_depth"}
    assert output.metadata["approximate"] == []
    made, given_frames = pictures(folder / "control_depth.mp4"), pictures(depth)
    assert len(made) == 12
    for number, picture in enumerate(made):
        expected = signals.fit("depth", given_frames[2 * number + 1], 64, 48)
        assert np.abs(picture.astype(int) - expected).mean() < 3


def test_an_odd_size_is_cut_and_says_so(engine: ControlPreviewEngine, tmp_path: Path) -> None:
    import av

    odd = tmp_path / "odd.mkv"
    with av.open(str(odd), "w") as container:
        stream = container.add_stream("libx264rgb", rate=10)
        stream.width, stream.height, stream.pix_fmt = 65, 49, "rgb24"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((49, 65, 3), 90, np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    output, folder = preview(engine, tmp_path, odd, params={"fps": 10})
    info = probe_clip(folder / "video.mp4")
    assert (info.width, info.height, info.frames) == (64, 48, 5)
    assert any("65x49" in note for note in output.metadata["notes"])


def test_weights_above_one_are_scaled_and_it_says_so(engine: ControlPreviewEngine, tmp_path: Path) -> None:
    output, _ = preview(engine, tmp_path, write_clip(tmp_path / "clip.mp4"), weights=dict.fromkeys(CONTROLS, 1.0))
    assert any("add up to 4" in note for note in output.metadata["notes"])


def test_progress_says_control_and_frame_and_cancel_is_heard_at_each(engine: ControlPreviewEngine, tmp_path: Path) -> None:
    def cancel_in_the_middle(context: RecordingContext, item_id: str) -> None:
        if item_id == "qi_2" and "edge: frame 5 of 12" in context.reports[-1][3]:
            context.cancelled.add("qi_2")

    clip = write_clip(tmp_path / "clip.mp4")
    requests = [make_request(SPEC, tmp_path, "", {"fps": 12}, None, {"video": clip}, f"qi_{number}") for number in (1, 2, 3)]
    context = RecordingContext(SPEC, on_report=cancel_in_the_middle)
    outcomes = run_engine(engine, requests, context)
    assert [type(outcomes[f"qi_{number}"]) for number in (1, 2, 3)] == [Output, Dropped, Output]
    assert context.reports[[report[0] for report in context.reports].index("qi_3") - 1][3] == "edge: frame 5 of 12"
    assert list(requests[1].folder.iterdir()) == []
    messages = [message for item, stage, _, message in context.reports if (item, stage) == ("qi_1", "controls")]
    assert messages == [f"{name}: frame {number} of 12" for number in range(1, 13) for name in CONTROLS]
    shares = [sub for item, stage, sub, _ in context.reports if (item, stage) == ("qi_1", "controls")]
    assert shares == sorted(shares)
    assert context.stages_of("qi_1") == ["reading", "controls", "finishing", "completed"]


def test_a_clip_that_was_cut_off_says_how_far_it_went(engine: ControlPreviewEngine, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=240, fps=24)
    data = clip.read_bytes()
    clip.write_bytes(data[: (data.index(b"mdat") + len(data)) // 2])
    output, folder = preview(engine, tmp_path, clip, weights=EDGE_ONLY)
    frames = output.metadata["frames"]
    assert 0 < frames < 240
    assert probe_clip(folder / "video.mp4").frames == frames
    assert any("says it lasts 10.00 s" in note for note in output.metadata["notes"])


def test_a_clip_with_a_damaged_picture_is_used_and_it_says_so(engine: ControlPreviewEngine, tmp_path: Path) -> None:
    import av

    good, clip = write_clip(tmp_path / "good.mp4", frames=48, fps=24), tmp_path / "clip.mp4"
    with av.open(str(good)) as source, av.open(str(clip), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.dts is not None:
                if number == 30:
                    packet.update(b"\xff" * packet.size)
                packet.stream = stream
                target.mux(packet)
    output, folder = preview(engine, tmp_path, clip, weights=EDGE_ONLY)
    assert output.metadata["frames"] == probe_clip(folder / "video.mp4").frames == 48
    assert output.metadata["notes"] == ["1 of 48 pictures of clip.mp4 can't be decoded; the picture before is shown instead."]


def test_what_is_special_about_a_clip_or_a_control_is_told(engine: ControlPreviewEngine, tmp_path: Path) -> None:
    import av

    def write(path: Path, rate: int) -> Path:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("qtrle", rate=rate)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "argb"
            for _ in range(rate):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 4), 90, np.uint8), format="rgba")))
            container.mux(stream.encode(None))
        return path

    clip, depth = write(tmp_path / "clip.mov", 12), write(tmp_path / "depth.mov", 24)
    weights = {"vis": 0.0, "edge": 0.5, "depth": 0.5, "seg": 0.0}
    output, _ = preview(engine, tmp_path, clip, params={"fps": 12}, weights=weights, inputs={"depth": depth})
    note = "What is transparent in the clip is shown black."
    assert output.metadata["notes"] == [note, f"depth: {note}"]


def test_a_clip_that_goes_bad_after_the_check_fails_its_item_only(engine: ControlPreviewEngine, tmp_path: Path) -> None:
    good, bad = write_clip(tmp_path / "good.mp4"), write_clip(tmp_path / "bad.mp4")
    requests = [make_request(SPEC, tmp_path, "", {}, None, {"video": clip}, f"qi_{clip.stem}") for clip in (bad, good)]
    bad.write_bytes(b"no longer a clip")
    outcomes = run_engine(engine, requests, RecordingContext(SPEC))
    assert isinstance(outcomes["qi_good"], Output)
    failed = outcomes["qi_bad"]
    assert isinstance(failed, Failure)
    assert "bad.mp4 isn't a clip" in failed.error
    assert list(requests[0].folder.iterdir()) == []


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (dict.fromkeys(CONTROLS, 0.0), "all weights are 0"),
        ({"depth": 0.5}, "the depth clip depth.mp4 lasts 3.00 s and the clip 1.00 s"),
    ],
)
def test_weights_and_clips_that_make_no_preview_are_refused(tmp_path: Path, weights: dict[str, float], says: str) -> None:
    inputs = {"video": write_clip(tmp_path / "clip.mp4"), "depth": write_clip(tmp_path / "depth.mp4", frames=36)}
    with pytest.raises(InputError) as caught:
        SPEC.check(SPEC.recipe("", {}, SPEC.complete_weights(weights), inputs))
    assert says in str(caught.value)


def test_a_clip_that_is_too_small_too_large_or_too_long_is_refused(tmp_path: Path) -> None:
    wrong = {
        "64x8 pixels": write_clip(tmp_path / "small.mp4", height=8),
        "4098x64 pixels": write_clip(tmp_path / "large.mp4", frames=1, width=4098, height=64),
        "lasts 601 s": write_clip(tmp_path / "long.mp4", frames=601, fps=1),
    }
    for says, clip in wrong.items():
        with pytest.raises(InputError, match=says):
            SPEC.check(SPEC.recipe("", {}, SPEC.complete_weights({}), {"video": clip}))


def test_without_a_clip_nothing_is_queued(tmp_path: Path) -> None:
    for inputs in ({}, {"video": tmp_path / "gone.mp4"}, {"video": Path(__file__)}):
        with pytest.raises(InputError, match=r"clip|video"):
            SPEC.check(SPEC.recipe("A street.", {}, SPEC.complete_weights({}), inputs))


def test_what_must_be_equal_in_a_batch() -> None:
    parts = Configuration.of(SPEC.name, {}, {"vis": 0.5, "edge": 0, "depth": 0.1, "seg": 0}).key_parts
    assert parts == {
        "engine": "control-preview",
        "num_steps": 35,
        "guidance_scale": 3.0,
        "seed": 1,
        "fps": 24,
        "sigma_max": 70.0,
        "blur_strength": "medium",
        "canny_threshold": "medium",
        "controls": ["depth", "vis"],
    }


def test_what_a_preview_cannot_use_says_so() -> None:
    from cosmos_workflow.engines.params import param_fields

    fields = {field.name: field for field in param_fields(SPEC.params)}
    for name in ("num_steps", "guidance_scale", "seed", "sigma_max"):
        assert "Doesn't change the preview" in fields[name].help
    assert fields["negative_prompt"].unused


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_steps": 0},
        {"guidance_scale": 21},
        {"seed": -1},
        {"fps": 61},
        {"sigma_max": 81},
        {"blur_strength": "huge"},
        {"steps": 3},
    ],
)
def test_a_parameter_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        SPEC.complete_params(wrong)


def test_cost_counts_frames() -> None:
    assert SPEC.cost(SPEC.recipe("", {}, {}, {"video": SAMPLE})) == 72
    assert SPEC.cost(SPEC.recipe("", {"fps": 48}, {}, {"video": SAMPLE})) == 144


def test_the_spec_imports_nothing_heavy() -> None:
    code = (
        "import sys; import cosmos_workflow.engines.control_preview\n"
        "heavy = {'numpy', 'av', 'cv2', 'PIL', 'soundfile', 'torch', 'gradio', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.browser
def test_a_preview_plays_in_chromium(engine: ControlPreviewEngine, tmp_path: Path) -> None:
    output, folder = preview(engine, tmp_path)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium" if Path("/usr/bin/chromium").exists() else None,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page()
        for name in output.files.values():
            site = folder / "page.html"
            site.write_text(f"<video src='{name}' muted autoplay></video>")
            page.goto(site.as_uri())
            page.wait_for_function("document.querySelector('video').currentTime > 0.2")
            video = "document.querySelector('video')"
            shown = cast("list[float]", page.evaluate(f"[{video}.duration, {video}.videoWidth, {video}.videoHeight]"))
            assert shown == [pytest.approx(3.0, abs=0.05), 320, 192]
        browser.close()


def test_the_sample_clip_is_small() -> None:
    info = probe_clip(SAMPLE)
    assert (info.width, info.height, info.fps, info.frames) == (320, 192, 24.0, 72)
    assert SAMPLE.stat().st_size < 300_000
