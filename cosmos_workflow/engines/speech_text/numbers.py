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


def parts_of(written: str, language: Language) -> tuple[str, str]:
    """The digits before and behind the decimal sign of a number, written as the language does or as others do: "2.5" in a German
    text, "3,50" in an English one. Where both readings are right, such as "1.500", it is the language's."""
    signs = re.sub(r"[^.,]", "", written)
    last = signs[-1:]
    if len(set(signs)) == 1:
        decimal = len(signs) == 1 and (last == language.decimal or not re.fullmatch(r"\d{1,3}[.,]\d{3}", written))
    else:
        decimal = signs.count(last) == 1
    whole, _, part = written.rpartition(last) if last and decimal else (written, "", "")
    return re.sub(r"\D", "", whole), part


def number(text: str, language: Language) -> str:
    """A number as it is written: digits, signs between groups, a decimal part."""
    digits, part = parts_of(text, language)
    if not part:
        return cardinal(digits, language)
    # num2words rounds what it takes for a number of too many digits; so the part behind the point is read as it stands.
    if between := _point(language):
        return f"{cardinal(digits, language)}{between}{spelt(part, language)}"
    try:
        return _words(f"{digits}.{part}", language, "cardinal") if len(digits) + len(part) <= MOST_DIGITS else text
    except (NotImplementedError, ValueError, LookupError):
        return text


def _point(language: Language) -> str:
    """What stands between a number and what is read behind it digit by digit, with its spaces; empty in a language that says
    tenths and hundredths."""
    if own := _POINTS.get(language.code):
        return own
    said, zero, *ends = (_words(digits, language, "cardinal") for digits in ("0.1", "0", "1", "10"))
    end = next((end for end in ends if said.endswith(end)), "")  # num2words reads a tenth as ten hundredths in some
    return said[len(zero) : -len(end)] if end and said.startswith(zero) else ""


def _words(digits: str, language: Language, kind: str) -> str:
    from num2words import num2words

    value = float(digits) if "." in digits else int(digits)
    # "one thousand, two hundred" would be spoken with a pause.
    return str(num2words(value, lang=language.number, to=kind)).replace(",", "")
