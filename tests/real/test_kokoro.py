"""Kokoro on its real weights: what it says is understood, and is the same wherever it is made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile
from real_support import KOKORO_VOICES, Listener, word_errors
from support import digest

from cosmos_workflow import Prompt
from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.base import Device, Dropped, Output
from cosmos_workflow.engines.kokoro import SPEC
from cosmos_workflow.engines.kokoro.engine import KokoroEngine
from cosmos_workflow.engines.testing.harness import RecordingContext, make_request, run_engine
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.queueing import Queue

pytestmark = pytest.mark.real

SENTENCES = (
    "The quick brown fox jumps over the lazy dog.",
    "She sells fresh bread at the corner of the old market.",
    "Nobody expected the winter to last so long this year.",
    "He closed the door quietly and walked down the garden path.",
    "The children were playing with a small wooden boat.",
    "A strong wind blew across the empty field before dawn.",
    "My grandmother kept all her letters in a painted box.",
    "They have measured the water in the river every morning.",
    "Please remember to bring your own cup to the kitchen.",
    "The train to London leaves from platform number five.",
    "We could hear the church bells ringing in the distance.",
    "The doctor asked him a question about his brother.",
    "After the storm the river was higher than the bridge.",
    "I have never seen such a beautiful garden in my life.",
    "The teacher wrote a short poem on the blackboard.",
    "Our friends are going to paint their house yellow.",
    "It takes courage to admit that you were wrong.",
    "The machine makes a strange noise when it is cold.",
    "There was plenty of butter, but hardly any honey.",
    "The judge read the letter, and the whole room was silent.",
)
MEGABYTE = 1 << 20


def spoken(params: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"voice": "jf_alpha", "language": "en-us", **(params or {})}


@pytest.fixture(scope="module")
def engine(models: Path) -> Iterator[KokoroEngine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COSMOS_WORKFLOW_WEIGHTS", str(models))
        loaded = KokoroEngine()
        loaded.load(Device())
        yield loaded
        loaded.close()


def make(engine: KokoroEngine, folder: Path, items: dict[str, tuple[str, dict[str, Any]]]) -> dict[str, Path]:
    """The sounds of a batch by item."""
    requests = [make_request(SPEC, folder, text, params, item_id=name) for name, (text, params) in items.items()]
    outcomes = run_engine(engine, requests, RecordingContext(SPEC))
    sounds: dict[str, Path] = {}
    for request in requests:
        outcome = outcomes[request.id]
        assert isinstance(outcome, Output), outcome
        sounds[request.id] = request.folder / outcome.files["audio"]
    return sounds


def test_twenty_sentences_in_five_voices_are_understood(engine: KokoroEngine, listener: Listener, tmp_path: Path) -> None:
    voices = [KOKORO_VOICES[number % len(KOKORO_VOICES)] for number in range(len(SENTENCES))]
    sounds = make(
        engine,
        tmp_path,
        {f"qi_{number}": (text, spoken({"voice": voices[number]})) for number, text in enumerate(SENTENCES)},
    )
    wrong, total, misheard = 0, 0, []
    for voice in KOKORO_VOICES:
        said = [number for number, name in enumerate(voices) if name == voice]
        # One after another, as a recogniser's half a minute costs the same however little is said in it.
        text, heard = " ".join(SENTENCES[number] for number in said), listener.hear([sounds[f"qi_{number}"] for number in said])
        errors, count = word_errors(text, heard)
        wrong, total, misheard = wrong + errors, total + count, [*misheard, (voice, errors, heard)]
    assert wrong / total < 0.05, misheard


def test_the_same_bytes_alone_in_a_batch_and_in_another_process(
    own_models: Path, engine: KokoroEngine, workspace: Workspace, tmp_path: Path
) -> None:
    items = {
        "qi_a": ("Good morning.", spoken()),
        "qi_b": ("It is ten past nine, and the ferry has left.", spoken({"voice": "jm_kumo:0.4+jf_nezumi:0.6", "speed": 1.3})),
        "qi_c": ("Bonsoir, mon ami.", {"voice": "jf_tebukuro", "language": "fr", "sample_rate": "48000", "format": "flac"}),
    }
    batched = {name: digest(path) for name, path in make(engine, tmp_path / "batch", items).items()}
    alone = {name: digest(make(engine, tmp_path / name, {name: item})[name]) for name, item in reversed(items.items())}
    assert alone == batched
    queue = Queue()
    queued = {name: queue.add_to_queue([Prompt(text)], "kokoro", params)[0].id for name, (text, params) in items.items()}
    with Operations(workspace) as operations:
        results = {result.item_id: result for result in operations.batch_inference(queue.snapshot().items)}
    again = {name: digest(results[item_id].files["audio"]) for name, item_id in queued.items()}
    assert again == batched


def test_speed_and_format_are_what_was_asked_for(engine: KokoroEngine, tmp_path: Path) -> None:
    text = SENTENCES[0]
    sounds = make(
        engine,
        tmp_path,
        {
            "qi_slow": (text, spoken({"speed": 0.5})),
            "qi_usual": (text, spoken()),
            "qi_fast": (text, spoken({"speed": 2, "sample_rate": 48_000, "format": "flac"})),
        },
    )
    found = {name: soundfile.info(path) for name, path in sounds.items()}
    assert [info.samplerate for info in found.values()] == [24_000, 24_000, 48_000]
    assert [info.format for info in found.values()] == ["WAV", "WAV", "FLAC"]
    slow, usual, fast = (info.duration for info in found.values())
    assert 1.6 < slow / usual < 2.4
    assert 1.6 < usual / fast < 2.4
    samples, rate = soundfile.read(sounds["qi_usual"])
    assert np.abs(samples).max() < 1
    quiet = np.flatnonzero(np.abs(samples) > 0.01)
    assert quiet[0] / rate < 0.2
    assert (len(samples) - quiet[-1]) / rate < 0.3


def test_a_text_of_more_tokens_than_the_model_reads_is_spoken_whole(
    engine: KokoroEngine, listener: Listener, tmp_path: Path
) -> None:
    text = (
        # No sentence twice: a recogniser may take a repetition for its own fault and leave it out.
        "It was half past seven in the evening when the baker closed his shop. The farmer brought two baskets of apples to the "
        "market. A young teacher opened all the windows of the school. Nobody knew why the doctor came home so late on Sunday. "
        "11111 22222 33333 44444 55555 66666 77777."
    )
    request = make_request(SPEC, tmp_path, text, spoken({"speed": 1.3}))
    outcome = run_engine(engine, [request], RecordingContext(SPEC))[request.id]
    assert isinstance(outcome, Output), outcome
    assert len(outcome.metadata["phonemes"]) > 510
    assert outcome.metadata["passes"] == 2
    heard = listener.hear(request.folder / outcome.files["audio"]).lower()
    assert [word for word in ("evening", "baker", "apples", "teacher", "windows", "doctor") if word not in heard] == []
    assert "5" in heard or "five" in heard


def test_a_cancel_stops_the_model_half_way(engine: KokoroEngine, tmp_path: Path) -> None:
    request = make_request(SPEC, tmp_path, " ".join(SENTENCES)[:390], spoken({"speed": 0.5}))
    context = RecordingContext(SPEC)
    cancelled: list[float] = []

    def cancel(context: RecordingContext, item_id: str) -> None:
        if ("speaking" in context.stages_of(item_id)) and len(context.reports) > 4 and not cancelled:
            cancelled.append(time.monotonic())
            context.cancelled.add(item_id)

    context.on_report = cancel
    started = time.monotonic()
    outcome = run_engine(engine, [request], context)[request.id]
    took = time.monotonic() - cancelled[0]
    assert isinstance(outcome, Dropped)
    assert list(request.folder.iterdir()) == []
    # The whole would take ten seconds and more. A second is the promise, on a machine that has time for us.
    assert took < 1 or took < 10 * (cancelled[0] - started)
    assert make(engine, tmp_path / "next", {"qi_next": ("Good morning.", spoken())})


@pytest.mark.timeout(900)
@pytest.mark.parametrize("items", [150, pytest.param(300, marks=pytest.mark.soak)])
def test_memory_is_flat_over_many_items(engine: KokoroEngine, tmp_path: Path, items: int) -> None:
    process = psutil.Process()
    texts = ["Yes.", "Good night.", "It is ten past nine.", "One, two, three, four, five, six."]
    measured: list[float] = []
    for number in range(items):
        text = texts[number % len(texts)] if number % 50 else "She sells fresh bread at the corner of the old market, every day."
        name = f"qi_{number}"
        sound = make(engine, tmp_path, {name: (text, spoken({"speed": 2, "voice": KOKORO_VOICES[number % 5]}))})[name]
        sound.unlink()
        measured.append(process.memory_info().rss / MEGABYTE)
    early, late = max(measured[items // 5 : items * 2 // 5]), max(measured[items * 4 // 5 :])
    assert late - early < 20, (early, late)


def test_threads_of_the_session_dont_change_the_bytes(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSMOS_WORKFLOW_WEIGHTS", str(models))
    digests = set()
    for count in (1, 2, 3):
        monkeypatch.setattr("cosmos_workflow.engines.kokoro.model.threads", lambda count=count: count)
        loaded = KokoroEngine()
        loaded.load(Device())
        digests.add(digest(make(loaded, tmp_path / str(count), {"qi_one": (SENTENCES[3], spoken())})["qi_one"]))
        loaded.close()
    assert len(digests) == 1


def test_threads_are_the_cores_divided_by_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmos_workflow.engines.kokoro.model import WORKERS_VARIABLE, threads

    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert threads() == 8
    for workers, each in ((2, 4), (3, 2), (16, 1)):
        monkeypatch.setenv(WORKERS_VARIABLE, str(workers))
        assert threads() == each
