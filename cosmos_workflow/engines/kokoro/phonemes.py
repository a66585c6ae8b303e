"""Text to the model's phonemes: the words by the speech library in a process of its own, punctuation and IPA as they are."""

# ruff: noqa: RUF001 - quotation marks and dashes of many scripts

from __future__ import annotations

import re
from collections.abc import Iterator

from cosmos_workflow.engines.espeak.engine import Speaker
from cosmos_workflow.engines.kokoro.vocabulary import MAX_TOKENS, TOKENS, to_symbols
from cosmos_workflow.errors import InputError

# The model knows these marks and none else.
_ALIKE = str.maketrans({"«": "“", "»": "”", "„": "“", "‟": "”", "’": "'", "‘": "'", "–": "—", "\u00a0": " ", "\0": " "})
_IPA = r"\[[^\[\]\n]*\]\(/(?P<ipa>[^/\n]+)/\)"
# A full stop or comma inside a number or a word isn't punctuation.
_MARK = r'[;:!?—…"()“”]|[.,](?!\w)'
_PART = re.compile(rf"{_IPA}|(?P<mark>{_MARK})")
_LETTER = re.compile(r"\w")
_BREAKS = (re.compile(r"[.!?…]+[\"”)]*\s"), re.compile(r"[;:,—]+[\"”)]*\s"), re.compile(r"\s"))


def phonemes_of(text: str, language: str, speaker: Speaker) -> str:
    """The symbols of a text, each in `TOKENS`. `[word](/ipa/)` gives a word's own IPA.

    Raises InputError where nothing in it can be spoken.
    """
    parts = list(_parts(text.replace("--", "—").translate(_ALIKE)))
    texts = [part for part, kind in parts if kind == "text" and _LETTER.search(part)]
    spoken = iter(speaker.phonemes(texts, "en" if language == "en-gb" else language) if texts else ())
    symbols = ""
    for part, kind in parts:
        if kind == "text" and _LETTER.search(part):
            symbols += f"{' ' * part[0].isspace()}{to_symbols(next(spoken), language)}{' ' * part[-1].isspace()}"
        elif kind == "ipa":
            symbols += "".join(symbol for symbol in part if symbol in TOKENS)
        else:
            symbols += " " if part.isspace() else part if kind == "mark" else " "
    symbols = " ".join(symbols.split())
    if not _LETTER.search(symbols):
        raise InputError("kokoro: the text holds nothing that can be spoken; write words.")
    return symbols


def split_symbols(symbols: str, most: int = MAX_TOKENS) -> list[str]:
    """Symbols in parts that the model reads at once, cut behind a sentence where that halves them well, else behind a clause or
    a word. Nothing but white space is lost."""
    if len(symbols) <= most:
        return [symbols]
    parts = -(-len(symbols) // most)
    ideal = len(symbols) / parts
    for pattern in _BREAKS:
        places = [match.end() for match in pattern.finditer(symbols) if ideal / 2 <= match.end() <= most]
        if places:
            place = min(places, key=lambda end: abs(end - ideal))
            return [symbols[:place].strip(), *split_symbols(symbols[place:].strip(), most)]
    return [symbols[:most], *split_symbols(symbols[most:], most)]


def _parts(text: str) -> Iterator[tuple[str, str]]:
    start = 0
    for match in _PART.finditer(text):
        if match.start() > start:
            yield text[start : match.start()], "text"
        yield (match["ipa"], "ipa") if match["ipa"] else (match["mark"], "mark")
        start = match.end()
    if start < len(text):
        yield text[start:], "text"
