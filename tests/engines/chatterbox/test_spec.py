"""What the app reads of the engine without loading it: ranges a variant, and refusals before anything is queued."""

# ruff: noqa: RUF001 - the letters of other scripts look like Latin ones

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from support import DEADLINE

from cosmos_workflow.engines.chatterbox import SPEC, ChatterboxParams, front_ends
from cosmos_workflow.engines.chatterbox.recordings import as_package_reads
from cosmos_workflow.engines.chatterbox.variants import LANGUAGES, VARIANTS
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.document.loading import parse_job
from cosmos_workflow.queueing import calculate_batch_key


def _write(path: Path, seconds: float, level: float = 0.1) -> Path:
    samples = level * np.random.default_rng(0).standard_normal(int(seconds * 16_000))
    soundfile.write(path, samples.astype(np.float32), 16_000)
    return path


def _check(text: str = "Hello there.", inputs: dict[str, Path] | None = None, later: str = "", **params: Any) -> None:
    recipe = SPEC.recipe(text, SPEC.complete_params(params), {}, inputs or {})
    SPEC.check_params(recipe.params)
    SPEC.check(recipe, later.split())


def test_only_variant_finetune_mode_and_steps_keep_items_apart() -> None:
    assert {field.name for field in SPEC.fields({}) if field.invariant} == {"variant", "finetune", "mode", "cfm_steps"}


def test_a_variant_has_its_own_defaults() -> None:
    assert SPEC.complete_params({})["repetition_penalty"] == 1.2
    assert SPEC.complete_params({"variant": "multilingual"})["repetition_penalty"] == 1.2
    assert SPEC.complete_params({"variant": "multilingual", "cfg_weight": 0})["cfg_weight"] == 0
    assert not SPEC.complete_params({"variant": "multilingual"})["alignment_check"]
    assert SPEC.complete_params({"variant": "turbo"})["top_p"] == 0.95
    assert SPEC.complete_params({"variant": "turbo", "top_p": 0.5})["top_p"] == 0.5


def test_what_was_made_before_a_param_was_there_is_still_known() -> None:
    now = SPEC.checked_params({"variant": "english"})
    said, decisive = SPEC.identity("Hello.", now)
    assert said == "Hello."
    assert {"finetune", "alignment_check", "speed", "trim_end"}.isdisjoint(decisive)
    for name, value in (("finetune", "mine"), ("speed", 1.2), ("trim_end", False)):
        assert SPEC.identity("Hello.", now.model_copy(update={name: value})) != SPEC.identity("Hello.", now)


@pytest.mark.parametrize(("variant", "steps"), [("english", 10), ("multilingual", 10), ("turbo", 2), ("voice-conversion", 10)])
def test_no_number_of_steps_zero_and_the_variants_own_share_a_batch(variant: str, steps: int) -> None:
    ways: list[dict[str, Any]] = [{}, {"cfm_steps": 0}, {"cfm_steps": steps}]
    assert len({calculate_batch_key("chatterbox", {"variant": variant, **way}) for way in ways}) == 1
    assert {SPEC.complete_params({"variant": variant, **way})["cfm_steps"] for way in ways} == {steps}
    assert calculate_batch_key("chatterbox", {"variant": variant, "cfm_steps": steps + 1}) != calculate_batch_key(
        "chatterbox", {"variant": variant}
    )


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"temperature": 0}, "temperature: 0 isn't right; use a number from 0.05 to 5"),
        (
            {"variant": "turbo", "temperature": 3},
            "temperature: 3.0 isn't right for the variant turbo; use a number from 0.05 to 2",
        ),
        ({"variant": "klingon"}, "variant: 'klingon' isn't one of its choices"),
        ({"language_id": "xx"}, "language_id: 'xx' isn't one of its choices"),
        ({"max_tokens": 2000}, "max_tokens: 2000 isn't right; use a whole number from 25 to 1000"),
    ],
)
def test_a_value_out_of_range_is_refused_with_what_would_be_right(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as raised:
        SPEC.complete_params(params, "task 3")
    assert str(raised.value).startswith("task 3: ")
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the prompt is empty"),
        (" \n ", "the prompt is empty"),
        ("...", "too short to be spoken"),
        ("word " * 100, "the prompt has 500 characters; use at most 300, or a job with text_file"),
    ],
)
def test_a_text_that_would_come_out_as_noise_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        _check(text)


@pytest.mark.parametrize("text", ["हाँ", "जी।", "네", "是", "A", "7", "Я", "I.", "「え。」", "V:"])
def test_a_word_is_spoken_however_short_it_is(text: str) -> None:
    _check(text)


@pytest.mark.parametrize("language", [*LANGUAGES])
def test_texts_of_every_language_are_cut_at_the_same_length_of_speech(language: str) -> None:
    params = {"variant": "multilingual", "language_id": language}
    most = SPEC.longest_text(SPEC.checked_params(params))
    recipe = SPEC.recipe("a" * most, SPEC.complete_params(params), {}, {})
    assert 20 < SPEC.cost(recipe) / 25 <= 21, "seconds"


def test_a_korean_text_is_shorter_on_paper() -> None:
    korean: dict[str, Any] = {"variant": "multilingual", "language_id": "ko"}
    _check("네" * 115, **korean)
    with pytest.raises(InputError, match="116 characters; use at most 115"):
        _check("네" * 116, **korean)
    job = parse_job(f"engine: chatterbox\nparams: {korean}\ntext: {'안녕하세요 여러분. ' * 60!r}\n")
    assert 60 < max(len(chunk.text) for chunk in job.tasks[0].chunks) <= 115


@pytest.mark.parametrize(
    ("language", "text", "readable", "install"),
    [
        ("he", "שלום לכולם", "שָׁלוֹם", "dicta-onnx"),
        ("ru", "Доброе утро", "До\u0301брое у\u0301тро", "russian-text-stresser"),
        ("ja", "今日は", "こんにちは", "pykakasi"),
        ("zh", "你好", "", "spacy-pkuseg"),
    ],
)
def test_a_language_without_its_front_end_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, language: str, text: str, readable: str, install: str
) -> None:
    monkeypatch.setattr(front_ends, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=f"install {install}"):
        _check(text, variant="multilingual", language_id=language)
    if readable:
        _check(readable, variant="multilingual", language_id=language)
    monkeypatch.setattr(front_ends, "find_spec", lambda _: True)
    if language != "zh":
        _check(text, variant="multilingual", language_id=language)


def test_chinese_needs_the_model_of_its_segmenter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PKUSEG_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"isn't on this machine; run `python -c 'import spacy_pkuseg"):
        _check("你好", variant="multilingual", language_id="zh")
    (tmp_path / "spacy_ontonotes").mkdir()
    _check("你好", variant="multilingual", language_id="zh")


def test_voices_that_would_break_or_say_nothing_are_refused(tmp_path: Path) -> None:
    good = _write(tmp_path / "good.wav", 6)
    _check(inputs={"voice": good})
    _check(inputs={"voice": good}, variant="turbo")
    for name, seconds, level, variant, sentence in (
        ("tiny", 0.01, 0.1, "english", r"is 0\.01 s long, and at least 1 s are needed"),
        ("short", 4.0, 0.1, "turbo", r"is 4\.00 s long, and at least 5\.05 s are needed"),
        ("long", 130.0, 0.1, "english", "is 130 s long, and at most 120 s can be used"),
        ("silent", 6.0, 0.0, "english", "is silent"),
    ):
        path = _write(tmp_path / f"{name}.wav", seconds, level)
        with pytest.raises(InputError, match=sentence):
            _check(inputs={"voice": path}, variant=variant)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(InputError, match=r"text\.wav isn't a sound that can be read; choose a WAV"):
        _check(inputs={"voice": tmp_path / "text.wav"})
    with pytest.raises(InputError, match=r"'voice' \(gone\.wav\) isn't there"):
        _check(inputs={"voice": tmp_path / "gone.wav"})


@pytest.mark.parametrize(
    ("variant", "silence", "voice", "right"),
    [
        ("english", 20, 8, False),
        ("english", 7, 8, False),
        ("english", 4, 8, True),
        ("turbo", 20, 8, False),
        ("turbo", 7, 8, True),
        ("multilingual", 0, 8, True),
    ],
)
@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_a_voice_is_judged_by_the_part_that_is_used(
    tmp_path: Path, variant: str, silence: int, voice: int, right: bool, noise: float
) -> None:
    rate = 8000
    sound = noise * np.random.default_rng(1).standard_normal(rate * (silence + voice))
    sound[rate * silence :] += 0.1 * np.sin(np.arange(rate * voice) / 5)
    sound[100] = 0.5  # a click
    soundfile.write(tmp_path / "voice.wav", sound, rate)
    if right:
        _check(inputs={"voice": tmp_path / "voice.wav"}, variant=variant)
        return
    used = {"english": 6, "turbo": 10}[variant]
    with pytest.raises(InputError, match=f"begins with {silence} s without a voice, and the model uses only the first {used} s"):
        _check(inputs={"voice": tmp_path / "voice.wav"}, variant=variant)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "codec"), [("memo.m4a", "aac"), ("memo.webm", "libopus")])
def test_a_voice_memo_of_a_phone_is_a_voice(tmp_path: Path, name: str, codec: str) -> None:
    path = tmp_path / name
    with av.open(str(path), "w", format="ipod" if name.endswith("m4a") else None) as container:
        stream: Any = container.add_stream(codec, rate=48_000, layout="mono")
        for number in range(350):
            times = (np.arange(960) + 960 * number) / 48_000
            frame = av.AudioFrame.from_ndarray((3000 * np.sin(2 * np.pi * 220 * times)).astype(np.int16)[None], "s16", "mono")
            frame.sample_rate, frame.pts = 48_000, 960 * number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    _check(inputs={"voice": path}, variant="turbo")
    with as_package_reads(path) as file:
        samples, rate = soundfile.read(file)
    assert rate == 48_000
    assert len(samples) / rate == pytest.approx(7.0, abs=0.1)
    assert np.argmax(np.abs(np.fft.rfft(samples[:rate]))) == pytest.approx(220, abs=1)


def test_a_changed_file_is_looked_at_again(tmp_path: Path) -> None:
    path = _write(tmp_path / "voice.wav", 0.1)
    with pytest.raises(InputError):
        _check(inputs={"voice": path})
    _write(path, 3)
    _check(inputs={"voice": path})


def test_voice_conversion_takes_a_recording_and_no_text(tmp_path: Path) -> None:
    recording = _write(tmp_path / "speech.wav", 3)
    _check("", {"speech": recording}, variant="voice-conversion")
    with pytest.raises(InputError, match="needs the input 'speech'"):
        _check("", variant="voice-conversion")
    with pytest.raises(InputError, match="is 50 s long, and at most 40 s"):
        _check("", {"speech": _write(tmp_path / "long.wav", 50)}, variant="voice-conversion")
    with pytest.raises(InputError, match="is for the variant voice-conversion"):
        _check(inputs={"speech": recording})


def test_what_is_wrong_is_said_before_earlier_tasks_have_made_the_recordings(tmp_path: Path) -> None:
    _check("", later="speech", variant="voice-conversion")
    _check(later="voice")
    with pytest.raises(InputError, match="is for the variant voice-conversion"):
        _check(later="speech")
    with pytest.raises(InputError, match="the prompt is empty"):
        _check("", later="voice")
    with pytest.raises(InputError, match="s are needed"):
        _check("", {"voice": _write(tmp_path / "voice.wav", 0.1)}, later="speech", variant="voice-conversion")


def test_cost_is_what_the_models_have_to_make(tmp_path: Path) -> None:
    assert SPEC.cost(SPEC.recipe("a" * 100, {}, {}, {})) == 2 * SPEC.cost(SPEC.recipe("a" * 50, {}, {}, {})) == 175
    assert SPEC.cost(SPEC.recipe("", {}, {}, {"speech": _write(tmp_path / "speech.wav", 3)})) == 75


def test_availability_is_honest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    said = SPEC.availability()
    assert not said.available
    assert "weights fetch chatterbox" in said.remedy
    (tmp_path / "chatterbox").mkdir()
    for name in SPEC.model_files[0].files:
        (tmp_path / "chatterbox" / name).write_bytes(b"")
    assert SPEC.availability().available
    _check()
    with pytest.raises(InputError, match=r"Chatterbox Turbo .* aren't on this machine; run `.*weights fetch"):
        _check(variant="turbo")


def test_the_spec_loads_without_the_models_libraries() -> None:
    code = (
        "import sys; from cosmos_workflow.engines.chatterbox import SPEC; SPEC.check(SPEC.recipe('Hello there.', "
        "SPEC.complete_params({}), {}, {})); "
        "print([name for name in ('torch', 'chatterbox', 'librosa', 'soundfile') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=DEADLINE)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow  # it imports the package
def test_with_a_gpu_a_batch_is_larger_than_what_is_spoken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmos_workflow.engines.chatterbox.engine import CPU_LINES, GPU_LINES

    params = ChatterboxParams()
    for gpu, lines in ((True, GPU_LINES), (False, CPU_LINES)):
        monkeypatch.setattr("cosmos_workflow.engines.chatterbox._has_gpu", lambda gpu=gpu: gpu)
        assert SPEC.batch_size(params) > lines


def test_turbo_and_nano_know_nineteen_tags() -> None:
    known = {variant: SPEC.tags({"variant": variant}) for variant in VARIANTS}
    assert {variant for variant, tags in known.items() if tags} == {"turbo", "nano"}
    assert len(set(known["turbo"])) == 19
    assert known["nano"][-10:] == known["turbo"][-10:]
    assert "laugh" in known["turbo"]
