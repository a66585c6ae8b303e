"""What is said for signs, units and short forms, language by language. Numbers themselves are said by num2words."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

_NUMBERS = "ar az be ca cs cy da eo fa fi he hu id is ja ko lt lv nl no pl ro ru sk sl sr sv th tr uk vi"
_WITH_POINT = {"he", "ja", "ko", "th"}
_NAMES = {code: code for code in _NUMBERS.split()} | {"nb": "no", "nn": "no"}


@dataclass(frozen=True, slots=True)
class Language:
    """How one language says what isn't written in words.

    `number` is num2words' name of it. `signs` are single characters; `web` says the signs of an address. `units` hold one and
    many, `currencies` also one and many of the hundredth part. `fractions` are those in words, "½" is what stands behind a
    whole number. `short` are abbreviations, `numbered` those that are one only before a number. `months` are the names of the
    twelve, empty in a language of which only the numbers are known. `to` stands between the ends of a range. `ordinal` is a
    pattern of what stands behind an ordinal number, `regnal` goes before a ruler's number. `date`, `clock` and `full_hour`
    are templates.
    """

    code: str
    number: str
    decimal: str = "."
    to: str = ""
    ordinal: str = ""
    regnal: str = ""
    date: str = "{day} {month} {year}"
    clock: str = "{hour} {minute}"
    full_hour: str = "{hour}"
    first_day: str = ""
    months: tuple[str, ...] = ()
    millions: tuple[str, ...] = ()
    signs: Mapping[str, str] = field(default_factory=dict)
    web: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    currencies: Mapping[str, tuple[str, str, str, str]] = field(default_factory=dict)
    short: Mapping[str, str] = field(default_factory=dict)
    numbered: Mapping[str, str] = field(default_factory=dict)
    fractions: Mapping[str, str] = field(default_factory=dict)


@cache
def find_language(code: str) -> Language | None:
    """A language by a code such as "en", "en-gb" or "pt_BR"; None where not even its numbers can be said."""
    base = re.split(r"[-_]", code.strip().lower())[0]
    text = files(__package__ or "").joinpath("languages.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text).get(base)
    if data is None:
        return Language(base, _NAMES[base], "." if base in _WITH_POINT else ",") if base in _NAMES else None
    # A unit without a slash is the same for one and for many.
    pairs = {sign: (words.partition("/")[0], words.rpartition("/")[2]) for sign, words in data.pop("units").items()}
    currencies = {sign: tuple(words.split("/")) for sign, words in data.pop("currencies").items()}
    words = {name: tuple(data.pop(name).split()) for name in ("months", "millions")}
    return Language(base, units=pairs, currencies=currencies, **words, **data)
