"""Text to the model's phoneme symbols: words by the speech library in a process of its own, punctuation and IPA as they are."""

# ruff: noqa: RUF001 - phonetic letters, quotation marks and dashes of many scripts

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

from cosmos_workflow.engines.espeak.engine import Speaker
from cosmos_workflow.errors import InputError

MAX_TOKENS = 510
"""Tokens that the model reads at once; two more stand for the ends."""

# Symbols whose ids follow one another, each run behind the id of its first; "_" is the space. The model's own table.
_RUNS = """
1 ;:,.!?  9 —…"()“”_\u0303ʣʥʦʨᵝ\uab67AI  31 O  33 Q  35 ST  39 W  41 Yᵊabcdef  50 hijklmnopqrstuvwxyzɑɐɒæ  75 βɔɕç
80 ɖðʤə  85 ɚɛɜ  90 ɟ  92 ɡ  99 ɥ  101 ɨɪʝ  110 ɯɰŋɳɲɴø  118 ɸθœ  123 ɹ  125 ɾɻ  128 ʁɽʂʃʈʧ  135 ʊʋ  138 ʌɣɤ  142 χʎ
147 ʒʔ  156 ˈˌː  162 ʰ  164 ʲ  169 ↓  171 →↗↘  177 ᵻ
"""
TOKENS: Mapping[str, int] = {
    symbol: int(first) + place
    for first, symbols in re.findall(r"(\d+) (\S+)", _RUNS)
    for place, symbol in enumerate(symbols.replace("_", " "))
}

_TIE = "\u0361"
_SYLLABIC = "\u0329"
# A sound of two letters, and its symbols.
_PAIRS = dict(re.findall(r"(\S\S)(\S+)", "aɪI aʊW dzʣ dʒʤ eɪA oʊO əʊQ tsʦ tʃʧ ɔɪY əlᵊl eəɛː ɛəɛː"))
_PAIR = re.compile("|".join(f"{first}{_TIE}{second}" for first, second in _PAIRS))
# What English, as the model learned it, writes otherwise than the library.
_ENGLISH = str.maketrans("ʔxçɬr", "tkklɹ", "ʲ\u0303")
_AMERICAN = (("ɜː", "ɜɹ"), ("ɚɹ", "əɹ"), ("ɚ", "əɹ"), ("ː", ""), ("oɹ", "ɔɹ"))
_WEAK_A = re.compile(r"ɐ(?=\w)|(?<=\w)ɐ")

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


def to_symbols(ipa: str, language: str) -> str:
    """IPA as the speech library writes it for a language, in the symbols of the model; what it has no symbol for is left out."""
    text = unicodedata.normalize("NFD", ipa) if _SYLLABIC in ipa else ipa
    text = re.sub(rf"([nlmɹ]){_SYLLABIC}", r"ᵊ\1", text)
    text = _PAIR.sub(lambda match: _PAIRS[match[0].replace(_TIE, "")], text).replace(_TIE, "")
    if language.startswith("en"):
        text = _WEAK_A.sub("ə", text.translate(_ENGLISH))
    if language == "en-us":
        for old, new in _AMERICAN:
            text = text.replace(old, new)
    return "".join(symbol for symbol in text if symbol in TOKENS)


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
