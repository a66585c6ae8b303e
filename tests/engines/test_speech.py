"""Speech engines under the worker's hands: texts as they are spoken, pauses, and one outcome an item."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from cosmos_workflow.engines import speech
from cosmos_workflow.engines.base import Device, Dropped, Failure, ItemOutcome, Output, Request
from cosmos_workflow.engines.espeak.engine import EspeakEngine
from cosmos_workflow.engines.registry import find_engine
from cosmos_workflow.engines.testing.harness import RecordingContext, make_request
from cosmos_workflow.errors import InputError

ESPEAK = find_engine("espeak")


@pytest.fixture(scope="module")
def engine() -> Iterator[EspeakEngine]:
    loaded = EspeakEngine()
    loaded.load(Device())
    yield loaded
    loaded.close()


def ask(folder: Path, text: str, name: str = "qi_one", **params: Any) -> Request:
    return make_request(ESPEAK, folder, text, params, item_id=name)


def make(engine: EspeakEngine, requests: list[Request], context: RecordingContext | None = None) -> dict[str, ItemOutcome]:
    found = list(speech.generate(ESPEAK, engine, requests, context or RecordingContext(ESPEAK)))
    assert len({outcome.id for outcome in found}) == len(found) == len(requests)
    return {outcome.id: outcome for outcome in found}


def sound(request: Request, outcome: ItemOutcome) -> tuple[np.ndarray, int]:
    assert isinstance(outcome, Output), outcome
    assert [path.name for path in request.folder.iterdir()] == [outcome.files["audio"]]
    return soundfile.read(request.folder / outcome.files["audio"], dtype="int16")


def test_a_pause_is_as_long_as_it_says_and_what_is_around_it_is_the_same(engine: EspeakEngine, tmp_path: Path) -> None:
    request = ask(tmp_path, "[pause:0.5] One. [pause:1.5] Two. [pause:0.25]", "qi_pauses")
    first, second = ask(tmp_path, "One.", "qi_first"), ask(tmp_path, "Two.", "qi_second")
    context = RecordingContext(ESPEAK)
    outcomes = make(engine, [request, first, second], context)
    samples, rate = sound(request, outcomes["qi_pauses"])
    one, two = sound(first, outcomes["qi_first"])[0], sound(second, outcomes["qi_second"])[0]
    silences = [np.zeros(round(seconds * rate), dtype=np.int16) for seconds in (0.5, 1.5, 0.25)]
    assert np.array_equal(samples, np.concatenate([silences[0], one, silences[1], two, silences[2]]))
    assert context.trackers["qi_pauses"].fraction == 1.0
    outcome = outcomes["qi_pauses"]
    assert isinstance(outcome, Output)
    assert outcome.metadata["seconds"] == round(len(samples) / rate, 3)
    assert outcome.metadata["spoken"] == "One. Two."


def test_numbers_and_words_are_spoken_as_they_should_be_and_the_run_says_so(engine: EspeakEngine, tmp_path: Path) -> None:
    params = {"normalize_text": True, "pronunciations": "GIF: jif"}
    request = ask(tmp_path, "The GIF cost $5.", "qi_written", **params)
    plain = ask(tmp_path, "The jif cost five dollars.", "qi_said")
    outcomes = make(engine, [request, plain])
    assert np.array_equal(sound(request, outcomes["qi_written"])[0], sound(plain, outcomes["qi_said"])[0])
    written, said = outcomes["qi_written"], outcomes["qi_said"]
    assert isinstance(written, Output)
    assert isinstance(said, Output)
    assert written.metadata["spoken"] == "The jif cost five dollars."
    assert written.metadata["characters"] == len("The GIF cost $5.")
    assert "spoken" not in said.metadata


def test_an_item_with_pauses_is_cancelled_as_one(engine: EspeakEngine, tmp_path: Path) -> None:
    request, other = ask(tmp_path, "One. [pause:1] Two. [pause:1] Three.", "qi_gone"), ask(tmp_path, "Four.", "qi_stays")

    def cancel(context: RecordingContext, item_id: str) -> None:
        if item_id == "qi_gone":
            context.cancelled.add("qi_gone")

    outcomes = make(engine, [request, other], RecordingContext(ESPEAK, on_report=cancel))
    assert isinstance(outcomes["qi_gone"], Dropped)
    assert list(request.folder.iterdir()) == []
    assert isinstance(outcomes["qi_stays"], Output)


def test_a_text_of_pauses_alone_fails_with_a_sentence(engine: EspeakEngine, tmp_path: Path) -> None:
    outcome = make(engine, [ask(tmp_path, "[pause:1]")])["qi_one"]
    assert isinstance(outcome, Failure)
    assert outcome.error == "espeak: the text holds pauses and no word; write words."


def test_ssml_is_left_as_it_is(engine: EspeakEngine, tmp_path: Path) -> None:
    request = ask(tmp_path, "<speak>Five: 5. [pause:1]</speak>", ssml=True, normalize_text=True)
    assert ESPEAK.spoken(request.text, request.params) == request.text
    assert isinstance(make(engine, [request])["qi_one"], Output)


def test_what_an_engine_cant_say_is_refused_before_anything_is_queued() -> None:
    for text, params, said in (
        ("[pause:long] One", {}, "espeak: '\\[pause:long\\]' isn't a pause"),
        ("Nguyen", {"pronunciations": {"Nguyen": "/nwin/"}}, "espeak: pronunciations: it takes no IPA"),
        ("9" * 9_000, {"normalize_text": True}, "characters as it is spoken; use at most 10,000"),
    ):
        with pytest.raises(InputError, match=said):
            ESPEAK.check(ESPEAK.recipe(text, params, {}, {}))
    with pytest.raises(InputError, match="pronunciations: 'GIF' isn't right; write the word, a colon"):
        ESPEAK.complete_params({"pronunciations": "GIF"})


@pytest.mark.parametrize(
    ("engine", "params", "language"),
    [
        ("espeak", {"voice": "de+f2"}, "de"),
        ("espeak", {"voice": "en-us"}, "en-us"),
        ("espeak", {}, "en"),
        ("tone", {"voice": "anna.wav"}, "en"),
        ("chatterbox", {"variant": "multilingual", "language_id": "fr"}, "fr"),
        ("chatterbox", {"variant": "english", "language_id": "fr"}, "en"),
        ("kokoro", {"voice": "af_heart"}, "en-us"),
        ("kokoro", {"voice": "af_heart", "language": "es"}, "es"),
    ],
)
def test_the_language_comes_from_the_params(engine: str, params: dict[str, str], language: str) -> None:
    assert find_engine(engine).language(params) == language


def test_what_identifies_an_item_is_what_is_heard() -> None:
    kokoro = find_engine("kokoro")
    params = kokoro.checked_params({})
    listed = kokoro.checked_params({"pronunciations": {"GIF": "jif"}})
    assert kokoro.identity("It cost $5.", params) == kokoro.identity("It cost five dollars.", params)
    assert kokoro.identity("Nothing here.", params) == kokoro.identity("Nothing here.", listed)
    assert kokoro.identity("A GIF.", params) != kokoro.identity("A GIF.", listed)
    before = {
        "voice": "en-us+f2",
        "rate": 175,
        "pitch": 50,
        "volume": 100,
        "sample_rate": "native",
        "format": "wav",
        "ssml": False,
    }
    assert ESPEAK.identity("It cost $5.", ESPEAK.checked_params({})) == ("It cost $5.", before)
