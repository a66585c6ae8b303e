"""Short forms such as Mr. and etc., and Roman numerals behind a name."""

# ruff: noqa: RUF001 - signs of many scripts look alike

from __future__ import annotations

import re

from cosmos_workflow.engines.speech_text.languages import Language
from cosmos_workflow.engines.speech_text.numbers import cardinal, ordinal


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What may stand at the end of a sentence, and then leaves its full stop there.
_CLOSING = frozenset(("etc.", "usw.", "ecc.", "Inc.", "Ltd.", "Co.", "Jr.", "a.m.", "p.m."))
_ROMAN = re.compile(r"\b(\w[\w'’.-]*)\s+([IVX]{1,7})\b(?!['’.]\w)(?!(?<=\s[IVX])\.\s+[A-Z])")
_ONES = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_ROMAN_VALUES = {"X" * (value // 10) + _ONES[value % 10]: value for value in range(1, 80)}
# Words behind which a single letter or more is a part's number, and those behind which it is a ruler's.
_PARTS = _words(
    "chapter part act scene book volume section war phase type class level stage episode figure table appendix article "
    "kapitel teil band akt szene buch chapitre partie tome acte livre capítulo parte acto libro tomo capitolo atto livro ato"
)
_RULERS = _words(
    "king queen pope emperor henry louis charles george edward elizabeth william james richard john paul pius philip peter "
    "alexander catherine frederick gustav leo benedict innocent clement ludwig friedrich wilhelm karl heinrich otto papst könig "
    "roi reine pape henri papa rey reina carlos felipe alfonso luis fernando isabel juan pablo enrico umberto vittorio"
)


def short_forms(text: str, language: Language) -> str:
    """Abbreviations in full."""
    if not language.short:
        return text
    forms = sorted(language.short, key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, forms))})(?!\w)")

    def replaced(match: re.Match[str]) -> str:
        ends = match[0] in _CLOSING and re.match(r"\s*(?:$|[\"'”’)]|\s[A-ZÄÖÜ])", text[match.end() :])
        return language.short[match[0]] + ("." if ends else "")

    text = pattern.sub(replaced, text)
    if language.code == "en":
        text = re.sub(r"\bSt\.(?=\s+[A-Z])", "Saint", text)
        text = re.sub(r"(?<=\w )St\.", "Street", text)
        text = re.sub(r"\b(?:No|Nos)\.(?=\s*\d)", "number", text)
        text = re.sub(r"\bp(p?)\.(?=\s*\d)", lambda match: "pages" if match[1] else "page", text)
    return text


def roman(text: str, language: Language) -> str:
    """ "Henry VIII" and "Chapter IV", where the name before them says that they are numerals."""

    def words(match: re.Match[str]) -> str:
        before, numeral = match[1], match[2]
        value = _ROMAN_VALUES.get(numeral)
        name = before.casefold().rstrip(".")
        if value is None or not before[:1].isupper():
            return match[0]
        if name in _PARTS:
            return f"{before} {cardinal(str(value), language)}"
        # A single letter is an initial, or the English word I, unless a ruler stands before it.
        if name not in _RULERS and (len(numeral) == 1 or language.code != "en"):
            return match[0]
        if name == "war":
            return f"{before} {cardinal(str(value), language)}"
        return " ".join(part for part in (before, language.regnal, ordinal(str(value), language)) if part)

    return _ROMAN.sub(words, text)
