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
_ROMAN = re.compile(r"(?<!\w)(?<!\w['’.-])(\w[\w'’.-]*)\s+([IVXLC]{1,9})\b(?!['’.]\w)(?!(?<=\s[IVX])\.\s+[A-Z])")
# Words behind which a single letter or more is a part's number, and those behind which it is a ruler's.
_PARTS = _words(
    "chapter part act scene book volume section war phase type class level stage episode figure table appendix article "
    "kapitel teil band akt szene buch chapitre partie tome acte livre capítulo parte acto libro tomo capitolo atto livro ato"
)
_RULERS = _words(
    "king queen pope emperor henry louis charles george edward elizabeth william james richard john paul pius philip peter "
    "alexander catherine frederick gustav leo benedict innocent clement ludwig friedrich wilhelm karl heinrich otto papst könig "
    "roi reine pape henri françois napoléon papa rey reina carlos felipe alfonso luis fernando isabel juan pablo pío "
    "enrico umberto vittorio emanuele luigi carlo giovanni paolo pio leone federico filippo luís joão pedro afonso "
    "filipe franz georg"
)


_CENTURIES = {
    "fr": re.compile(r"\b(?P<numeral>I(?=er\b)|[IVX]*[VXI])(?:er|ème|e)\b(?<!\bIe)"),
    "it": re.compile(r"\b(?P<numeral>[IVX]+(?=\s+secol[oi]\b)|(?<=\bsecolo )[IVX]+)\b"),
    "es": re.compile(r"(?:(?<=\bsiglo )|(?<=\bsiglos )|(?<=[IVX] y ))(?P<numeral>[IVX]+)\b"),
    "pt": re.compile(r"(?:(?<=\bséculo )|(?<=\bséculos )|(?<=[IVX] e ))(?P<numeral>[IVX]+)\b"),
}


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
    if language.code == "it":
        text = re.sub(r"(?<=\banni )['’](?=\d0\b)", "", text)
    for form, word in language.numbered.items():
        numeral = r"\d|[IVX]+\b" if word.casefold() in _PARTS else r"\d"
        text = re.sub(rf"\b{re.escape(form)}(?=\s*(?:{numeral}))", word, text)
    return text


def roman(text: str, language: Language) -> str:
    """ "Henry VIII" and "Chapter IV", where the name before them says that they are numerals."""

    def words(match: re.Match[str]) -> str:
        before, numeral = match[1], match[2]
        value = _ROMAN_VALUES.get(numeral)
        name = before.casefold().rstrip(".")
        # "for my part I think" has no part one.
        if value is None or not (before[:1].isupper() or (name in _PARTS and numeral != "I")):
            return match[0]
        if name in _PARTS:
            return f"{before} {cardinal(str(value), language)}"
        # A single letter is an initial, or the English word I, unless a ruler stands before it; and nobody was the fortieth.
        if value >= 40 or (name not in _RULERS and len(numeral) == 1):
            return match[0]
        if name == "war":
            return f"{before} {cardinal(str(value), language)}"
        return " ".join(part for part in (before, language.regnal, _place(value, language)) if part)

    if language.code == "de":  # "Ludwig XIV. kam": its point is that of an ordinal
        text = re.sub(r"(?<=\s)([IVX]{1,7})\.(?=\s+[a-zäöü])", r"\1", text)
    text = _ROMAN.sub(words, text)
    if known := _CENTURIES.get(language.code):
        text = known.sub(lambda match: _century(match, language), text)
    return text


def _place(value: int, language: Language) -> str:
    """A ruler's or a century's number: French counts from the second on, Spanish and Portuguese from the eleventh."""
    counted = {"fr": 1, "es": 10, "pt": 10}.get(language.code)
    if counted is not None and value > counted:
        return cardinal(str(value), language)
    return "premier" if language.code == "fr" else ordinal(str(value), language)


def _century(match: re.Match[str], language: Language) -> str:
    value = _ROMAN_VALUES.get(match["numeral"])
    if value is None:
        return match[0]
    if language.code == "fr":
        return "premier" if value == 1 else ordinal(str(value), language)
    return _place(value, language)


def _as_roman(value: int) -> str:
    tens = ("", "X", "XX", "XXX", "XL", "L", "LX", "LXX", "LXXX", "XC")[value // 10 % 10]
    return "C" * (value // 100) + tens + ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")[value % 10]


_ROMAN_VALUES = {_as_roman(value): value for value in range(1, 1000)}
