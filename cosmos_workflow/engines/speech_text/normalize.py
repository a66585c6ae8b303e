"""Text as it is said: numbers, dates, money, addresses, short forms and signs in words; marks that aren't spoken away."""

# ruff: noqa: RUF001 - signs of many scripts look alike

from __future__ import annotations

import re
from collections.abc import Callable

from cosmos_workflow.engines.speech_text.addresses import addresses, phones
from cosmos_workflow.engines.speech_text.dates import dates, decades, times
from cosmos_workflow.engines.speech_text.languages import Language, find_language
from cosmos_workflow.engines.speech_text.marks import IPA, PAUSE
from cosmos_workflow.engines.speech_text.markup import without_emoji, without_markdown
from cosmos_workflow.engines.speech_text.names import roman, short_forms
from cosmos_workflow.engines.speech_text.numbers import cardinal, number, ordinal, year
from cosmos_workflow.engines.speech_text.quantities import digits, measures, minus, money

_PROTECTED = re.compile(rf"{IPA.pattern}|{PAUSE.pattern}", re.IGNORECASE)
_VERSION = re.compile(r"(?<![\d.])\d+(?:\.\d+){2,}(?![\w.]*\d)")
_FRACTION = re.compile(r"(?<![\d/.,])(\d{1,2})/(\d{1,3})(?![\d/.,])")
_FRACTIONS = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅛": "1/8"}
_BETWEEN_WORDS = "+=#×÷"
_YEAR_BEFORE = re.compile(
    r"\b(?:in|since|of|from|until|till|by|year|early|late|before|after|around|circa|during|summer|winter|spring|autumn|fall|"
    r"january|february|march|april|may|june|july|august|september|october|november|december)[,.]?\s+$|\(\s*$",
    re.IGNORECASE,
)


def normalize(text: str, language: str) -> str:
    """The text as it is said in a language. IPA and pauses are left alone; so is what the language has no words for."""
    known = find_language(language)
    text = "".join(str(int(letter)) if letter.isdecimal() else letter for letter in text)
    parts: list[str] = []
    start = 0
    for match in [*_PROTECTED.finditer(text), None]:
        parts.append(_normalize(text[start : match.start() if match else len(text)], known, language))
        if match:
            parts.append(match[0])
            start = match.end()
    return "".join(parts).strip()


def _normalize(text: str, language: Language | None, code: str) -> str:
    text = without_emoji(without_markdown(text))
    if language is None:
        return text
    if language.code == "en":
        text = decades(text, language)
    if language.months:
        text = addresses(text, language)
        text = short_forms(text, language)
        text = phones(text, language)
        text = dates(text, language, american=code.lower() in ("en", "en-us", "en_us"))
        text = times(text, language)
        text = roman(text, language)
        text = money(text, language)
        text = measures(text, language)
        text = _ordinals(text, language)
    text = _numbers(text, language)
    return _signs(text, language) if language.months else text


def _ordinals(text: str, language: Language) -> str:
    ending = "n" if language.code == "de" else ""
    return re.sub(rf"(?<![\w.,])(\d{{1,4}}){language.ordinal}", lambda match: ordinal(match[1], language) + ending, text)


def _numbers(text: str, language: Language) -> str:
    for sign, written in _FRACTIONS.items():
        if sign not in text:
            continue
        text = re.sub(rf"(?<=\d)\s?{sign}", f" {language.signs.get('&', '')} {written}", text).replace(sign, written)
    if language.code == "en":
        text = re.sub(r"(?<=[A-Za-z])-(?=\d)", " ", text)
        text = _FRACTION.sub(lambda match: _fraction(match[1], match[2], language), text)
    text = _VERSION.sub(lambda match: _version(text, match, language), text)
    if language.to:
        text = re.sub(r"(?<![\w.,-])(\d+)\s?[–—]\s?(?=\d)|(?<![\w.,-])(\d{1,3})-(?=\d{1,3}(?![\w-]))", _range(language), text)

    def words(match: re.Match[str]) -> str:
        found = match["amount"]
        sign = f"{minus(language)} " if match["minus"] else ""
        if language.code == "en" and re.fullmatch(r"1[1-9]\d\d|20\d\d", found) and _is_year(text, match):
            return sign + year(found, language)
        return _apart(text, match, sign + number(found, language))

    before = r"(?P<minus>(?<![\w.,)])[-−](?=\d))?"
    return re.sub(rf"{before}(?P<amount>{digits(language)})", words, text)


def _version(text: str, match: re.Match[str], language: Language) -> str:
    """A version or an address, part by part; "1.234.567" is a number where points divide groups."""
    parts = match[0].split(".")
    groups = len(parts[0]) <= 3 and all(len(part) == 3 for part in parts[1:])
    address = len(parts) == 4 and all(int(part) < 256 for part in parts)
    decimals = re.match(r",\d", text[match.end() :])
    if groups and not address and (language.decimal == "," or decimals):
        return match[0]
    return _apart(text, match, f" {_dot(language)} ".join(cardinal(part, language) for part in parts))


def _apart(text: str, match: re.Match[str], words: str) -> str:
    """Words with a space to a letter that touched the number: "B two B"."""
    before, after = text[: match.start()][-1:], text[match.end() :][:1]
    return f"{' ' * before.isalpha()}{words}{' ' * after.isalpha()}"


def _is_year(text: str, match: re.Match[str]) -> bool:
    # "fifteen hundred men" is right as well, so only what surely is no year is read as a quantity.
    return bool(_YEAR_BEFORE.search(text[: match.start()])) or not re.match(r"\s+[a-z]", text[match.end() :])


def _dot(language: Language) -> str:
    return {"en": "point"}.get(language.code, language.web.get(".", "."))


def _range(language: Language) -> Callable[[re.Match[str]], str]:
    return lambda match: f"{match[1] or match[2]} {language.to} "


def _fraction(top: str, bottom: str, language: Language) -> str:
    if bottom in ("0", "1") or int(top) >= int(bottom) * 4:
        return f"{top}/{bottom}"
    if bottom == "2":
        return f"{cardinal(top, language)} {'half' if top == '1' else 'halves'}"
    part = "quarter" if bottom == "4" else ordinal(bottom, language)
    return f"{cardinal(top, language)} {part}{'' if top == '1' else 's'}"


def _signs(text: str, language: Language) -> str:
    for sign, words in language.signs.items():
        if sign not in text:
            continue  # as almost always, in a long queue
        if sign in _BETWEEN_WORDS:
            # "a+b" and "C#" are names; "2 + 2" and "#5" are read.
            text = re.sub(rf"(?:(?<=\s)|^){re.escape(sign)}(?=\s|\w)", f" {words} ", text)
        else:
            text = re.sub(rf"[ \t]*{re.escape(sign)}[ \t]*", f" {words} ", text)
    return re.sub(r" +([,.;:!?…)])", r"\1", re.sub(r"[ \t]{2,}", " ", text))
