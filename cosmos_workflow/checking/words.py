"""Texts as comparable words. Pure.

A word keeps its place in its text, so that a difference can be shown there. Writing that says the same (11 and eleven, it's and
it is, everyday and every day) is equal: both sides are written out by the rules that texts are spoken by.
"""

# ruff: noqa: RUF001 - the marks of many scripts look alike

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from cosmos_workflow.engines.speech_text.normalize import normalize

WITHOUT_SPACES = frozenset({"zh", "cmn", "yue", "ja", "th", "lo", "my", "km", "bo"})
"""Languages that don't divide words: there each sign counts as a word, so the word error rate is that of characters."""

_WORD = re.compile(r"[$£€¥]?[^\W_]+(?:[.,:'’][^\W_]+)*%?")
_SIGN = re.compile(r"[a-z0-9]+(?:['’][a-z]+)*|[^\W_]", re.IGNORECASE)
_SHORT = {"n't": " not", "'re": " are", "'ll": " will", "'ve": " have", "'m": " am", "'s": " is", "'d": " would"}
_SPELT = (("is", "iz"), ("our", "or"), ("ogue", "og"), ("ll", "l"), ("tre", "ter"), ("grey", "gray"))
_ALIKE = {
    "can": "ca",
    "cannot": "ca not",
    "okay": "ok",
    "will": "wo",
    "mister": "mr",
    "doctor": "dr",
    "saint": "st",
    "alright": "all right",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a text, as it is compared, and its place there as a slice."""

    word: str
    first: int
    last: int


def divides_words(language: str) -> bool:
    """Whether a language writes spaces between words."""
    return language.lower().partition("-")[0] not in WITHOUT_SPACES


def tokens(text: str, language: str) -> list[Token]:
    """The words of a text in order."""
    pattern = _WORD if divides_words(language) else _SIGN
    return [Token(_plain(match[0]), match.start(), match.end()) for match in pattern.finditer(text)]


def letters(text: str) -> str:
    """Letters and digits alone, in small letters: what a character error rate counts."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", text).lower() if letter.isalnum())


def says_the_same(one: str, other: str, language: str) -> bool:
    """Whether two stretches are the same when they are spoken, however they are written."""
    return bool(_forms(one, language) & _forms(other, language))


def _plain(word: str) -> str:
    return unicodedata.normalize("NFKC", word).lower().replace("’", "'")


@lru_cache(maxsize=4096)
def _forms(text: str, language: str) -> frozenset[str]:
    plain = _plain(text)
    written = normalize(plain, language).lower()
    forms = {letters(plain), letters(written)}
    if language.lower().startswith("en"):
        forms |= {letters(_english(plain)), letters(_english(written))}
    return frozenset(form for form in forms if form)


def _english(text: str) -> str:
    """Contractions in full, and British spelling as American."""
    for short, full in _SHORT.items():
        text = text.replace(short, full)
    spelt = " ".join(_ALIKE.get(match[0], match[0]) for match in re.finditer(r"[a-z0-9]+", text))
    for british, american in _SPELT:
        spelt = spelt.replace(british, american)
    return spelt
