"""Somebody who writes down what is heard: the contract, and Whisper by faster-whisper."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from cosmos_workflow.checking.models import find_model, require_recogniser
from cosmos_workflow.checking.verdict import HeardWord
from cosmos_workflow.engines.model_files.sets import check_model_files, require_model_files
from cosmos_workflow.errors import InputError, shorten

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Sound = NDArray[np.float32]

RATE = 16_000
"""Hertz of the sound that a recogniser hears."""
_AHEAD = 300
"""Frames of 10 ms that the quick way looks at beyond the sound: enough for Whisper to know that it is over."""
_WINDOW = 3000
_CODES = {"cmn": "zh", "nb": "no", "yue": "zh", "iw": "he"}


class Recogniser(Protocol):
    """Hears sounds of `RATE` hertz, full scale 1."""

    name: str

    def hear(self, sound: Sound, language: str, thorough: bool = False) -> tuple[HeardWord, ...]:
        """The words with their times; `thorough` takes several times as long, and mistakes less."""
        ...

    def language_of(self, sound: Sound) -> tuple[str, float]:
        """The language that is spoken, as a code, and how sure that is, from 0 to 1."""
        ...


class Whisper:
    """Whisper on a CPU, in 8-bit numbers; raises UnavailableError where it can't run here.

    Whisper looks at 30 seconds however short a sound is. The quick way shortens that to the sound and three seconds more, which
    costs a quarter for a sentence; the thorough way is Whisper's own, with a wider search.
    """

    def __init__(self, name: str, threads: int | None = None) -> None:
        require_recogniser(name)
        model = find_model(name)
        folder = require_model_files(model)
        check_model_files(model, folder)
        self.name = name
        self._model: Any = _shortening(str(folder), threads or max(1, len(os.sched_getaffinity(0)) // 2))

    def hear(self, sound: Sound, language: str, thorough: bool = False) -> tuple[HeardWord, ...]:
        """As the contract says."""
        self._model.frames = _WINDOW if thorough else min(_WINDOW, len(sound) * 100 // RATE + _AHEAD)
        segments, _ = self._model.transcribe(
            sound,
            language=self.code(language),
            beam_size=5 if thorough else 1,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
        )
        return tuple(
            HeardWord(word.word, round(float(word.start), 3), round(float(word.end), 3))
            for segment in segments
            for word in segment.words or ()
        )

    def language_of(self, sound: Sound) -> tuple[str, float]:
        """As the contract says."""
        self._model.frames = _WINDOW
        language, probability, _ = self._model.detect_language(sound)
        return language, float(probability)

    def code(self, language: str) -> str:
        """Whisper's code of a language; raises InputError for one that it doesn't know."""
        plain = language.lower().partition("-")[0]
        code = _CODES.get(plain, plain)
        if code not in self._model.supported_languages:
            raise InputError(f"Whisper {self.name} doesn't know the language {shorten(language)}.")
        return code


def _shortening(folder: str, threads: int) -> Any:
    """faster-whisper's model with an encoder that sees only the first `frames` of its window; what follows is padding."""
    from faster_whisper import WhisperModel

    class Model(WhisperModel):
        frames = _WINDOW

        def encode(self, features: Any) -> Any:
            return super().encode(features[..., : self.frames])

    return Model(folder, device="cpu", compute_type="int8", cpu_threads=threads)
