"""Outlines: what the schema takes, and one clear sentence for each mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from explainer_support import SAMPLE, SHORT
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.explainer import SPEC, given_outline
from cosmos_workflow.engines.explainer.outline import Chart, Outline, Scene, is_outline, parse_outline, write_outline
from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing.items import Configuration
from cosmos_workflow.store.store import Store

plain = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=60).filter(str.strip)
scenes = st.one_of(
    st.builds(Scene, title=plain, narration=plain, caption=plain),
    st.builds(Scene, title=plain, narration=plain, bullets=st.lists(plain, min_size=1, max_size=4).map(tuple)),
    st.builds(Scene, title=plain, narration=plain, formula=st.sampled_from(["a/b", "sum_(k=1)^n k", '"a # b" x'][:2])),
    st.builds(
        Scene,
        title=plain,
        narration=plain,
        chart=st.builds(Chart, labels=st.just(("a", "b")), values=st.tuples(st.floats(-1e9, 1e9), st.integers(-9, 9))),
    ),
)


def test_the_sample_has_a_scene_of_each_kind() -> None:
    outline = parse_outline(SAMPLE.read_text(), "tides")
    assert {scene.kind for scene in outline.scenes} == {"title", "bullets", "formula", "chart"}
    assert {scene.chart.kind for scene in outline.scenes if scene.chart} == {"bar", "line"}
    assert all(scene.narration and "\a" not in scene.narration for scene in outline.scenes)


@pytest.mark.slow
@given(st.builds(Outline, title=plain, scenes=st.lists(scenes, min_size=1, max_size=4).map(tuple)))
def test_what_is_written_is_read_again(outline: Outline) -> None:
    assert parse_outline(write_outline(outline), "again") == outline
    assert parse_outline(json.dumps(outline.model_dump(mode="json")), "again") == outline


def scene(**more: Any) -> str:
    return json.dumps({"title": "T", "scenes": [{"title": "S", "narration": "N", **more}]})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title: T\nscenes:\n  - title: S\n", "line 3: scenes[1].narration is missing; write what is said"),
        (
            "title: T\nscenes:\n  - title: S\n    narration: N\n    bulets: [a]\n",
            "line 5: scenes[1].bulets: unknown key; use title",
        ),
        ("title: T\nscenes: []\n", "line 2: scenes: [] isn't right; write a list of 1 to 20 scenes"),
        ("title: T\nscenes: all\n", "line 2: scenes: 'all' isn't right; write a list"),
        ("title: T\nscenes: [1]\n", "scenes[1]: 1 isn't right; write a section with title and narration"),
        ("title: T\n", "scenes is missing; write a list"),
        ("title: a: b\n", "line 1: this isn't YAML"),
        ("title: T\ntitle: U\nscenes: []\n", "line 2: the key 'title' is here twice"),
        ("title: &a T\nscenes: *a\n", "line 1: anchors and aliases"),
        ("title: !!python/object:os.system T\nscenes: []\n", "line 1: the tag"),
        ("scenes: " + "[" * 30 + "]" * 30, "nested too deeply"),
        ('{"title": "T", "scenes": [}', "line 1: this isn't JSON"),
        ('{"title": "T", "title": "U"}', "the key 'title' is here twice"),
        ("- a\n- b\n", "an outline is made of `title:` and `scenes:`"),
        (scene(bullets=["a"], formula="x"), "scenes[1]: a scene shows one thing, and this one has bullets and formula"),
        (scene(bullets=["a"], caption="c"), "a scene with bullets has no caption"),
        (scene(bullets=["a"] * 7), "write a list of at most 6 short texts"),
        (scene(bullets=["a" * 481]), "the bullets have 481 characters; use at most 480"),
        (scene(bullets=["a", 3.5, None]), "scenes[1].bullets[3]: None isn't right; write a text"),
        (scene(title="x" * 81), "scenes[1].title: it has 81 characters; write text of 1 to 80"),
        (scene(title="a\x07b"), "it holds the character U+0007"),
        (scene(formula='#read("/etc/passwd")'), "a formula holds no code"),
        (scene(formula="x$ #sys.version $y"), "a formula holds no code"),
        (scene(formula='std.read("/etc/passwd")'), "a formula holds no code"),
        (scene(chart={"labels": ["a", "b"], "values": [1]}), "scenes[1].chart.values: [1] isn't right; write a list of numbers"),
        (scene(chart={"labels": ["a", "b"], "values": [1, 2, 3]}), "there are 2 labels and 3 values"),
        (scene(chart={"labels": ["a", "b"], "values": [1, "x"]}), "scenes[1].chart.values[2]: 'x' isn't right; write a number"),
        (scene(chart={"labels": ["a", "b"], "values": [1, float("nan")]}), "scenes[1].chart.values[2]: nan isn't right"),
        (scene(chart={"kind": "pie", "labels": ["a", "b"], "values": [1, 2]}), "'pie' isn't right; write bar or line"),
        (scene(chart={"labels": ["September"] * 12, "values": [1] * 12}), "'September' is too wide beside 11 others"),
    ],
)
def test_a_mistake_is_said_with_its_place_and_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_outline(text, "explainer")
    assert says in str(caught.value)
    assert str(caught.value).startswith("explainer: ")
    assert "\n" not in str(caught.value)


def test_only_the_first_mistakes_of_many_are_told() -> None:
    text = json.dumps({"title": "T", "scenes": [{"title": "S"} for _ in range(20)]})
    with pytest.raises(InputError, match="and 12 more"):
        parse_outline(text, "explainer")


def test_escaped_signs_are_no_code() -> None:
    assert parse_outline(scene(formula=r"x = 5 \# \$ standard"), "x").scenes[0].formula == r"x = 5 \# \$ standard"


@pytest.mark.parametrize(
    ("text", "outline"),
    [(SHORT, True), (scene(), True), ("Why is the sky blue?", False), ("On subtitles: how they are made", False), ("", False)],
)
def test_an_outline_is_told_from_a_topic(text: str, outline: bool) -> None:
    assert is_outline(text) == outline


def test_text_and_file_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a text and an outline file"):
        given_outline("A topic.", {"outline": SAMPLE})
    with pytest.raises(InputError, match="nothing to explain"):
        given_outline(" ", {})
    with pytest.raises(InputError, match=r"5,000 characters; use at most 4,000, or an outline"):
        given_outline("x" * 5000, {})
    wrong = tmp_path / "o.yaml"
    wrong.write_bytes(b"title: \xff")
    with pytest.raises(InputError, match=r"o\.yaml isn't UTF-8"):
        given_outline("", {"outline": wrong})
    wrong.write_bytes(b"# " + b"x" * 200_000)
    with pytest.raises(InputError, match=r"more than 100,000 characters"):
        given_outline("", {"outline": wrong})


def test_theme_quality_and_fps_form_the_batch_key() -> None:
    assert Configuration.of(SPEC.name, {}).key_parts == {"engine": "explainer", "theme": "night", "quality": "720p", "fps": 30}
    other = {"voice": "de+m3", "rate": 120, "plan_only": True, "scenes": 3, "seed": 9, "narration": False, "pause": 2.0}
    assert Configuration.of(SPEC.name, other).key_parts == Configuration.of(SPEC.name, {}).key_parts
    for changed in ({"theme": "paper"}, {"quality": "480p"}, {"fps": 24}):
        assert Configuration.of(SPEC.name, changed).key_parts != Configuration.of(SPEC.name, {}).key_parts


def test_cost_counts_scenes() -> None:
    assert SPEC.cost(SPEC.recipe(SHORT, {}, {}, {})) == 3
    assert SPEC.cost(SPEC.recipe("A topic", {"scenes": 9}, {}, {})) == 9


def test_the_stages_are_those_of_the_table() -> None:
    assert {stage.name: stage.at for stage in SPEC.stages} == {
        "initializing": 0.05,
        "planning": 0.15,
        "implementation_planning": 0.25,
        "code_generation": 0.40,
        "scene_rendering": 0.70,
        "video_combining": 0.90,
        "finalizing": 0.95,
        "completed": 1.0,
    }


def test_the_spec_imports_nothing_heavy() -> None:
    code = (
        "import sys; from cosmos_workflow.engines.explainer import SPEC; SPEC.availability()\n"
        "heavy = {'manim', 'typst', 'numpy', 'av', 'PIL', 'soundfile', 'httpx', 'asyncio', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosmos_workflow.engines.explainer.find_spec", lambda name: None if name == "manim" else object())
    said = str(SPEC.availability())
    assert "Manim and Typst" in said
    for word in ("libcairo2-dev", "libpango1.0-dev", "pkg-config", "explainer"):
        assert word in said


@pytest.mark.parametrize("ending", [".json", ".yaml"])
def test_an_outline_file_of_either_kind_is_taken_and_used(workspace: Workspace, tmp_path: Path, ending: str) -> None:
    outline = parse_outline(SAMPLE.read_text(encoding="utf-8"), "sample")
    text = outline.model_dump_json() if ending == ".json" else SAMPLE.read_text(encoding="utf-8")
    (tmp_path / "upload").write_text(text, encoding="utf-8")
    with Store(workspace) as store:
        kept = store.inputs.add(tmp_path / "upload", f"tides{ending}")
    assert kept.suffix == ending
    SPEC.check(SPEC.recipe("", {}, {}, {"outline": kept}))
    assert given_outline("", {"outline": kept}) == outline
