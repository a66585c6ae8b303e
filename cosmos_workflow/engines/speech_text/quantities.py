"""Money, and numbers with a unit."""

# ruff: noqa: RUF001 - signs of many scripts look alike

from __future__ import annotations

import re
from functools import cache

from cosmos_workflow.engines.speech_text.languages import Language
from cosmos_workflow.engines.speech_text.numbers import number, parts_of

_GROUPED = r"\d{1,3}(?:[.,\u00a0\u202f]\d{3})+(?!\d)(?:[.,]\d+)?"
_SPACED = r"\d{1,3}(?: \d{3})+(?!\d)(?:[.,]\d+)?"
_SCALES = {"k": "thousand", "K": "thousand", "m": "million", "M": "million", "bn": "billion", "B": "billion", "T": "trillion"}
_PLAIN = r"\d+(?:[.,]\d+)?"


def money(text: str, language: Language) -> str:
    """Amounts of money."""
    if not language.currencies or not any(map(str.isdecimal, text)):
        return text
    signs = _one_of(tuple(language.currencies))
    letters = "|".join(_SCALES) if language.code == "en" else "(?!)"
    scale = rf"(?:\s+(?P<scale>{'|'.join(language.millions) or '(?!)'})\b|(?P<letter>{letters})\b)?"

    def said(match: re.Match[str]) -> str:
        one, many, cent, cents = language.currencies[match["sign"]]
        amount = match["amount"]
        below = f"{minus(language)} " if match["minus"] else ""
        if size := match["scale"] or _SCALES.get(match["letter"] or ""):
            joint = " de " if language.code in ("fr", "es", "pt") and size != "mil" else " "
            return f"{below}{number(amount, language)} {size}{joint}{many}"
        whole, part = parts_of(amount, language)
        whole = whole.lstrip("0") or "0"
        if part and len(part) != 2:
            return f"{below}{number(amount, language)} {many}"
        words = f"{_counted(whole, language)} {one if whole == '1' else many}"
        if not part.strip("0"):
            return below + words
        hundredths = f"{_counted(str(int(part)), language)} {cent if int(part) == 1 else cents}"
        if whole == "0":
            return below + hundredths
        return f"{below}{words} {language.signs['&']} {hundredths}"

    sign = r"(?P<minus>(?<![\w.,])[-−])?"
    text = re.sub(rf"{sign}(?<!\w)(?P<sign>{signs})\s?(?P<amount>{digits(language)}){scale}", said, text)
    return re.sub(rf"{sign}(?<![\w.,])(?P<amount>{digits(language)}){scale}\s?(?P<sign>{signs})(?!\w)", said, text)


def measures(text: str, language: Language) -> str:
    """Numbers with a unit."""
    if not language.units or not any(map(str.isdecimal, text)):
        return text
    units = _one_of(tuple(language.units))

    def said(match: re.Match[str]) -> str:
        one, many = language.units[match["unit"]]
        amount = match["amount"]
        below = f"{minus(language)} " if match["minus"] else ""
        until = f"{number(match['first'], language)} {language.to} " if match["first"] else ""
        counted = _counted(amount, language) if amount == "1" else number(amount, language)
        return f"{below}{until}{counted} {one if amount == '1' and not until else many}"

    sign = r"(?P<minus>(?<![\w.,])[-−])?(?<![\w.,])"
    span = rf"(?:(?P<first>{digits(language)})\s?[–-]\s?)?(?P<amount>{digits(language)})"
    # "5 lbs. and": a full stop before a small letter ends no sentence.
    return re.sub(rf"{sign}{span}[ \u00a0]?(?P<unit>{units})(?![\w²³])(?:\.(?=\s+[a-z]))?", said, text)


@cache
def _one_of(words: tuple[str, ...]) -> str:
    """A pattern of any of these words, the longest that fits."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def digits(language: Language) -> str:
    """A pattern of a number. A plain space between groups is nothing that English does."""
    return "|".join((_GROUPED, *(() if language.code == "en" else (_SPACED,)), _PLAIN))


def _counted(digits: str, language: Language) -> str:
    """A number before a noun: "un euro", not "uno euro"."""
    if digits == "1" and language.code in ("de", "es", "it"):
        return {"de": "ein", "es": "un", "it": "un"}[language.code]
    return number(digits, language)


_MINUS = {"cs": "minus", "pl": "minus", "sk": "mínus", "vi": "âm"}
"""Where num2words has no negative numbers, or wrong ones."""


def minus(language: Language) -> str:
    """The word for a minus sign."""
    from num2words import num2words

    if own := _MINUS.get(language.code):
        return own
    below, above = (str(num2words(value, lang=language.number)) for value in (-2, 2))
    return below.removesuffix(above).strip()
