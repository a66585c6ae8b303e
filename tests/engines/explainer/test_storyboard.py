"""Timing: everything that is said is shown, nothing starts before it may, and what is heard doesn't change what is seen."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.engines.explainer.outline import Scene
from cosmos_workflow.engines.explainer.storyboard import FADE, LEAD, MAX_CUE, REVEAL, digest, plan_shot, subtitles

words = st.text(st.sampled_from("abc .,!?。"), max_size=400)
seconds = st.just(0.0) | st.floats(0.2, 120)
bullets = st.integers(1, 6).map(lambda count: ("point",) * count)


def scene_of(narration: str, *points: str) -> Scene:
    return Scene.model_validate({"title": "T", "narration": narration, "bullets": points})


@given(words, seconds, bullets, st.integers(10, 60), st.floats(0, 10))
def test_a_scene_lasts_as_long_as_what_happens_in_it(
    narration: str, sound: float, points: tuple[str, ...], fps: int, pause: float
) -> None:
    shot = plan_shot(1, scene_of(narration, *points), sound, fps, pause)
    end = shot.seconds - FADE
    assert len(shot.beats) == len(points)
    assert list(shot.beats) == sorted(shot.beats)
    assert shot.beats[0] >= LEAD
    assert shot.beats[-1] + REVEAL <= end + 1e-6
    assert LEAD + sound + pause <= end + 1e-6
    starts = [cue.start for cue in shot.cues]
    assert starts == sorted(starts)
    assert all(cue.start < cue.end <= end + 2e-3 and len(cue.text) <= MAX_CUE for cue in shot.cues)


@given(words, seconds)
def test_subtitles_say_every_letter_of_the_narration(narration: str, sound: float) -> None:
    shot = plan_shot(1, scene_of(narration), sound, 25, 0.5)
    assert "".join("".join(cue.text for cue in shot.cues).split()) == "".join(narration.split())


def test_parts_appear_with_their_sentences() -> None:
    scene = scene_of('The first one. "A second!" The third, which is much longer than the others.', "a", "b", "c")
    shot = plan_shot(1, scene, 10.0, 30, 0.5)
    assert [cue.text for cue in shot.cues] == [
        "The first one.",
        '"A second!"',
        "The third, which is much longer than the others.",
    ]
    assert shot.beats == tuple(cue.start for cue in shot.cues)


def test_without_speech_there_is_time_to_read() -> None:
    scene = scene_of("", "a long bullet " * 8)
    assert plan_shot(1, scene, 0.0, 30, 0.0).seconds > 7


def test_what_is_said_does_not_change_the_picture() -> None:
    one = plan_shot(1, scene_of("Some words."), 2.0, 30, 0.5)
    other = plan_shot(4, scene_of("Other words"), 2.0, 30, 0.5)
    longer = plan_shot(1, scene_of("Some words."), 9.0, 30, 0.5)
    assert digest(one.picture()) == digest(other.picture())
    assert digest(one.picture()) != digest(longer.picture())


def test_subtitles_are_subrip_on_the_clock_of_the_film() -> None:
    long = "This sentence has to be broken into two lines, since it is longer than one."
    shots = [
        plan_shot(1, scene_of("Hello."), 2.0, 10, 0.0),
        plan_shot(2, scene_of(long), 5.0, 10, 0.0),
    ]
    text = subtitles(shots)
    assert text.startswith("1\n00:00:00,500 --> 00:00:02,500\nHello.\n\n2\n")
    start = shots[0].seconds + LEAD
    assert f"00:00:{start:06.3f}".replace(".", ",") in text
    assert re.search(r"two lines,\n|lines,\nsince|two\nlines", text)
    assert max(map(len, text.splitlines())) <= 42
