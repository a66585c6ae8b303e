"""Text as it is said: numbers, dates, money, addresses, short forms and signs in words; marks that aren't spoken away."""

# ruff: noqa: RUF001 - signs of many scripts look alike

from __future__ import annotations

import re
from functools import lru_cache

from cosmos_workflow.engines.speech_text.addresses import addresses, phones
from cosmos_workflow.engines.speech_text.dates import dates, decades, times
from cosmos_workflow.engines.speech_text.languages import Language, find_language
from cosmos_workflow.engines.speech_text.marks import IPA, PAUSE
from cosmos_workflow.engines.speech_text.markup import without_emoji, without_markdown
from cosmos_workflow.engines.speech_text.names import roman, short_forms
from cosmos_workflow.engines.speech_text.numbers import cardinal, number, ordinal, spelt, year
from cosmos_workflow.engines.speech_text.pronunciations import parse_list, pronounce
from cosmos_workflow.engines.speech_text.quantities import digits, measures, minus, money

_PROTECTED = re.compile(rf"{IPA.pattern}|{PAUSE.pattern}", re.IGNORECASE)
_VERSION = re.compile(r"(?<![\d.])\d+(?:\.\d+){2,}(?![\w.]*\d)")
_FRACTION = re.compile(r"(?<![\d/.,])(\d{1,2})/(\d{1,3})(?![\d/.,])")
_FRACTIONS = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅛": "1/8"}
# With a hyphen only what is surely no score, address or name: short numbers, and years.
_RANGE = re.compile(
    r"(?<![\w.,-])(\d+)\s?[–—]\s?(?=\d)|"
    r"(?<![\w.,-])(\d{1,3}(?=-\d{1,3}(?![\w-]))|[12]\d{3}(?=-[12]\d{3}(?![\w-])))-"
)
_YEAR_AFTER = re.compile(
    r"\s+(?:and|or|to|but|until|till|when|while|as|at|the|he|she|it|they|we|was|were|is|has|had|with|by|for|from|in|on|that|which|who|"
    r"after|before|came|versus)\b"
)
_GERMAN_ORDINAL = re.compile(
    r"\b((?P<before>(?:in|auf|an|aus|bei|mit|nach|seit|von|zu|unter|vor|über|während|ab)\s+)?"
    r"(?P<article>der|die|das|dem|den|des|im|am|vom|zum|zur|beim|ins|jedem|jeden|jeder|seinem|seinen|ihrem|ihren|einem)\s+)"
    r"(?P<number>\d{1,3})\.(?=\s+[^\W\d_])",
    re.IGNORECASE,
)
_BETWEEN_WORDS = "+=#×÷"
_YEAR_BEFORE = re.compile(
    r"(?<!\w)(?:in|since|of|from|until|till|by|year|early|late|before|after|around|circa|during|summer|winter|spring|autumn|fall|"
    r"c\.|ca\.|january|february|march|april|may|june|july|august|september|october|november|december)[,.]?\s+$|\(\s*$",
    re.IGNORECASE,
)


@lru_cache(maxsize=16_384)
def as_spoken(text: str, language: str, normalized: bool, pronunciations: str, ipa: bool) -> str:
    """The text as it is said in a language. Where the engine takes no `ipa`, a word with phonemes is the word."""
    said = pronounce(text, parse_list(pronunciations))
    if not ipa:
        said = IPA.sub(lambda match: match["word"], said)
    return normalize(said, language) if normalized else said


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
    if language.code == "de":
        text = _GERMAN_ORDINAL.sub(lambda match: _german_ordinal(match, language), text)

    def said(match: re.Match[str]) -> str:
        words = ordinal(match[1], language)
        return f"{words[:-1]}a" if match[0].endswith("ª") and words.endswith("o") else words + ending

    return re.sub(rf"(?<![\w.,])(\d{{1,4}}){language.ordinal}", said, text)


def _german_decade(digits: str, language: Language) -> str:
    return year(digits, language) if len(digits) == 4 else cardinal(digits, language)


def _german_ordinal(match: re.Match[str], language: Language) -> str:
    """ "im 2. Stock", "der 3. Mann", "in der 4. Reihe"."""
    weak = match["before"] or match["article"].lower() not in ("der", "die", "das")
    return f"{match[1]}{ordinal(match['number'], language)}{'n' if weak else ''}"


def _numbers(text: str, language: Language) -> str:
    if language.fractions:
        text = _fractions(text, language)
    # "1,2,3" is a list, as long as it can't be groups of three.
    text = re.sub(r"(?<![\d.,])\d+(?:,\d{1,2}){2,}(?!\d|[.,]\d)", lambda match: match[0].replace(",", ", "), text)
    if language.code == "de":
        text = re.sub(r"(?<![\w.,])(\d{2,4})er\b", lambda match: f"{_german_decade(match[1], language)}er", text)
    if language.code == "en":
        text = re.sub(r"\b24/7\b", "24 7", text)
        text = re.sub(r"(?<![\w.])(\d)['’′] ?(\d{1,2})(?:[\"”″]|['’′]{2})", r"\1 foot \2", text)
        text = re.sub(r"(?<![\w.])\.(\d+)\b", lambda match: f"point {spelt(match[1], language)}", text)
        text = re.sub(r"(?<=[A-Za-z])-(?=\d)", " ", text)
        text = _FRACTION.sub(lambda match: _fraction(match[1], match[2], language), text)
    text = _VERSION.sub(lambda match: _version(text, match, language), text)
    if language.to:
        text = _RANGE.sub(lambda match: f"{match[1] or match[2]} {language.to} ", text)

    def words(match: re.Match[str]) -> str:
        found = match["amount"]
        sign = f"{minus(language)} " if match["minus"] else ""
        if language.code == "en" and re.fullmatch(r"1[1-9]\d\d|20\d\d", found) and _is_year(text, match):
            return sign + year(found, language)
        if language.code == "de" and re.fullmatch(r"1[1-9]\d\d", found):  # so are fifteen hundred men
            return _apart(text, match, sign + year(found, language))
        return _apart(text, match, sign + number(found, language))

    before = r"(?P<minus>(?<![\w.,)])[-−](?=\d))?"
    return re.sub(rf"{before}(?P<amount>{digits(language)})", words, text)


def _fractions(text: str, language: Language) -> str:
    """Those that have words of their own; alone, and behind a whole number."""
    joint = language.signs["&"]
    for sign, written in _FRACTIONS.items():
        if sign in text:
            text = re.sub(rf"(?<=\d){sign}", f" {written}", text).replace(sign, written)
    known = "|".join(written for written in language.fractions if "/" in written)

    def said(match: re.Match[str]) -> str:
        words = language.fractions[match["fraction"]]
        if not match["whole"]:
            return words
        whole = cardinal(match["whole"], language)
        return f"{whole}{language.fractions['½']}" if match["fraction"] == "1/2" else f"{whole} {joint} {words}"

    return re.sub(rf"(?<![\d/.,])(?:(?P<whole>\d{{1,3}})\s)?(?P<fraction>{known})(?![\d/]|[.,]\d)", said, text)


def _version(text: str, match: re.Match[str], language: Language) -> str:
    """A version or an address, part by part; "1.234.567" is a number where points divide groups."""
    parts = match[0].split(".")
    groups = len(parts[0]) <= 3 and all(len(part) == 3 for part in parts[1:])
    address = len(parts) == 4 and all(int(part) < 256 for part in parts)
    decimals = re.match(r",\d", text[match.end() :])
    if groups and not address and (language.decimal == "," or decimals):
        return match[0]
    dot = "point" if language.code == "en" else language.web.get(".", ".")
    return _apart(text, match, f" {dot} ".join(cardinal(part, language) for part in parts))


def _apart(text: str, match: re.Match[str], words: str) -> str:
    """Words with a space to a letter that touched the number: "B two B"."""
    before, after = text[: match.start()][-1:], text[match.end() :][:1]
    return f"{' ' * before.isalpha()}{words}{' ' * after.isalpha()}"


def _is_year(text: str, match: re.Match[str]) -> bool:
    # "fifteen hundred men" is right as well, so only what surely is no year is read as a quantity.
    after = text[match.end() :]
    if _YEAR_AFTER.match(after) or _YEAR_BEFORE.search(text, max(0, match.start() - 24), match.start()):
        return True
    return not re.match(r"\s+[a-z]", after)


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
            text = re.sub(rf"(?:(?<=[\s(])|^){re.escape(sign)}(?=\s|\w)", f" {words} ", text)
        else:
            text = re.sub(rf"[ \t]*{re.escape(sign)}[ \t]*", f" {words} ", text)
    return re.sub(r" +([,.;:!?…)])", r"\1", re.sub(r"[ \t]{2,}", " ", text)).replace("( ", "(")
