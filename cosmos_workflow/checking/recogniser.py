"""Somebody who writes down what is heard: Whisper by faster-whisper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cosmos_workflow.checking.models import find_model, require_recogniser
from cosmos_workflow.checking.sound import Sound
from cosmos_workflow.checking.verdict import HeardWord
from cosmos_workflow.engines.model_files.sets import require_model_files
from cosmos_workflow.errors import InputError, shorten
from cosmos_workflow.gpu_dispatch.platform import processors

RATE = 16_000
"""Hertz of the sound that a recogniser hears."""
_AHEAD = 300
"""Frames of 10 ms that the quick way looks at beyond the sound: enough for Whisper to know that it is over."""
_WINDOW = 3000
_MOST_TOKENS = 440
_SPACE = "\u0120"
"""How the vocabulary writes the space before a word."""
_CODES = {"cmn": "zh", "nb": "no", "yue": "zh", "iw": "he"}


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words with their times, the language that was spoken, and how likely the expected one is, from 0 to 1."""

    words: tuple[HeardWord, ...]
    language: str
    expected: float


@dataclass(frozen=True, slots=True)
class Fit:
    """A word of a text that a sound is held against: its place in the text as a slice, when it would be said, and the natural
    logarithm of how likely the sound makes it after the words before it (that of its least likely part)."""

    first: int
    last: int
    start: float
    end: float
    likely: float


class Whisper:
    """Hears sounds of `RATE` hertz, full scale 1, on a CPU, in 8-bit numbers; raises UnavailableError where it can't run here.

    Whisper looks at 30 seconds however short a sound is. The quick way shortens that to the sound and three seconds more, which
    costs a quarter for a sentence; the thorough way is Whisper's own, with a wider search.
    """

    def __init__(self, name: str, threads: int | None = None) -> None:
        require_recogniser(name)
        folder = require_model_files(find_model(name))
        self.name = name
        self._heard: Sound | None = None
        self._model: Any = _shortening(str(folder), threads or max(1, processors() // 2))

    def hear(self, sound: Sound, language: str, thorough: bool = False) -> Transcript:
        """What is heard, written in `language`; `thorough` takes several times as long, and mistakes less.

        Told to write English, Whisper translates other languages, and fluently: so the language is looked at each time.
        """
        self._heard = sound
        self._model.first = None
        self._model.frames = _WINDOW if thorough else min(_WINDOW, len(sound) * 100 // RATE + _AHEAD)
        segments, _ = self._model.transcribe(
            sound,
            language=self.code(language),
            beam_size=5 if thorough else 1,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
        )
        words = tuple(
            HeardWord(word.word, round(float(word.start), 3), round(float(word.end), 3))
            for segment in segments
            for word in segment.words or ()
        )
        code = self.code(language)
        if self._model.first is None or not self._model.model.is_multilingual:
            return Transcript(words, code, 1.0)
        likely = {token[2:-2]: float(share) for token, share in self._model.model.detect_language(self._model.first)[0]}
        return Transcript(words, max(likely, key=lambda one: likely[one]), likely.get(code, 0.0))

    def fit(self, sound: Sound, language: str, text: str) -> tuple[Fit, ...]:
        """How well a sound says a text, word by word; empty where that can't be told, as for one longer than half a minute.

        By Whisper's own alignment: attention of the decoder while it is told the text. Cheap for the sound that was heard last.
        """
        from faster_whisper.tokenizer import Tokenizer

        if self._heard is not sound:
            self.hear(sound, language)
        multilingual = self._model.model.is_multilingual
        writer = Tokenizer(self._model.hf_tokenizer, multilingual, task="transcribe", language=self.code(language))
        tokens = _tokens(self._model.hf_tokenizer, f" {text}")
        if self._model.first is None or len(sound) > _WINDOW * RATE // 100 or not 0 < len(tokens) <= _MOST_TOKENS:
            return ()
        frames = min(self._model.frames, len(sound) * 100 // RATE)
        found = self._model.model.align(self._model.first, writer.sot_sequence, [tokens], frames, median_filter_width=7)[0]
        at = np.array(found.alignments)
        # A token begins with the first frame that is given to it.
        begins = at[np.flatnonzero(np.diff(at[:, 0], prepend=-1)), 1] / self._model.tokens_per_second
        likely = np.log(np.maximum(found.text_token_probs, 1e-9))
        fits: list[Fit] = []
        place, number = -1, 0  # of the text without the space before it
        words, parts = writer.split_to_word_tokens([*tokens, writer.eot])
        if "".join(words[:-1]) != f" {text}":
            return ()  # written in a way that the vocabulary changes: its places aren't those of the text
        for word, part in zip(words[:-1], parts[:-1], strict=True):
            after = number + len(part)
            first = place + len(word) - len(word.lstrip())
            place += len(word)
            start, end = float(begins[number]), float(begins[min(after, len(begins) - 1)])
            fits.append(Fit(max(0, first), place, round(start, 3), round(end, 3), round(float(likely[number:after].min()), 3)))
            number = after
        return tuple(fits)

    def code(self, language: str) -> str:
        """Whisper's code of a language; raises InputError for one that it doesn't know."""
        plain = language.lower().partition("-")[0]
        code = _CODES.get(plain, plain)
        if code not in self._model.supported_languages:
            raise InputError(f"Whisper {self.name} doesn't know the language {shorten(language)}.")
        return code


def _tokens(tokenizer: Any, text: str) -> list[int]:
    """The tokens of a text. Some converted files have lost the first rule of their tokenizer, so that a space stands alone
    before a word with t: what is one token in Whisper's vocabulary is made one again."""
    found: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    pieces = [tokenizer.id_to_token(token) for token in found]
    tokens: list[int] = []
    at = 0
    while at < len(found):
        after = at + 1
        if pieces[at] == _SPACE:
            ends = [end for end in range(at + 2, len(found) + 1) if not any(_SPACE in piece for piece in pieces[at + 1 : end])]
            known = [end for end in ends if tokenizer.token_to_id("".join(pieces[at:end])) is not None]
            after = max(known, default=after)
        token = tokenizer.token_to_id("".join(pieces[at:after]))
        tokens.append(found[at] if token is None else token)
        at = after
    return tokens


def _shortening(folder: str, threads: int) -> Any:
    """faster-whisper's model with an encoder that sees only the first `frames` of its window; what follows is padding.

    `first` keeps what it made of a sound's beginning.
    """
    from faster_whisper import WhisperModel

    class Model(WhisperModel):
        frames = _WINDOW
        first: Any = None

        def encode(self, features: Any) -> Any:
            encoded = super().encode(features[..., : self.frames])
            self.first = encoded if self.first is None else self.first
            return encoded

    return Model(folder, device="cpu", compute_type="int8", cpu_threads=threads)
