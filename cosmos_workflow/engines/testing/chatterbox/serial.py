"""Chatterbox by the package's own serial way, one item at a time: what tests compare with, and benches measure against.

Nothing of it is changed but what it needs to run at all: a cap on tokens, float32 loudness (numpy 2 makes it float64), and a
multilingual tokenizer that doesn't fetch a word list while it is built; and, where that was asked for, the multilingual stop
rule is that of the package's newest state, which has no analyser and cuts off the last token's sound.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import torch

from cosmos_workflow.engines.chatterbox.params import ChatterboxParams
from cosmos_workflow.engines.chatterbox.sound import SAMPLES_A_TOKEN
from cosmos_workflow.engines.chatterbox.variants import SPEECH_IDS, find_variant
from cosmos_workflow.engines.testing.chatterbox.sizes import sized


@dataclass(slots=True)
class SerialResult:
    """`tokens` as T3 gave them (none for voice conversion), `wave` before and `marked` after the watermark, seconds taken."""

    tokens: list[int] = field(default_factory=list)
    wave: Any = None
    marked: Any = None
    t3_seconds: float = 0.0
    seconds: float = 0.0


class SerialModel:
    """The package's object of a variant, and its built-in voice as `from_local` leaves it there."""

    def __init__(self, variant: str, upstream: Any, clock: Callable[[], float] = time.perf_counter) -> None:
        self._variant = variant
        self._turbo = find_variant(variant).turbo
        self._clock = clock
        self._max_tokens = 1000
        self._seen = SerialResult()
        self._drops_last = False
        self.upstream = upstream
        self._voice = "ref_dict" if variant == "voice-conversion" else "conds"
        self._built_in = getattr(upstream, self._voice)
        self._listen()

    @classmethod
    def load(cls, variant: str, folder: Path, device: str = "cpu", clock: Callable[[], float] = time.perf_counter) -> SerialModel:
        """Load it by the package's own `from_local`."""
        with sized(folder):
            return cls(variant, _load(variant, folder, device), clock)

    def generate(
        self, text: str, params: ChatterboxParams, voice: Path | None = None, speech: Path | None = None
    ) -> SerialResult:
        """Make one item after seeding torch's global generators, as a user of the package would."""
        self._max_tokens = params.max_tokens
        newest = self._variant.startswith("multilingual") and not params.alignment_check
        self._drops_last = newest and not _cuts_by_itself()
        seen = self._seen = SerialResult()
        # What an earlier call left behind would be used again: the package keeps the last voice.
        setattr(self.upstream, self._voice, self._built_in)
        torch.manual_seed(params.seed)
        begun = self._clock()
        marked = self._call(text, params, str(voice) if voice else None, speech)
        seen.seconds = self._clock() - begun
        seen.marked = marked[0].numpy()
        return seen

    def _call(self, text: str, params: ChatterboxParams, voice: str | None, speech: Path | None) -> Any:
        if self._variant == "voice-conversion":
            return self.upstream.generate(str(speech), target_voice_path=voice)
        shared: dict[str, Any] = {
            "audio_prompt_path": voice,
            "temperature": params.temperature,
            "top_p": params.top_p,
            "repetition_penalty": params.repetition_penalty,
        }
        if self._turbo:
            return self.upstream.generate(text, top_k=params.top_k, norm_loudness=params.norm_loudness, **shared)
        shared |= {"exaggeration": params.exaggeration, "cfg_weight": params.cfg_weight, "min_p": params.min_p}
        if self._variant.startswith("multilingual"):
            with _stop_rule(old=params.alignment_check):
                return self.upstream.generate(text, params.language_id, **shared)
        return self.upstream.generate(text, **shared)

    def _listen(self) -> None:
        """Note tokens, time and the waveform on their way, and put the cap on the tokens."""
        mark = self.upstream.watermarker.apply_watermark

        def apply_watermark(wave: Any, sample_rate: int) -> Any:
            if self._drops_last:
                spoken = sum(token < SPEECH_IDS for token in self._seen.tokens)
                wave = wave[: max(1, spoken - 1) * SAMPLES_A_TOKEN]
            self._seen.wave = wave.copy()
            return mark(wave, sample_rate=sample_rate)

        self.upstream.watermarker.apply_watermark = apply_watermark
        if self._variant != "voice-conversion":
            name = "inference_turbo" if self._turbo else "inference"
            setattr(self.upstream.t3, name, self._noted(getattr(self.upstream.t3, name)))

    def _noted(self, inference: Any) -> Any:
        turbo = self._turbo

        def noted(**arguments: Any) -> Any:
            # Turbo's loop makes one token before it counts.
            cap = {"max_gen_len": self._max_tokens - 1} if turbo else {"max_new_tokens": self._max_tokens}
            begun = self._clock()
            tokens = inference(**{**arguments, **cap})
            self._seen.tokens = tokens[0].tolist()
            self._seen.t3_seconds = self._clock() - begun
            return tokens

        return noted


class _NoAnalyser:
    """In the place of the package's analyser, as if there were none."""

    def __init__(self, *_: Any, eos_idx: int, **__: Any) -> None:
        self.eos_idx = eos_idx

    def step(self, logits: Any, next_token: int | None = None) -> Any:
        """The scores as they are."""
        return logits


def _stop_rule(*, old: bool) -> AbstractContextManager[Any]:
    from chatterbox.models.t3 import t3

    if old or not hasattr(t3, "AlignmentStreamAnalyzer"):
        return nullcontext()
    return patch.object(t3, "AlignmentStreamAnalyzer", _NoAnalyser)


def _cuts_by_itself() -> bool:
    from chatterbox import mtl_tts

    return hasattr(mtl_tts, "MULTILINGUAL_T3_MODELS")


@contextmanager
def _of_another_name(variant: str, name: str, of: str) -> Iterator[None]:
    """Have the package of version 0.1.7 read the speech model of a variant that it doesn't know where it would read `of`'s."""
    from chatterbox import mtl_tts, tts_turbo
    from chatterbox.models.t3.llama_configs import LLAMA_CONFIGS

    from cosmos_workflow.engines.chatterbox.loader import know_nano

    if variant == of:
        yield
        return
    know_nano()
    module, attribute = (tts_turbo, "load_file") if of == "turbo" else (mtl_tts, "load_safetensors")
    read = getattr(module, attribute)
    own = find_variant(variant).t3
    small = {"GPT2_medium": LLAMA_CONFIGS["GPT2_small"]} if of == "turbo" else {}
    renamed = patch.object(module, attribute, lambda path: read(path.with_name(own) if path.name == name else path))
    with renamed, patch.dict(LLAMA_CONFIGS, small):
        yield


def _load(variant: str, folder: Path, device: str) -> Any:
    if find_variant(variant).turbo:
        from chatterbox.tts_turbo import ChatterboxTurboTTS

        with _of_another_name(variant, "t3_turbo_v1.safetensors", "turbo"):
            turbo = cast("Any", ChatterboxTurboTTS.from_local(folder, device))
        even = turbo.norm_loudness
        turbo.norm_loudness = lambda wave, rate: even(wave, rate).astype("float32")
        return turbo
    if find_variant(variant).multilingual:
        from chatterbox import mtl_tts

        from cosmos_workflow.engines.chatterbox.languages import LanguageTokenizer

        tokenizer = patch.object(mtl_tts, "MTLTokenizer", lambda path: LanguageTokenizer(Path(path).parent, Path(path)))
        with tokenizer, _of_another_name(variant, "t3_mtl23ls_v2.safetensors", "multilingual"):
            return mtl_tts.ChatterboxMultilingualTTS.from_local(folder, device)
    if variant == "voice-conversion":
        from chatterbox.vc import ChatterboxVC

        return ChatterboxVC.from_local(folder, device)
    from chatterbox.tts import ChatterboxTTS

    return ChatterboxTTS.from_local(folder, device)
