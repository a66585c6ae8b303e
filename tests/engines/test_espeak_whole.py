"""Nothing of a text is lost: whatever the library's buffers hold, the sound is as long as the text spoken part by part."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.engines.base import Failure, Output
from cosmos_workflow.engines.espeak import SPEC
from cosmos_workflow.engines.espeak.clauses import CLAUSE_COST, WORD_LETTERS, cost, fit, fit_ssml
from cosmos_workflow.engines.espeak.engine import EspeakEngine
from cosmos_workflow.engines.testing.harness import RecordingContext, make_request, run_engine
from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing.items import Prompt
from cosmos_workflow.queueing.queue import Queue

ENGLISH_NUMBERS = "\n".join(str(number) for number in range(100, 201))
GERMAN_NUMBERS = "\n".join(str(number) for number in range(1, 121))
LOST = {
    "numbers, one a line": ("en-us", f"{ENGLISH_NUMBERS}\nAnd that was the list."),
    "German numbers": ("de", GERMAN_NUMBERS),
    "numbers in one line": ("ru", " ".join(str(number) for number in range(1000, 1100))),
    "sums of money": ("en-us", "$4,512.34 " * 40 + "and that was the list."),
    "Japanese without a comma": ("ja", "きょうはとてもいいてんきですね" * 10),
    "Korean without a space": ("ko", "오늘은날씨가참좋네요" * 20),
    "Korean without a comma": ("ko", "오늘은 날씨가 참 좋네요 " * 20),
    "Chinese": ("cmn", "今天天气很好我们去公园" * 28),
    "pictures in a row": ("en-us", "Hello 😀😀😀😀 world 🎉👍🏽👨‍👩‍👧‍👦 done"),
    "a word of 600 letters": ("de", "Donaudampfschiff" * 38 + " Ende"),
    "Hindi": ("hi", "आज मौसम बहुत अच्छा है और हम बाहर जा रहे हैं " * 30),
}
WORDS = {
    "en-us": "the weather garden morning bright letter question music between thirty",
    "de": "Wetter Garten Morgenstunde hell Brief Frage Musik zwischen dreißig",
    "fr": "le temps jardin matin lumière lettre question musique entre trente",
    "es": "tiempo jardín mañana brillante carta pregunta música entre treinta",
    "it": "tempo giardino mattina luminoso lettera domanda musica tra trenta",
    "pt": "tempo jardim manhã brilhante carta pergunta música entre trinta",
    "pl": "pogoda ogród poranek jasny list pytanie muzyka między trzydzieści",
    "ru": "погода сад утро светлый письмо вопрос музыка между тридцать",
    "tr": "hava bahçe sabah parlak mektup soru müzik arasinda otuz",
    "hi": "मौसम बगीचा सुबह उजला पत्र सवाल संगीत बीच तीस",
    "ko": "날씨가 정원에서 아침은 밝은 편지를 질문이 음악과 사이에 서른",
    "cmn": "天气很好 花园里面 早上 光明 写信 问题 音乐会 之间 三十个",
}


@pytest.fixture(scope="module")
def engine() -> Iterator[EspeakEngine]:
    made = EspeakEngine()
    made.load(RecordingContext(SPEC).device)
    yield made
    made.close()


def seconds(engine: EspeakEngine, folder: Path, texts: list[str], voice: str, **params: object) -> list[float]:
    """How long each of these texts sounds, pauses aside."""
    requests = [
        make_request(SPEC, folder, text, {"voice": voice, **params}, item_id=f"qi_{number}") for number, text in enumerate(texts)
    ]
    outcomes = run_engine(engine, requests, RecordingContext(SPEC))
    found = []
    for request in requests:
        outcome = outcomes[request.id]
        assert isinstance(outcome, Output), outcome
        found.append(sounding(request.folder / outcome.files["audio"]))
    return found


def sounding(path: Path) -> float:
    """Seconds of a file that aren't silent: how long it pauses at a comma depends on what follows."""
    sound, rate = soundfile.read(path)
    size = rate // 100
    frames = sound[: len(sound) // size * size].reshape(-1, size)
    return float(np.count_nonzero(np.sqrt(np.mean(frames**2, axis=1)) > 0.003)) / 100


def parts_of(text: str) -> list[str]:
    """What is certainly held: the text cut behind commas and the like into parts of a fifth of what a clause may have."""
    parts = [""]
    for clause in re.split(r"(?<=[,\u3001.])\s*(?!\d)", fit(text)):
        if parts[-1] and cost(parts[-1]) + cost(clause) > CLAUSE_COST / 2:
            parts.append("")
        parts[-1] += f" {clause}"
    return [part for part in parts if part.strip()]


@pytest.mark.slow
@pytest.mark.parametrize("name", LOST)
def test_what_was_dropped_is_heard(engine: EspeakEngine, tmp_path: Path, name: str) -> None:
    voice, text = LOST[name]
    parts = parts_of(text)
    (whole,) = seconds(engine, tmp_path / "whole", [text], voice)
    assert whole == pytest.approx(sum(seconds(engine, tmp_path / "parts", parts, voice)), rel=0.12)


def test_ssml_loses_nothing(engine: EspeakEngine, tmp_path: Path) -> None:
    marked = f"<speak>{ENGLISH_NUMBERS}<break time='10ms'/> the end</speak>"
    (plain,) = seconds(engine, tmp_path / "plain", [f"{ENGLISH_NUMBERS} the end"], "en-us")
    (whole,) = seconds(engine, tmp_path / "ssml", [marked], "en-us", ssml=True)
    assert whole == pytest.approx(plain, rel=0.12)


def test_an_item_that_is_not_whole_fails(engine: EspeakEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosmos_workflow.engines.espeak.fit", lambda text: text)
    request = make_request(SPEC, tmp_path, ENGLISH_NUMBERS, {"voice": "en-us"})
    outcome = run_engine(engine, [request], RecordingContext(SPEC))[request.id]
    assert isinstance(outcome, Failure)
    assert "wasn't spoken whole" in outcome.error
    assert "'161" in outcome.error


@pytest.mark.slow
@pytest.mark.parametrize("voice", WORDS)
def test_generated_texts_are_whole(engine: EspeakEngine, tmp_path: Path, voice: str) -> None:
    chance = random.Random(voice)
    texts = []
    for _ in range(17):
        length, ends = chance.choice([20, 60, 150]), chance.choice([["\n"], [" "], [", ", " ", " "], [". ", "\n", " "]])
        words = [chance.choice([*WORDS[voice].split(), str(chance.randrange(10_000))]) for _ in range(length)]
        texts.append("".join(word + chance.choice(ends) for word in words))
    whole = seconds(engine, tmp_path / "whole", texts, voice)
    for number, (text, told) in enumerate(zip(texts, whole, strict=True)):
        parts = sum(seconds(engine, tmp_path / f"parts{number}", parts_of(text), voice))
        assert told == pytest.approx(parts, rel=0.12, abs=0.5), text


@pytest.mark.parametrize(
    ("voice", "text", "hint"),
    [
        ("en-us", "Сегодня хорошая погода и мы идём в парк", "be, bg"),
        ("ja", "今日天気散歩公園", "cmn"),
        ("de", "الطقس جميل جدا اليوم", "ar"),
        ("ru", "今天天气很好", "cmn"),
    ],
)
def test_a_script_that_the_voice_would_spell_is_refused(voice: str, text: str, hint: str) -> None:
    with pytest.raises(InputError, match=f"can't read the text, which is mostly .*use a voice that reads it: .*{hint}"):
        Queue().add_to_queue([Prompt(text)], "espeak", {"voice": voice})


def test_a_foreign_word_and_a_script_that_every_voice_reads_pass() -> None:
    Queue().add_to_queue(
        [Prompt("The word погода means weather."), Prompt("오늘은 날씨가 참 좋네요")], "espeak", {"voice": "en-us"}
    )


@given(st.text(max_size=300))
def test_what_fits_is_left_alone_and_what_does_not_keeps_its_letters(text: str) -> None:
    fitted = fit(text)
    added = re.compile(r"[\s,\u3001]")
    assert added.sub("", fitted) == added.sub("", text)
    if cost(text) <= CLAUSE_COST and all(len(word) <= 2 for word in text.split()):
        assert cost(fitted) == cost(text)


@given(st.lists(st.sampled_from(["word", "12345", "天气", "a" * 50, "😀😀"]), max_size=200), st.sampled_from([" ", "\n"]))
def test_no_clause_and_no_word_is_too_long(words: list[str], between: str) -> None:
    fitted = fit(between.join(words))
    assert max((len(word) for word in fitted.split()), default=0) <= 2 * WORD_LETTERS
    assert all(cost(clause) <= CLAUSE_COST + 100 for clause in re.split(r"[,\u3001]", fitted))


def test_tags_are_left_alone() -> None:
    markup = f'<speak xml:lang="en"><prosody rate="slow">{"7 " * 400}</prosody></speak>'
    fitted = fit_ssml(markup)
    assert re.findall(r"<[^>]*>", fitted) == re.findall(r"<[^>]*>", markup)
    assert fitted.count(",") > 5
