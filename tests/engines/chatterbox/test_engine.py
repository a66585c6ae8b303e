"""What a user of the engine notices: outcomes, progress, cancelling, and clear sentences where upstream breaks."""

# ruff: noqa: RUF001 - the letters of other scripts look like Latin ones

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from support import digest

from cosmos_workflow.engines.base import Device, Dropped, Failure, Output
from cosmos_workflow.engines.chatterbox import SPEC
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.engines.testing.harness import RecordingContext, make_request, run_engine
from cosmos_workflow.errors import UnavailableError


def _cases(bench: Any, count: int) -> list[Any]:
    return bench.cases_of("english")[:count]


def test_progress_goes_through_the_stages_and_an_output_says_what_it_is(bench: Any, tmp_path: Path) -> None:
    made = bench.make(bench.requests("english", _cases(bench, 2), tmp_path))
    assert made.context.stages_of("qi_0") == ["load", "voice", "prefill", "tokens", "flow", "vocoder", "watermark"]
    output = made.outcomes["qi_0"]
    assert isinstance(output, Output)
    assert output.metadata["variant"] == "english"
    assert output.metadata["mode"] == "reproducible"
    assert output.metadata["voice"] == "built-in"
    assert output.metadata["seconds"] == pytest.approx(output.metadata["tokens"] / 25)
    messages = [message for _, stage, _, message in made.context.reports if stage == "tokens"]
    assert any("of about 40 tokens" in message for message in messages), "what the text needs, up to the most it may have"


def test_items_are_finished_one_by_one_while_others_still_speak(bench: Any, tmp_path: Path) -> None:
    cases = bench.cases_of("english")
    bench.engine.max_lines, bench.engine.flow_rows = 8, 1
    context = RecordingContext(SPEC)
    outcomes = bench.engine.generate(bench.requests("english", cases, tmp_path), context)
    first = next(outcomes)
    assert (tmp_path / first.id / "speech.wav").is_file()
    so_far = len(context.reports)
    assert len(list(outcomes)) == len(cases) - 1
    assert any(stage == "tokens" for _, stage, _, _ in context.reports[so_far:]), "others still spoke when the first was there"


def test_cancelling_the_batch_drops_every_item_within_a_step(bench: Any, tmp_path: Path) -> None:
    def cancel_all(context: RecordingContext, item_id: str) -> None:
        if context.reports[-1][1] == "tokens":
            context.cancelled |= {f"qi_{index}" for index in range(4)}

    made = bench.make(bench.requests("english", _cases(bench, 4), tmp_path), on_report=cancel_all)
    assert all(isinstance(outcome, Dropped) for outcome in made.outcomes.values())
    assert {len(tokens) for tokens in made.tokens.values()} == {1}


def test_an_item_cancelled_in_the_flow_is_dropped_and_its_neighbours_are_what_they_are_alone(bench: Any, tmp_path: Path) -> None:
    def cancel(context: RecordingContext, item_id: str) -> None:
        if context.reports[-1][:2] == ("qi_1", "flow"):
            context.cancelled.add("qi_1")

    cases = _cases(bench, 3)
    made = bench.make(bench.requests("english", cases, tmp_path), flow_rows=3, on_report=cancel)
    assert isinstance(made.outcomes["qi_1"], Dropped)
    for index in (0, 2):
        difference = abs(made.waves[f"qi_{index}"] - bench.serial("english", cases[index]).wave).max()
        assert difference < 1e-5


def test_the_same_item_is_the_same_file_twice(bench: Any, tmp_path: Path) -> None:
    """Nothing of the calls between them, another voice among it, leaks into the second."""
    case, others = bench.cases_of("english")[0], bench.cases_of("english")[1:3]
    bench.make(bench.requests("english", [case], tmp_path / "first"))
    bench.make(bench.requests("english", others, tmp_path / "between"))
    bench.make(bench.requests("english", [case], tmp_path / "second"))
    files = [tmp_path / name / "qi_0" / "speech.wav" for name in ("first", "second")]
    assert digest(files[0]) == digest(files[1])


def test_several_are_watermarked_at_once_and_each_is_what_it_is_alone(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from cosmos_workflow.engines.chatterbox import production

    cases = [bench.case(f"Number {index}.", "", {"seed": index, "max_tokens": 25}) for index in range(3)]
    apart, together = tmp_path / "apart", tmp_path / "together"
    bench.make(bench.requests("english", cases, apart))
    at_once = threading.Barrier(3)
    monkeypatch.setattr(production, "finishing_threads", lambda _: 3)
    marker = bench.engine.model.upstream.watermarker
    mark = marker.apply_watermark

    def met(*args: Any, **kwargs: Any) -> Any:
        at_once.wait(100)
        return mark(*args, **kwargs)

    monkeypatch.setattr(marker, "apply_watermark", met)
    bench.make(bench.requests("english", cases, together))
    for index in range(3):
        name = f"qi_{index}/speech.wav"
        assert (apart / name).read_bytes() == (together / name).read_bytes()


def test_a_voice_is_prepared_once_a_content(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmos_workflow.engines.chatterbox.voices import Voices

    prepared: list[str] = []
    real = Voices._prepare

    def count(self: Voices, name: str, *args: Any) -> Any:
        prepared.append(name)
        return real(self, name, *args)

    monkeypatch.setattr(Voices, "_prepare", count)
    copies = [tmp_path / f"copy{index}.wav" for index in range(2)]
    for copy in copies:
        shutil.copy(bench.voices["anna"], copy)
        with copy.open("ab") as file:
            file.write(b"\0\0")
    params = {"max_tokens": 25}
    requests = [
        make_request(SPEC, tmp_path, "A text to say.", params, inputs={"voice": copies[index % 2]}, item_id=f"qi_{index}")
        for index in range(4)
    ]
    outcomes = run_engine(bench.engine, requests, RecordingContext(SPEC))
    assert all(isinstance(outcome, Output) for outcome in outcomes.values())
    assert len(prepared) == 1


def test_the_multilingual_variant_leaves_no_hooks(bench: Any, tmp_path: Path) -> None:
    bench.make(bench.requests("multilingual", bench.cases_of("multilingual")[:2], tmp_path), tokens_only=True)
    modules = list(bench.engine.model.speech.backbone.transformer.modules())
    assert len(modules) > 14
    assert not any(module._forward_hooks for module in modules)


@pytest.mark.parametrize("tokens", [0, 1])
def test_a_text_that_becomes_no_speech_fails_alone_with_a_sentence(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokens: int
) -> None:
    from cosmos_workflow.engines.chatterbox import production

    real = production.speech_tokens
    seen: list[int] = []

    def nothing_for_the_first(made: Any, **options: Any) -> list[int]:
        seen.append(len(made))
        return real(made, **options)[: tokens if len(seen) == 1 else None]

    monkeypatch.setattr(production, "speech_tokens", nothing_for_the_first)
    made = bench.make(bench.requests("english", _cases(bench, 2), tmp_path))
    failed = [outcome for outcome in made.outcomes.values() if isinstance(outcome, Failure)]
    assert [outcome.error for outcome in failed] == [
        "The model made no speech of this text; change the text, the seed or the temperature."
    ]
    assert sum(isinstance(outcome, Output) for outcome in made.outcomes.values()) == 1


@pytest.mark.parametrize(
    ("tokens", "turbo", "speech"),
    [
        ([1, 2, 3, 6562], False, [1, 2, 3]),
        ([1, 2, 7000, 3, 8193], False, [1, 2, 3]),
        ([1, 6561, 2, 3, 6562], False, [2, 3]),
        ([6562], False, []),
        ([6562, 5, 6], True, [5, 6]),
    ],
)
def test_only_ids_that_the_sound_model_knows_reach_it(tokens: list[int], turbo: bool, speech: list[int]) -> None:
    from cosmos_workflow.engines.chatterbox.speech_model import speech_tokens

    assert speech_tokens(tokens, turbo=turbo) == speech


def test_what_is_wrong_with_one_item_leaves_the_others_alone(bench: Any, tmp_path: Path) -> None:
    good, empty, short = (
        make_request(SPEC, tmp_path, text, {"max_tokens": 25}, item_id=f"qi_{index}")
        for index, text in enumerate(("All is well here.", "   ", "?"))
    )
    outcomes = run_engine(bench.engine, [good, empty, short], RecordingContext(SPEC))
    assert isinstance(outcomes["qi_0"], Output)
    sentences = {name: outcome.error for name, outcome in outcomes.items() if isinstance(outcome, Failure)}
    assert "the prompt is empty" in sentences["qi_1"]
    assert "too short to be spoken" in sentences["qi_2"]


def test_speech_that_doesnt_end_by_itself_is_cut_and_says_so(bench: Any, tmp_path: Path) -> None:
    request = make_request(
        SPEC, tmp_path, "This one goes on for longer than that.", {"max_tokens": 25, "temperature": 3.0, "seed": 5}
    )
    output = run_engine(bench.engine, [request], RecordingContext(SPEC))["qi_test"]
    assert isinstance(output, Output)
    assert output.metadata["note"] == "It was cut at 25 tokens (1 s)."


def test_special_tokens_in_a_text_are_spoken_and_dont_break_it(bench: Any, tmp_path: Path) -> None:
    request = make_request(SPEC, tmp_path, "Say [STOP] and [START] now.", {"max_tokens": 25})
    assert isinstance(run_engine(bench.engine, [request], RecordingContext(SPEC))["qi_test"], Output)


def test_a_slower_item_is_longer_and_a_trimmed_one_ends_with_its_speech(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cosmos_workflow.engines.chatterbox.sound import SoundModel

    real = SoundModel.waveform

    def quiet_at_its_end(*args: Any) -> Any:
        wave = real(*args).clone()
        wave[len(wave) // 2 :] *= 1e-4
        return wave

    monkeypatch.setattr(SoundModel, "waveform", quiet_at_its_end)
    own: dict[str, Any] = {"seed": 1, "max_tokens": 50, "temperature": 3.0}
    ways = ({"trim_end": False}, {}, {"trim_end": False, "speed": 0.5})
    cases = [bench.case("This one goes on for longer than that.", "", {**own, **way}) for way in ways]
    made = bench.make(bench.requests("english", cases, tmp_path))
    whole, trimmed, slow = (made.outcomes[f"qi_{index}"].metadata["seconds"] for index in range(3))
    assert trimmed < 0.8 * whole
    assert slow == pytest.approx(2 * whole, rel=0.1)


def test_steps_of_the_sound_model_can_be_chosen(bench: Any, tmp_path: Path) -> None:
    waves = {}
    for steps in (0, 4, 10):
        case = bench.case("Steps matter.", "", {"seed": 1, "max_tokens": 25, "cfm_steps": steps})
        waves[steps] = bench.make(bench.requests("english", [case], tmp_path / str(steps))).waves["qi_0"]
    assert abs(waves[0] - waves[10]).max() == 0, "0 takes the variant's own, which is 10"
    assert abs(waves[4] - waves[10]).max() > 1e-4


def test_the_fast_mode_speaks_in_bfloat16_and_says_so(bench: Any, tmp_path: Path) -> None:
    import torch

    case = bench.case("A quick one.", "anna", {"seed": 1, "max_tokens": 25, "mode": "fast"})
    made = bench.make(bench.requests("english", [case, case], tmp_path))
    assert all(outcome.metadata["mode"] == "fast" for outcome in made.outcomes.values())
    assert bench.engine.model.upstream.t3.speech_emb.weight.dtype == torch.bfloat16
    assert bench.engine.model.upstream.t3.speech_head.weight.dtype == torch.float32, "scores are never rounded"
    assert bench.engine.model.speech.backbone.shape.dtype == torch.float32, "bfloat16 attention is slow on a CPU"


def test_out_of_memory_leaves_the_engine_and_the_next_batch_is_made(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cosmos_workflow.engines.chatterbox.cache import KeyValueCache

    def full(self: KeyValueCache, rows: int) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:116] DefaultCPUAllocator: can't allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr(KeyValueCache, "reserve_rows", full)
        with pytest.raises(MemoryError):
            list(bench.engine.generate(bench.requests("english", _cases(bench, 2), tmp_path / "full"), RecordingContext(SPEC)))
    made = bench.make(bench.requests("english", _cases(bench, 2), tmp_path / "again"))
    assert all(isinstance(outcome, Output) for outcome in made.outcomes.values())


def test_little_free_memory_means_fewer_lines_at_once(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmos_workflow.engines.chatterbox import engine, production

    lines: list[int] = []
    real = production.decode

    def note(*args: Any) -> Iterator[Any]:
        lines.append(args[2])
        return real(*args)

    for free in (3_000_000, 30_000_000, None):
        monkeypatch.setattr(engine, "free_memory", lambda _, free=free: free)
        monkeypatch.setattr(production, "decode", note)
        bench.engine.max_lines, bench.engine.flow_rows = None, None
        run_engine(bench.engine, bench.requests("english", _cases(bench, 1), tmp_path / str(free)), RecordingContext(SPEC))
    assert lines[0] == 1
    assert 1 < lines[1] < lines[2] == 16


@pytest.mark.slow  # it imports the package
def test_without_weights_the_engine_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cosmos_workflow.engines.chatterbox.engine import ChatterboxEngine

    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(UnavailableError, match="cosmos-workflow weights fetch chatterbox") as raised:
        ChatterboxEngine().load(Device())
    assert FOLDER_VARIABLE in str(raised.value)


def test_a_variant_without_weights_is_refused_with_what_to_do(
    bench: Any, toy_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cosmos_workflow.engines.testing.chatterbox.toy_engine import ToyChatterboxEngine

    root = tmp_path / "weights"
    shutil.copytree(toy_root / "chatterbox", root / "chatterbox")
    monkeypatch.setenv(FOLDER_VARIABLE, str(root))
    engine = ToyChatterboxEngine()
    engine.load(Device())
    request = make_request(SPEC, tmp_path, "Hello there.", {"variant": "turbo"})
    outcome = run_engine(engine, [request], RecordingContext(SPEC))["qi_test"]
    assert isinstance(outcome, Failure)
    assert "weights fetch chatterbox-turbo" in outcome.error


@pytest.mark.parametrize("damage", ["a tensor is missing", "a tensor has another shape", "cut off"])
def test_damaged_weights_are_refused_with_what_to_do(toy_root: Path, tmp_path: Path, damage: str) -> None:
    """Upstream loads a sound model with missing tensors unnoticed."""
    import torch
    from safetensors.torch import load_file, save_file

    from cosmos_workflow.engines.chatterbox.variants import find_variant
    from cosmos_workflow.engines.testing.chatterbox.toy_engine import load_toy_model

    folder = tmp_path / "chatterbox"
    shutil.copytree(toy_root / "chatterbox", folder)
    path = folder / "s3gen.safetensors"
    tensors = load_file(path)
    name = "flow.encoder_proj.weight"
    if damage == "a tensor is missing":
        del tensors[name]
        save_file(tensors, path)
    elif damage == "a tensor has another shape":
        save_file({**tensors, name: tensors[name][:-1].clone()}, path)
    else:
        path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UnavailableError, match="fetch the weights again"):
        load_toy_model(find_variant("english"), "reproducible", folder, torch.device("cpu"))


def test_chinese_without_its_tables_says_what_is_missing(bench: Any, tmp_path: Path) -> None:
    request = make_request(SPEC, tmp_path, "一二三", {"variant": "multilingual", "language_id": "zh", "repetition_penalty": 2.0})
    outcome = run_engine(bench.engine, [request], RecordingContext(SPEC))["qi_test"]
    assert isinstance(outcome, Failure)
    assert "Cangjie5_TC.json" in outcome.error


def test_short_words_of_any_language_are_spoken_under_either_stop_rule(bench: Any, tmp_path: Path) -> None:
    """Two letters are one token of a merged vocabulary: too few for the package's analyser, which breaks on them."""
    words = [("No.", "en"), ("Ok", "en"), ("A", "en"), ("7", "de"), ("हाँ", "hi"), ("네", "ko")]
    cases = [
        bench.case(word, "", {"language_id": language, "max_tokens": 25, "seed": 3, "alignment_check": old})
        for word, language in words
        for old in (False, True)
    ]
    made = bench.make(bench.requests("multilingual", cases, tmp_path), tokens_only=True)
    assert all(len(made.tokens[f"qi_{index}"]) > 1 for index in range(len(cases)))


def test_a_package_that_has_dropped_the_analyser_speaks(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the package's repository is today, which has the same version."""
    from chatterbox.models.t3 import t3

    from cosmos_workflow.engines.chatterbox import alignment

    inference = import_module("chatterbox.models.t3.inference")
    name = "alignment_stream_analyzer"
    monkeypatch.setitem(sys.modules, f"{inference.__name__}.{name}", None)
    monkeypatch.delattr(inference, name)
    monkeypatch.delattr(t3, "AlignmentStreamAnalyzer")
    alignment._package.cache_clear()
    cases = bench.cases_of("multilingual")[:3]
    made = bench.make(bench.requests("multilingual", cases, tmp_path))
    alignment._package.cache_clear()
    assert [type(made.outcomes[f"qi_{index}"]) for index in range(3)] == [Output, Failure, Output]
    assert "turn alignment_check off" in made.outcomes["qi_1"].error


def test_a_front_end_that_fails_silently_is_no_reason_to_speak_gibberish(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package gives the text back as it was where its front end isn't there or breaks."""
    from cosmos_workflow.engines.chatterbox import front_ends

    monkeypatch.setattr(front_ends, "find_spec", lambda _: True)
    cases = [
        bench.case(text, "", {"language_id": "ru", "max_tokens": 25}) for text in ("Доброе утро", "До\u0301брое у\u0301тро", "Да")
    ]
    made = bench.make(bench.requests("multilingual", cases, tmp_path), tokens_only=True)
    assert set(made.tokens) == {"qi_1", "qi_2"}
    assert "Russian is read with its stress marks" in made.outcomes["qi_0"].error


@pytest.mark.slow
@pytest.mark.parametrize(("free", "reserved", "allocated", "usable"), [(10, 0, 0, 10), (10, 50, 20, 40)])
def test_what_torch_keeps_in_reserve_is_free(free: int, reserved: int, allocated: int, usable: int) -> None:
    from cosmos_workflow.engines.chatterbox.engine import usable_memory

    assert usable_memory(free, reserved, allocated) == usable


@pytest.mark.slow  # it imports the package
def test_what_a_folder_says_of_sizes_changes_nothing_in_the_program(toy_root: Path) -> None:
    import torch

    from cosmos_workflow.engines.chatterbox.loader import load_model
    from cosmos_workflow.engines.chatterbox.variants import find_variant

    with pytest.raises(UnavailableError, match=r"doesn't hold the weights of this model \(.*of another shape"):
        load_model(find_variant("voice-conversion"), "reproducible", toy_root / "chatterbox", torch.device("cpu"))
