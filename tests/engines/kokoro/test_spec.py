"""Kokoro without its model: voices and mixes, symbols, parts, and what is refused before anything is loaded."""

# ruff: noqa: RUF001 - phonetic letters look like others

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.engines.espeak.engine import Speaker
from cosmos_workflow.engines.kokoro import SPEC, KokoroParams
from cosmos_workflow.engines.kokoro.model_files import KOKORO, RELEASED, find_kokoro, model_file, voice_file
from cosmos_workflow.engines.kokoro.phonemes import MAX_TOKENS, TOKENS, phonemes_of, split_symbols, to_symbols
from cosmos_workflow.engines.kokoro.voices import LANGUAGES, VOICES, describe, parse_mix, tidy_mix
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE, check_model_files
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.jobs.document.loading import parse_job
from cosmos_workflow.queueing.batches import calculate_batch_key
from cosmos_workflow.queueing.items import Prompt
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.yaml_places import JobFileError


def symbols(text: str, language: str = "en-us") -> str:
    speaker = Speaker("kokoro")
    try:
        return phonemes_of(text, language, speaker)
    finally:
        speaker.end()


def check(text: str, **params: Any) -> None:
    SPEC.check(SPEC.recipe(text, params, {}, {}))


def test_every_voice_has_a_language_a_sex_and_its_makers_grade() -> None:
    assert len(VOICES) == 54
    assert str(VOICES["af_heart"]) == "English (US), female, grade A"
    assert str(VOICES["bm_george"]) == "English (UK), male, grade C"
    assert str(VOICES["ef_dora"]) == "Spanish, female"
    assert describe("af_heart:3+bm_george") == (
        "75% af_heart (English (US), female, grade A); 25% bm_george (English (UK), male, grade C)"
    )
    assert {voice.language for voice in VOICES.values()} == {*LANGUAGES, "ja", "zh"}
    assert len([name for name, _ in KOKORO.digests if name.startswith("voices/")]) == 54


def test_a_mix_is_shares_that_add_up_to_one() -> None:
    assert parse_mix("af_heart") == {"af_heart": 1.0}
    assert parse_mix(" AF_Heart:0.7 + bm_george:0.3 ") == pytest.approx({"af_heart": 0.7, "bm_george": 0.3})
    assert parse_mix("af_heart+af_heart+bm_george") == pytest.approx({"af_heart": 2 / 3, "bm_george": 1 / 3})
    assert tidy_mix("af_heart:7+bm_george:3") == "af_heart:0.7+bm_george:0.3"
    assert tidy_mix("af_heart:5") == "af_heart"


@given(st.dictionaries(st.sampled_from(sorted(VOICES)), st.floats(0.01, 100), min_size=1, max_size=5))
def test_a_tidy_mix_stays_as_it_is(weights: dict[str, float]) -> None:
    tidy = tidy_mix("+".join(f"{name}:{weight:.6f}" for name, weight in weights.items()))
    assert tidy_mix(tidy) == tidy


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("af_hart", "near it are af_heart"),
        ("george", "bm_george"),
        ("", "use a voice such as af_heart"),
        ("af_heart:0+bm_george", "write a number above 0"),
        ("af_heart:much", "write a number above 0"),
        ("af_heart:nan", "write a number above 0"),
    ],
)
def test_a_wrong_voice_is_refused_with_what_is_near(value: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        SPEC.complete_params({"voice": value})


def test_the_language_is_the_voices_unless_it_is_chosen() -> None:
    assert SPEC.language(vars(KokoroParams())) == "en-us"
    assert SPEC.language(vars(KokoroParams(voice="af_heart:0.4+ff_siwis:0.6"))) == "fr"
    assert SPEC.language(vars(KokoroParams(voice="ff_siwis", language="en-gb"))) == "en-gb"
    check("Good morning.", voice="jf_alpha", language="en-us")
    with pytest.raises(InputError, match="the language of jf_alpha is Japanese, whose phonemes can't be made here"):
        check("Good morning.", voice="jf_alpha")


@pytest.mark.parametrize("text", ["", "  ", "* * *", "?!"])
def test_text_without_a_word_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="write"):
        check(text)


def test_a_text_above_the_limit_is_refused_and_jobs_cut_below_it() -> None:
    with pytest.raises(InputError, match="401 characters; use at most 400, or a job with text_file"):
        check("a" * 401)
    one = calculate_batch_key(SPEC.name, {"voice": "af_heart"})
    assert one == calculate_batch_key(SPEC.name, {"voice": "bm_george", "speed": 1.5, "language": "es"})


def test_the_symbols_are_the_models_own() -> None:
    assert len(TOKENS) == 114
    assert [TOKENS[symbol] for symbol in ";. aAzˈᵻ"] == [1, 4, 16, 43, 24, 68, 156, 177]
    assert [TOKENS[symbol] for symbol in "hˈi"] == [50, 156, 51]
    assert to_symbols("d\u0361ʒˈʌmps ˌo\u0361ʊvɚ", "en-us") == "ʤˈʌmps ˌOvəɹ"
    assert to_symbols("bˈʌʔn\u0329", "en-us") == "bˈʌtᵊn"
    assert to_symbols("bˈɜːd", "en-gb") == "bˈɜːd"


def test_punctuation_and_ipa_reach_the_model() -> None:
    assert symbols("Hello, world (yes)!") == "həlˈO, wˈɜɹld (jˈɛs)!"
    assert "θɹˈi pYnt fˈIv, ɔɹ " in symbols("It is 3.5, or so")
    assert symbols("«Oui» – dit-il…", "fr").startswith("“wˈi” — ")
    assert symbols("Mr [Nguyen](/nwˈin/) left.").endswith("nwˈin lˈɛft.")
    with pytest.raises(InputError, match="nothing that can be spoken"):
        symbols("...")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en-gb", "There is no harbour."),
        ("es", "¿Cómo estás?"),
        ("fr", "Ça va très bien."),
        ("hi", "नमस्ते दुनिया"),
        ("it", "Buongiorno a tutti."),
        ("pt-br", "Não há ninguém."),
    ],
)
def test_every_language_has_phonemes(language: str, text: str) -> None:
    assert sum(symbol.isalpha() for symbol in symbols(text, language)) > 6


@given(st.text(st.sampled_from("aə ,.!ɹ"), min_size=1, max_size=2_000), st.integers(20, MAX_TOKENS))
def test_parts_fit_and_nothing_is_lost(said: str, most: int) -> None:
    said = " ".join(said.split()) or "a"
    parts = split_symbols(said, most)
    assert all(len(part) <= most for part in parts)
    assert "".join(parts).replace(" ", "") == said.replace(" ", "")


def test_long_symbols_part_behind_a_sentence() -> None:
    said = "aaaa bbbb. " * 60
    parts = split_symbols(said.strip())
    assert len(parts) == 2
    assert all(part.endswith(".") for part in parts)


def test_without_its_files_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert find_kokoro() is None
    assert "weights fetch kokoro" in str(SPEC.availability())


def test_only_voices_that_are_there_are_offered_and_another_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    voices = tmp_path / "kokoro" / "voices"
    voices.mkdir(parents=True)
    (voices.parent / "onnx").mkdir()
    (voices.parent / "onnx" / "model_quantized.onnx").write_bytes(b"a model")
    for name in ("jf_alpha", "bm_george", "ff_siwis"):
        (voices / f"{name}.bin").write_bytes(b"a style")
    field = next(field for field in SPEC.fields({}) if field.name == "voice")
    assert field.choices == ("bm_george", "ff_siwis", "jf_alpha")
    assert field.choice_labels[1] == "ff_siwis: French, female, grade B-"
    assert "51 of them aren't on this machine" in field.help
    assert "weights fetch kokoro" in field.help
    assert SPEC.complete_params({})["voice"] == "bm_george"
    with pytest.raises(InputError, match=r"the voice af_heart isn't among .*weights fetch kokoro.*bm_george"):
        SPEC.check_params(KokoroParams(voice="bm_george+af_heart"))
    SPEC.check_params(KokoroParams(voice="bm_george+ff_siwis"))
    with pytest.raises(InputError, match="the voice af_heart isn't among"):
        Queue().add_to_queue([Prompt("Good morning.")], "kokoro", {"voice": "af_heart"})
    job = "engine: kokoro\nparams:\n  voice: {}\nspeakers:\n  ann: {{voice: {}}}\ntasks:\n  - text: {}Hello."
    for mistaken, line in ((("af_heart", "bm_george", ""), 3), (("bm_george", "af_heart", "<speaker:ann>"), 5)):
        with pytest.raises(JobFileError, match="the voice af_heart isn't among") as refused:
            parse_job(job.format(*mistaken))
        assert [problem.place.line for problem in refused.value.problems] == [line]
    (voices / "af_heart.bin").write_bytes(b"a style")
    os.utime(voices, (1, 1))  # a clock need not have gone on between two changes of a folder
    SPEC.check_params(KokoroParams(voice="bm_george+af_heart"))
    assert SPEC.complete_params({})["voice"] == "af_heart"


def test_the_files_of_a_release_do_as_well_and_a_wrong_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "kokoro"
    folder.mkdir()
    for name in RELEASED.files:
        (folder / name).write_bytes(b"not the model")
    assert find_kokoro() == (RELEASED, folder)
    assert SPEC.availability().available
    assert len(next(field for field in SPEC.fields({}) if field.name == "voice").choices) == 54
    SPEC.check_params(KokoroParams(voice="zm_yunyang"))
    assert SPEC.availability().runs_on == "It runs on the CPU."
    package = tmp_path / "onnxruntime_gpu-1.22.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime-gpu\nVersion: 1.22.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "by CUDA" in SPEC.availability().runs_on
    assert model_file(folder).name == "kokoro-v1.0.int8.onnx"
    assert voice_file(folder, "af_heart") == folder / "voices-v1.0.bin"
    with pytest.raises(UnavailableError, match="is damaged"):
        check_model_files(RELEASED, folder)


def test_the_app_never_loads_the_runtime_or_the_speech_library() -> None:
    code = (
        "import sys; from cosmos_workflow.engines.registry import all_engines; [spec.fields({}) for spec in all_engines()]; "
        "print([name for name in ('onnxruntime', 'num2words', 'phonemizer', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


def test_another_take_is_a_little_slower_or_faster_and_never_beyond_what_a_voice_can() -> None:
    speeds = [params["speed"] for params in SPEC.variations(KokoroParams(voice="af_heart"))]
    assert speeds == [0.97, 1.03, 0.94, 1.06, 0.91, 1.09, 0.88, 1.12, 0.85, 1.15]
    slower = [params["speed"] for params in SPEC.variations(KokoroParams(voice="af_heart", speed=2.0))]
    assert slower == [
        1.94,
        1.88,
        1.82,
        1.76,
        1.7,
    ]
