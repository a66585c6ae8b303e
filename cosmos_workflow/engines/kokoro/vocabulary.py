"""The model's phoneme symbols with their token ids, and how the speech library's IPA is written in them."""

# ruff: noqa: RUF001 - phonetic letters look like others

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

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


def tokens_of(symbols: str) -> list[int]:
    """The ids of symbols, each of which the model knows."""
    return [TOKENS[symbol] for symbol in symbols]
