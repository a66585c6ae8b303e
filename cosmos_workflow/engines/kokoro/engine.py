"""The work of the Kokoro engine: phonemes, the model, and the sound written as a file, item by item on one loaded session."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import soundfile  # noqa: F401 - loaded with the engine, so that no item waits for it

from cosmos_workflow.engines.base import Context, Device, Output, Request, SerialEngine
from cosmos_workflow.engines.espeak.engine import Speaker
from cosmos_workflow.engines.kokoro import SPEC, KokoroParams
from cosmos_workflow.engines.kokoro.model import SAMPLE_RATE, KokoroModel, Sound
from cosmos_workflow.engines.kokoro.model_files import require_kokoro
from cosmos_workflow.engines.kokoro.phonemes import phonemes_of, split_symbols
from cosmos_workflow.engines.kokoro.voices import parse_mix
from cosmos_workflow.engines.model_files.sets import check_model_files
from cosmos_workflow.media import resample_sound, write_sound

HEAD_SECONDS, TAIL_SECONDS = 0.03, 0.06
"""What is kept of the silence that the model puts before and behind what it says."""
_QUIET = 0.003
"""Share of the loudest sample below which it is silence."""


class KokoroEngine(SerialEngine):
    """Speaks texts one by one: on a CPU several at once would gain nothing."""

    def load(self, device: Device) -> None:
        self._speaker = Speaker(SPEC.name)
        files, folder = require_kokoro()
        check_model_files(files, folder)
        self._model = KokoroModel(folder, device)
        self._seconds_a_symbol = 0.0

    def generate_one(self, request: Request, context: Context) -> Output:
        params = cast("KokoroParams", request.params)
        context.report(request.id, "starting")
        symbols = phonemes_of(request.text, SPEC.language(vars(params)), self._speaker)
        context.report(request.id, "speaking")
        parts = split_symbols(symbols)
        sound = np.concatenate(list(self._speak(parts, params, lambda done: context.report(request.id, "speaking", done))))
        context.report(request.id, "encoding")
        name = f"audio.{params.format}"
        rate = SAMPLE_RATE if params.sample_rate == "native" else int(params.sample_rate)
        pcm = np.rint(np.clip(sound, -1.0, 1.0) * 32767.0).astype(np.int16)
        blocks = resample_sound([pcm], SAMPLE_RATE, rate)
        samples = write_sound(request.folder / name, blocks, rate, params.format)
        context.report(request.id, "completed")
        described = {"seconds": round(samples / rate, 3), "sample_rate": rate, "characters": len(request.text)}
        made = {"voice": params.voice, "phonemes": symbols, "passes": len(parts), "provider": self._model.provider}
        return Output(request.id, {"audio": name}, {**described, **made})

    def close(self) -> None:
        self._model.close()
        self._speaker.end()

    def _speak(self, parts: list[str], params: KokoroParams, report: Callable[[float], None]) -> Iterator[Sound]:
        """The sound of each part. How far the model is inside one is reckoned from how long the last one took it."""
        mix = parse_mix(params.voice)
        whole, before = sum(map(len, parts)), 0
        for part in parts:
            started = time.monotonic()
            expected = self._seconds_a_symbol * len(part)
            share, first = len(part) / whole, before / whole

            def look(started: float = started, expected: float = expected, share: float = share, first: float = first) -> None:
                inside = min(0.95, (time.monotonic() - started) / expected) if expected else 0.0
                report(first + share * inside)

            yield trimmed(self._model.speak(part, mix, params.speed, look))
            self._seconds_a_symbol = (time.monotonic() - started) / len(part)
            before += len(part)


def trimmed(sound: Sound) -> Sound:
    """A sound without the silence around it, but for a breath."""
    loud = np.flatnonzero(np.abs(sound) > _QUIET * np.abs(sound).max(initial=0.0))
    if not len(loud):
        return sound
    first = max(0, loud[0] - int(HEAD_SECONDS * SAMPLE_RATE))
    return sound[first : loud[-1] + 1 + int(TAIL_SECONDS * SAMPLE_RATE)]
