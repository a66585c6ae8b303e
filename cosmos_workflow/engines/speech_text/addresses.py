"""Addresses of the web and telephone numbers."""

# ruff: noqa: RUF001 - signs of many scripts look alike

from __future__ import annotations

import re

from cosmos_workflow.engines.speech_text.dates import looks_like_a_date
from cosmos_workflow.engines.speech_text.languages import Language
from cosmos_workflow.engines.speech_text.numbers import spelt

# What isn't an address is looked through once: none begins within what could be one.
_URL = re.compile(
    r"\b(?:https?://|www\.)[^\s<>\"“”()\[\]]+|"
    r"(?<![\w-])(?<!\w\.)\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io|edu|gov|de|fr|es|it|uk|br|eu)\b(?:/[^\s<>\"()]*)?"
)
_MAIL = re.compile(r"(?<![\w+-])(?<!\w\.)\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_PHONE = re.compile(
    r"(?<![\w.,])(?:\+\d{1,3}[ .-]?)?"
    r"(?:\(\d{2,5}\)[ .-]?\d{2,5}(?:[ .-]\d{2,5}){1,3}|\d{2,5}(?:[ .-]\d{2,5}){2,4})(?![\w]|[.,]\d)"
    r"|(?<!\w)\+\d{8,14}(?!\w)|(?<![\w.,])0\d{1,4}[ /-]\d{5,8}(?![\w]|[.,]\d)"
)


def addresses(text: str, language: Language) -> str:
    """Web and mail addresses, sign by sign."""

    def said(address: str) -> str:
        signs = "".join(re.escape(sign) for sign in language.web)
        parts = re.split(rf"([{signs}])", re.sub(r"^https?://", "", address))
        return " ".join(language.web.get(part, part) for part in parts if part)

    def url(match: re.Match[str]) -> str:
        address = match[0].rstrip(".,;:!?…'’")
        return said(address.rstrip("/")) + match[0][len(address) :]

    text = _MAIL.sub(lambda match: said(match[0]), text)
    return _URL.sub(url, text)


def phones(text: str, language: Language) -> str:
    """Telephone numbers, digit by digit."""

    def digits(match: re.Match[str]) -> str:
        found = match[0]
        count = sum(character.isdigit() for character in found)
        if not 7 <= count <= 15 or looks_like_a_date(found) or _is_grouped(found, language):
            return found
        groups = ", ".join(spelt(group, language) for group in re.findall(r"\d+", found))
        return f"{language.signs.get('+', '')} {groups}".strip() if found.startswith("+") else groups

    return _PHONE.sub(digits, text)


def _is_grouped(found: str, language: Language) -> bool:
    """Whether it is one number in groups of three, such as "67.000.000".

    With spaces, which telephone numbers have as well, a round one is, and any in French, whose telephone numbers are pairs.
    """
    groups = re.fullmatch(r"[1-9]\d{0,2}([ .])\d{3}(?:\1\d{3})+", found)
    if groups is None or language.code == "en":
        return False
    return language.decimal == "," if groups[1] == "." else language.code == "fr" or found.endswith("000")
