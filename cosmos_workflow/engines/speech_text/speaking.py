"""A text as an engine gets it: words respelt, numbers and signs written out."""

from __future__ import annotations

from functools import lru_cache

from cosmos_workflow.engines.speech_text.marks import IPA
from cosmos_workflow.engines.speech_text.normalize import normalize
from cosmos_workflow.engines.speech_text.pronunciations import parse_list, pronounce


@lru_cache(maxsize=16_384)
def as_spoken(text: str, language: str, normalized: bool, pronunciations: str, ipa: bool) -> str:
    """The text as it is said in a language. Where the engine takes no `ipa`, a word with phonemes is the word."""
    said = pronounce(text, parse_list(pronunciations))
    if not ipa:
        said = IPA.sub(lambda match: match["word"], said)
    return normalize(said, language) if normalized else said
