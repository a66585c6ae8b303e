"""Dates and times of day."""

# ruff: noqa: RUF001 - signs of many scripts look alike

from __future__ import annotations

import re
from collections.abc import Iterator

from cosmos_workflow.engines.speech_text.languages import Language
from cosmos_workflow.engines.speech_text.numbers import cardinal, ordinal, year

_ISO_DATE = re.compile(r"(?<![\d/-])(\d{4})-(\d{2})-(\d{2})(?![\d/-])")
_SLASH_DATE = re.compile(r"(?<![\d/.])(\d{1,2})([/.])(\d{1,2})\2(\d{4})(?![\d/])")
_TIME = re.compile(
    r"(?<![\d:.])([01]?\d|2[0-4]):([0-5]\d)(?::[0-5]\d)?(?:\s*([ap])\.?\s?m\b\.?)?(?:\s*(?:Uhr|h)\b)?(?![\d:])", re.IGNORECASE
)
_HOUR = re.compile(r"\b(1[0-2]|[1-9])\s*([ap])\.?\s?m\b\.?", re.IGNORECASE)
_TIME_H = re.compile(r"(?<![\w.,])([01]?\d|2[0-4])\s?h\s?([0-5]\d)?(?!\w)")
_DECADE = re.compile(r"(?<![\w.,])(1[1-9]|20)(\d0)['’]?s\b")


def dates(text: str, language: Language, *, american: bool) -> str:
    """Dates of several notations, with their years; `american` puts the month first."""

    def said(day: int, month: int, digits: str) -> str | None:
        if not (1 <= day <= 31 and 1 <= month <= 12):
            return None
        words = {
            "day": language.first_day if day == 1 and language.first_day else cardinal(str(day), language),
            "ordinal": f"{day}." if language.code == "de" else ordinal(str(day), language),
            "month": language.months[month - 1],
            "year": digits if language.code == "de" else year(digits, language),
        }
        return language.date.format(**words)

    def iso(match: re.Match[str]) -> str:
        return said(int(match[3]), int(match[2]), match[1]) or match[0]

    def slashes(match: re.Match[str]) -> str:
        first, second = int(match[1]), int(match[3])
        month, day = (first, second) if american and match[2] == "/" and first <= 12 else (second, first)
        return said(day, month, match[4]) or match[0]

    text = _SLASH_DATE.sub(slashes, _ISO_DATE.sub(iso, text))
    names = "|".join(language.months)
    if language.code == "en":
        text = re.sub(
            rf"\b({names})\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(\d{{4}})\b)?",
            lambda match: f"{match[1]} {ordinal(match[2], language)}" + (f", {year(match[3], language)}" if match[3] else ""),
            text,
        )
        text = re.sub(
            rf"\b(\d{{1,2}})(?:st|nd|rd|th)?\s+({names})(?:,?\s+(\d{{4}})\b)?",
            lambda match: (
                f"the {ordinal(match[1], language)} of {match[2]}" + (f" {year(match[3], language)}" if match[3] else "")
            ),
            text,
        )
    elif language.code == "de":
        before = r"(?:\b(?P<before>am|vom|zum|dem|den|ab|bis)\s+)?"
        text = re.sub(
            rf"{before}\b(?P<day>\d{{1,2}})\.\s*(?P<month>{names})(?:\s+(?P<year>\d{{4}})\b)?",
            lambda match: " ".join(_german_date(match, language)),
            text,
            flags=re.IGNORECASE,
        )
    elif language.first_day:
        text = re.sub(rf"\b1(?:er|º)?\s+({names})\b", lambda match: f"{language.first_day} {match[1]}", text)
    return text


def _german_date(match: re.Match[str], language: Language) -> Iterator[str]:
    if match["before"]:
        yield match["before"]
    yield ordinal(match["day"], language) + ("n" if match["before"] else "r")
    yield match["month"]
    if match["year"]:
        yield year(match["year"], language)


def decades(text: str, language: Language) -> str:
    """Decades: "the 1990s"."""
    text = _DECADE.sub(lambda match: _plural(year(match[1] + match[2], language)), text)
    return re.sub(r"(?<!\w)['’]([2-9]0)s\b", lambda match: _plural(cardinal(match[1], language)), text)


def times(text: str, language: Language) -> str:
    """Times of day."""

    def clock(match: re.Match[str]) -> str:
        hour, minute, half = cardinal(str(int(match[1])), language), match[2], match[3]
        if half:
            return f"{_minutes(hour, minute, language)} {half.upper()} M"
        if minute == "00":
            return language.full_hour.format(hour=hour)
        if language.code == "en":
            return _minutes(hour, minute, language)
        return language.clock.format(hour=hour, minute=cardinal(str(int(minute)), language))

    text = _TIME.sub(clock, text)
    if language.code in ("fr", "pt"):
        text = _TIME_H.sub(lambda match: _with_h(match, language), text)
    if language.code == "en":
        text = _HOUR.sub(lambda match: f"{cardinal(match[1], language)} {match[2].upper()} M", text)
    return text


def _with_h(match: re.Match[str], language: Language) -> str:
    """ "9h05", as it is written in French and Portuguese."""
    hours = {"fr": ("une heure", "heures"), "pt": ("uma hora", "horas")}[language.code]
    hour = hours[0] if int(match[1]) == 1 else f"{cardinal(str(int(match[1])), language)} {hours[1]}"
    if not match[2] or match[2] == "00":
        return hour
    return f"{hour}{' e' if language.code == 'pt' else ''} {cardinal(str(int(match[2])), language)}"


def _minutes(hour: str, minute: str, language: Language) -> str:
    if minute == "00":
        return hour
    return f"{hour} {'oh ' if minute.startswith('0') else ''}{cardinal(str(int(minute)), language)}"


def _plural(words: str) -> str:
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def looks_like_a_date(text: str) -> bool:
    """Whether all of a text is a date in digits."""
    return bool(_SLASH_DATE.fullmatch(text) or _ISO_DATE.fullmatch(text))
