"""Numbers in words, by num2words."""

from __future__ import annotations

import re

from cosmos_workflow.engines.speech_text.languages import Language

MOST_DIGITS = 15
"""A longer number is read digit by digit, as is one that begins with a zero."""

_POINTS = {"ar": " فاصلة ", "fa": " ممیز ", "tr": " virgül "}
"""Where num2words runs the point together with the number, or leaves it out."""


def cardinal(digits: str, language: Language) -> str:
    """A whole number without signs between its digits."""
    if len(digits) > MOST_DIGITS or (len(digits) > 1 and digits.startswith("0")):
        return spelt(digits, language)
    return _words(digits, language, "cardinal")


def ordinal(digits: str, language: Language) -> str:
    """A place in an order: "third"."""
    try:
        return _words(digits, language, "ordinal")
    except (NotImplementedError, ValueError, OverflowError):
        return cardinal(digits, language)


def year(digits: str, language: Language) -> str:
    """A year: "nineteen eighty-four"."""
    if language.code == "en" and digits.startswith("200"):
        return cardinal(digits, language)
    if language.code not in ("en", "de", "nl"):
        return cardinal(digits, language)
    return _words(digits, language, "year").replace("oh-", "oh ")


def spelt(digits: str, language: Language) -> str:
    """Digits one by one."""
    return " ".join(_words(digit, language, "cardinal") for digit in digits)


def number(text: str, language: Language) -> str:
    """A number as it is written: digits, signs between groups, a decimal part."""
    whole, point, part = text.partition(language.decimal)
    digits = re.sub(r"[^0-9]", "", whole)
    if not point or not part.isdigit():
        return cardinal(digits, language)
    # num2words rounds what it takes for a number of too many digits; so the part behind the point is read as it stands.
    if between := _point(language):
        return f"{cardinal(digits or '0', language)}{between}{spelt(part, language)}"
    try:
        return _words(f"{digits or '0'}.{part}", language, "cardinal") if len(digits) + len(part) <= MOST_DIGITS else text
    except (NotImplementedError, ValueError, IndexError):
        return text


def _point(language: Language) -> str:
    """What stands between a number and what is read behind it digit by digit, with its spaces; empty in a language that says
    tenths and hundredths."""
    said, zero, *ends = (_words(digits, language, "cardinal") for digits in ("0.1", "0", "1", "10"))
    end = next((end for end in ends if said.endswith(end)), "")  # num2words reads a tenth as ten hundredths in some
    own = said[len(zero) : -len(end)] if end and said.startswith(zero) else ""
    return _POINTS.get(language.code, own)


def minus(language: Language) -> str:
    """The word for a minus sign."""
    return _words("-2", language, "cardinal").split()[0]


def _words(digits: str, language: Language, kind: str) -> str:
    from num2words import num2words

    value = float(digits) if "." in digits else int(digits)
    # "one thousand, two hundred" would be spoken with a pause.
    return str(num2words(value, lang=language.number, to=kind)).replace(",", "")
