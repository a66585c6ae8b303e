"""The espeak engine: speech that is there, the same bytes in any batch, every parameter heard."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import numpy as np
import psutil
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from support import digest

from cosmos_workflow.engines.base import Device, Dropped, Failure, Output, Request
from cosmos_workflow.engines.espeak import SPEC
from cosmos_workflow.engines.espeak import engine as implementation
from cosmos_workflow.engines.espeak.engine import EspeakEngine
from cosmos_workflow.engines.espeak.ssml import ELEMENTS, clean_ssml
from cosmos_workflow.engines.espeak.voices import parse_voice, suggestions, variants, voices
from cosmos_workflow.engines.spec import MAX_TEXT
from cosmos_workflow.engines.testing.harness import RecordingContext, make_request, run_engine
from cosmos_workflow.errors import InputError

SENTENCE = "The quick brown fox jumps over the lazy dog, and then it sleeps."


@pytest.fixture(scope="module")
def engine() -> Iterator[EspeakEngine]:
    loaded = EspeakEngine()
    loaded.load(Device())
    yield loaded
    loaded.close()


@pytest.fixture
def context() -> RecordingContext:
    return RecordingContext(SPEC)


def speak(engine: EspeakEngine, folder: Path, text: str = SENTENCE, name: str = "qi_one", **params: Any) -> tuple[Output, Path]:
    request = make_request(SPEC, folder, text, params, item_id=name)
    outcome = run_engine(engine, [request], RecordingContext(SPEC))[name]
    assert isinstance(outcome, Output), outcome
    assert [file.name for file in request.folder.iterdir()] == [outcome.files["audio"]]
    return outcome, request.folder / outcome.files["audio"]


def fail(engine: EspeakEngine, request: Request, context: RecordingContext) -> str:
    outcome = run_engine(engine, [request], context)[request.id]
    assert isinstance(outcome, Failure), outcome
    assert list(request.folder.iterdir()) == []
    return outcome.error


def loudness(path: Path) -> float:
    sound, _ = soundfile.read(path)
    return float(np.sqrt(np.mean(sound**2)))


def test_speech_is_there_and_as_long_as_its_text(engine: EspeakEngine, tmp_path: Path) -> None:
    output, path = speak(engine, tmp_path)
    sound, rate = soundfile.read(path)
    assert rate == output.metadata["sample_rate"] == 22050
    assert output.metadata["seconds"] == pytest.approx(len(sound) / rate, abs=0.001)
    assert output.metadata["characters"] == len(SENTENCE)
    assert 0.05 < loudness(path) < 0.5
    assert 0.3 < np.abs(sound).max() <= 1.0
    # 13 words at 175 words a minute are 4.5 s.
    assert 0.7 < output.metadata["seconds"] / (13 / 175 * 60) < 1.3
    # Speech has no constant part, and is not a tone: its level varies.
    assert abs(sound.mean()) < 0.01
    tenths = [float(np.sqrt(np.mean(part**2))) for part in np.array_split(sound, 40)]
    assert np.std(tenths) > 0.02


def test_the_bytes_do_not_follow_the_clock(engine: EspeakEngine, tmp_path: Path) -> None:
    # Left alone, the library seeds its noise with the second it starts in.
    heard, seconds = set(), set()
    while len(seconds) < 3:
        seconds.add(int(time.time()))
        heard.add(digest(speak(engine, tmp_path / str(time.monotonic_ns()), f"{SENTENCE} Number 3.")[1]))
    assert len(heard) == 1


def test_rate_pitch_and_volume_are_heard(engine: EspeakEngine, tmp_path: Path) -> None:
    usual, usual_file = speak(engine, tmp_path / "usual")
    fast, _ = speak(engine, tmp_path / "fast", rate=350)
    assert 0.4 < fast.metadata["seconds"] / usual.metadata["seconds"] < 0.65
    _, high = speak(engine, tmp_path / "high", pitch=95)
    assert _pitch(high) > 1.2 * _pitch(usual_file)
    _, quiet = speak(engine, tmp_path / "quiet", volume=50)
    _, loud = speak(engine, tmp_path / "loud", volume=150)
    assert loudness(quiet) < 0.6 * loudness(usual_file) < 0.6 * loudness(loud)
    _, silent = speak(engine, tmp_path / "silent", volume=0)
    assert loudness(silent) == 0


def _pitch(path: Path) -> float:
    """Hertz at which a voice hums on average: the strongest lag of the autocorrelation, over the voiced pieces."""
    sound, rate = soundfile.read(path)
    found = []
    for start in range(0, len(sound) - 2048, 1024):
        piece = sound[start : start + 2048]
        if np.sqrt(np.mean(piece**2)) > 0.1:
            spread = np.correlate(piece, piece, "full")[2047:]
            lags = spread[rate // 500 : rate // 70]
            found.append(rate / (int(np.argmax(lags)) + rate // 500))
    return float(np.median(found))


@pytest.mark.parametrize("format", ["wav", "flac"])
@pytest.mark.parametrize(("sample_rate", "hertz"), [("native", 22050), ("48000", 48000), (48000, 48000)])
def test_format_and_sample_rate_are_in_the_file(
    engine: EspeakEngine, tmp_path: Path, format: str, sample_rate: str, hertz: int
) -> None:
    output, path = speak(engine, tmp_path / "one", format=format, sample_rate=sample_rate)
    header = soundfile.info(path)
    assert (header.format, header.subtype, header.samplerate, header.channels) == (format.upper(), "PCM_16", hertz, 1)
    assert path.suffix == f".{format}"
    _, native = speak(engine, tmp_path / "native")
    assert header.frames / hertz == pytest.approx(soundfile.info(native).duration, abs=0.002)
    assert loudness(path) == pytest.approx(loudness(native), rel=0.03)
    assert output.metadata["sample_rate"] == hertz


@pytest.mark.slow
def test_every_voice_of_the_wheel_speaks(engine: EspeakEngine, tmp_path: Path) -> None:
    assert len(voices()) > 100
    requests = [make_request(SPEC, tmp_path, "Hello.", {"voice": voice}, item_id=voice) for voice in voices()]
    outcomes = run_engine(engine, requests, RecordingContext(SPEC))
    assert [outcome for outcome in outcomes.values() if not isinstance(outcome, Output)] == []


def test_voices_and_variants_sound_different(engine: EspeakEngine, tmp_path: Path) -> None:
    spoken = ["en", "en-us", "en-us+f2", "en-us+m3", "en-us+whisper", "en-us+Mr serious", "de+f2"]
    assert len({digest(speak(engine, tmp_path / voice, voice=voice)[1]) for voice in spoken}) == len(spoken)


def test_what_a_form_offers_is_accepted() -> None:
    assert "en-us+f2" in suggestions()
    assert [parse_voice(voice) for voice in suggestions()] == list(suggestions())
    assert parse_voice(" EN-us+F2 ") == "en-us+f2"
    for variant in variants().values():
        assert SPEC.complete_params({"voice": f"de+{variant}"})["voice"] == f"de+{variant}"


@pytest.mark.parametrize(
    ("voice", "hint"),
    [
        ("en-gb", "near it are en (English (Great Britain))"),
        ("german", "near it are de (German)"),
        ("en_us", "en-us (English (America))"),
        ("en-us+f22", "use for example en-us+f2"),
        ("en-us+", "use for example en-us+f2"),
        ("../../etc/passwd", "use a language"),
        ("", "use a language"),
    ],
)
def test_an_unknown_voice_is_refused_with_its_neighbours(voice: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        SPEC.complete_params({"voice": voice}, "task 3")
    assert str(caught.value).startswith(f"task 3: voice: {voice!r}")
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [{"rate": 79}, {"rate": 451}, {"pitch": 100}, {"volume": -1}, {"sample_rate": 44100}, {"format": "mp3"}, {"speed": 1}],
)
def test_a_parameter_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        SPEC.complete_params(wrong)


@pytest.mark.parametrize("text", ["...", "( )", "。。。", "—", "\u200b"])
def test_text_without_a_sound_fails_and_leaves_no_file(
    engine: EspeakEngine, tmp_path: Path, context: RecordingContext, text: str
) -> None:
    error = fail(engine, make_request(SPEC, tmp_path, text), context)
    assert error == "espeak: the text holds nothing that can be spoken; write words."


@pytest.mark.parametrize(
    ("text", "ssml", "says"),
    [
        ("  \n", False, "empty"),
        ("x" * (MAX_TEXT + 1), False, "10,001 characters"),
        ("a \ud800 b", False, "broken character at position 3"),
        ("Hello <b", True, "line 1, column 9"),
        ("<speak>\n a & b</speak>", True, "line 2, column 5"),
        ("Hello <audio src='secret.wav'/>", True, "<audio> can't be used"),
        ("<voice name='martian'>Hello</voice>", True, "'martian' isn't a voice"),
        ("<!DOCTYPE speak><speak>Hello</speak>", True, "the SSML is wrong"),
        ("<?xml version='1.0'?><!DOCTYPE speak><speak>Hello</speak>", True, "DOCTYPE"),
        ("<speak><break/></speak>", True, "holds no text"),
    ],
)
def test_wrong_text_is_refused_before_anything_is_queued(text: str, ssml: bool, says: str) -> None:
    with pytest.raises(InputError) as caught:
        SPEC.check(SPEC.recipe(text, {"ssml": ssml}, {}, {}))
    assert says in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_nul_does_not_end_the_text(engine: EspeakEngine, tmp_path: Path) -> None:
    cut, _ = speak(engine, tmp_path / "cut", "Good morning")
    whole, _ = speak(engine, tmp_path / "whole", "Good morning\0 and good night")
    assert whole.metadata["seconds"] > 1.5 * cut.metadata["seconds"]


def test_ssml_is_obeyed(engine: EspeakEngine, tmp_path: Path) -> None:
    plain, _ = speak(engine, tmp_path / "plain", "Good morning. Good night.")
    paused, _ = speak(engine, tmp_path / "paused", "Good morning. <break time='3s'/> Good night.", ssml=True)
    assert 2.5 < paused.metadata["seconds"] - plain.metadata["seconds"] < 3.5
    slow, _ = speak(
        engine, tmp_path / "slow", '<speak><prosody rate="50%">Good morning. Good night.</prosody></speak>', ssml=True
    )
    assert slow.metadata["seconds"] > 1.4 * plain.metadata["seconds"]
    # Without the parameter, tags are text like any other.
    read_out, _ = speak(engine, tmp_path / "read", "Good morning. <break time='3s'/> Good night.")
    assert read_out.metadata["seconds"] != paused.metadata["seconds"]


@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip))
def test_clean_ssml_keeps_the_text(text: str) -> None:
    cleaned = clean_ssml(f"<p>{escape(text)}</p>")
    assert "".join(ET.fromstring(cleaned).itertext()) == text  # noqa: S314 - our own output


@given(
    hidden=st.sampled_from(
        [
            "<!-- > <audio src='x'/> -->",
            "<![CDATA[<audio src='x'/>]]>",
            "<?php <audio src='x'/> ?>",
            '<p id="&gt;&lt;audio src=&apos;x&apos;/&gt;">b</p>',
            "&lt;audio src='x'/&gt;",
        ]
    ),
    before=st.text("ab .", max_size=5),
)
def test_no_way_around_the_list_of_elements(hidden: str, before: str) -> None:
    cleaned = clean_ssml(f"<speak>{before}a{hidden}</speak>")
    # Every "<" that is left opens or closes an element of the list, and no ">" stands where none belongs.
    opened = [piece.lstrip("/").split(">")[0].split()[0] for piece in cleaned.split("<")[1:]]
    assert set(opened) <= set(ELEMENTS)
    assert cleaned.count("<") == cleaned.count(">")


def test_cancel_in_the_middle_of_a_batch_ends_that_item_only(engine: EspeakEngine, tmp_path: Path) -> None:
    def cancel_second(context: RecordingContext, item_id: str) -> None:
        if item_id == "qi_2" and context.stages_of("qi_2")[-1] == "speaking":
            context.cancelled.add("qi_2")

    context = RecordingContext(SPEC, cancelled={"qi_4"}, on_report=cancel_second)
    requests = [make_request(SPEC, tmp_path, SENTENCE * 100, item_id=f"qi_{number}") for number in range(1, 5)]
    outcomes = run_engine(engine, requests, context)
    kinds = {name: type(outcome) for name, outcome in outcomes.items()}
    assert kinds == {"qi_1": Output, "qi_2": Dropped, "qi_3": Output, "qi_4": Dropped}
    assert list(requests[1].folder.iterdir()) == []
    engine.close()
    assert speakers() == []


def speakers() -> list[psutil.Process]:
    """The processes that speak now; other tests may have children of their own."""
    return [child for child in psutil.Process().children(recursive=True) if any("espeak" in word for word in child.cmdline())]


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1])  # the one that is copied, and the copy, which speaks
@pytest.mark.parametrize(("what", "says"), [("kill", "SIGKILL"), ("suspend", "hung")])
def test_a_voice_that_dies_or_hangs_fails_its_item_only(
    engine: EspeakEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, says: str, which: int
) -> None:
    monkeypatch.setattr(implementation, "SILENT_LIMIT", 0.5)
    hit: list[str] = []

    def hit_the_voice(context: RecordingContext, item_id: str) -> None:
        speaking = speakers() if item_id == "qi_1" and context.stages_of("qi_1")[-1] == "speaking" and not hit else []
        if len(speaking) > which:
            hit.append(item_id)
            getattr(speaking[which], what)()

    requests = [make_request(SPEC, tmp_path, SENTENCE * 100, item_id=name) for name in ("qi_1", "qi_2")]
    outcomes = run_engine(engine, requests, RecordingContext(SPEC, on_report=hit_the_voice))
    first = outcomes["qi_1"]
    assert isinstance(first, Failure)
    assert says in first.error
    assert isinstance(outcomes["qi_2"], Output)
    engine.close()
    assert speakers() == []


def test_endless_sound_is_stopped(
    engine: EspeakEngine, tmp_path: Path, context: RecordingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(implementation, "MAX_SECONDS", 2)
    assert "cut it into pieces" in fail(engine, make_request(SPEC, tmp_path, SENTENCE * 3), context)


def test_ten_thousand_characters_with_progress(engine: EspeakEngine, tmp_path: Path, context: RecordingContext) -> None:
    text = (SENTENCE + " ") * (MAX_TEXT // (len(SENTENCE) + 1))
    request = make_request(SPEC, tmp_path, text)
    outcome = run_engine(engine, [request], context)[request.id]
    assert isinstance(outcome, Output)
    words = len(text.split())
    assert 0.6 < outcome.metadata["seconds"] / (words / 175 * 60) < 1.6
    assert context.stages_of(request.id) == ["starting", "speaking", "encoding", "completed"]
    spoken = [sub for _, stage, sub, _ in context.reports if stage == "speaking"]
    assert spoken == sorted(spoken)
    assert len(set(spoken)) > 50
    assert spoken[-1] > 0.95
    assert context.trackers[request.id].fraction == 1


def test_the_library_and_heavy_imports_stay_out_of_the_app() -> None:
    code = (
        "import sys; from cosmos_workflow.engines.espeak import SPEC\n"
        "SPEC.check(SPEC.recipe('Hello', {}, {}, {})); assert SPEC.availability().available\n"
        "heavy = {'numpy', 'av', 'cv2', 'soundfile', 'torch', 'gradio', 'pandas', 'ctypes'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert 'espeak-ng.so' not in open('/proc/self/maps').read()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_library_stays_out_of_the_worker(engine: EspeakEngine, tmp_path: Path) -> None:
    speak(engine, tmp_path)
    assert "libespeak" not in Path("/proc/self/maps").read_text()
