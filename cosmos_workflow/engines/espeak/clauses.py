"""Clauses and words made short enough for the speech library's buffers, which drop what doesn't fit without a word.

The library holds 1000 phonemes a clause and 160 bytes a word (`N_PHONEME_LIST` and `N_WORD_BYTES` of its translate.h). Text that
fits is left as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

CLAUSE_COST = 400
"""Phonemes a clause may be expected to have; less than half of what fits, since it is an estimate."""
WORD_LETTERS = 30
"""Letters of a word without spaces; of three bytes each they fit, and the library's own count of a word ends at 31."""
_MOST = 10
"""Phonemes of an ASCII sign at most."""
MISSED_COST = 100
"""Phonemes between two spoken words above which something was dropped: far more than a sign that has no sound."""

_WORD = re.compile(r"\S+")
_TAG = re.compile(r"<[^>]*>")
_ENDS = frozenset(".!?;:,…\u3002\uff01\uff1f\uff1b\uff1a\uff0c\u3001\u0964\u061f\u060c\u061b\u2014")
"""What ends a clause, also in Chinese, Japanese, Hindi and Arabic."""
_WIDE_ENDS = "".join(sorted(letter for letter in _ENDS if unicodedata.east_asian_width(letter) in ("W", "F")))
_CLAUSE_END = re.compile(rf"[{_WIDE_ENDS}]|[{re.escape(''.join(sorted(_ENDS)))}](?=\s|\Z)|\n(?=\n)")
_MAY_BE_CUT = re.compile(rf"\S{{{WORD_LETTERS + 1}}}|[\xa6\xa9\xae\xb0]|[^\x00-\u02ff]")
"""A word that is too long, or what may be a picture or may stick to a letter."""
_JOINERS = frozenset("\u200d\ufe0f\ufe0e\u20e3")
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_EXTENDS = frozenset({"Mn", "Mc", "Me"})


@lru_cache(maxsize=512)  # a text is checked when it is added, before its batch, and when it is spoken
def fit(text: str) -> str:
    """The same text with a comma where a clause would be too long, and a cut where a word would be.

    A clause of several lines, such as a list of numbers, gets its commas at the ends of its lines.
    """
    short = len(text) * _MOST <= CLAUSE_COST or cost(text) <= CLAUSE_COST
    if text.isascii() and short and max(map(len, text.split()), default=0) <= WORD_LETTERS:
        return text  # most items of a long queue: whatever its clauses and words are, they fit
    return "".join(_fit_clause(clause) for clause in _clauses(text))


def fit_ssml(markup: str) -> str:
    """Checked SSML with each stretch of text between two tags made to fit."""
    pieces, end = [], 0
    for tag in _TAG.finditer(markup):
        pieces += [fit(markup[end : tag.start()]), tag[0]]
        end = tag.end()
    return "".join(pieces) + fit(markup[end:])


def cost(text: str) -> int:
    """About how many phonemes a text has, rather too many than too few."""
    return sum(map(_letter_cost, text))


def first_missed(text: str, words: list[tuple[int, int]], ssml: bool = False) -> int | None:
    """Where the first stretch begins that nobody spoke; None where the text was spoken whole.

    `words` are the spoken ones as (position from 0, length), in order, as the library reports them.
    """
    if ssml:
        text = _TAG.sub(lambda tag: " " * len(tag[0]), text)
    end = 0
    for start, length in [*words, (len(text), 0)]:
        if cost(text[end:start]) > MISSED_COST:
            return end
        end = max(end, start + length)
        if length > WORD_LETTERS:  # its own count ends there
            rest = _WORD.match(text, end)
            end = rest.end() if rest else end
    return None


def _clauses(text: str) -> Iterator[str]:
    """The text cut behind each sign that ends a clause, and at blank lines; joined they are the text."""
    start = 0
    for end in _CLAUSE_END.finditer(text):
        yield text[start : end.end()]
        start = end.end()
    yield text[start:]


def _fit_clause(clause: str) -> str:
    lines = clause.splitlines(keepends=True)
    if cost(clause) > CLAUSE_COST and len(lines) > 1:
        return "".join(_fit_line(_with_comma(line)) for line in lines[:-1]) + _fit_line(lines[-1])
    return _fit_line(clause)


def _with_comma(line: str) -> str:
    words = line.rstrip()
    return f"{words},{line[len(words) :]}" if words and words[-1] not in _ENDS else line


def _fit_line(text: str) -> str:
    if not _MAY_BE_CUT.search(text) and cost(text) <= CLAUSE_COST:
        return text
    pieces: list[str] = []
    spent, end = 0, 0
    for found in _WORD.finditer(text):
        for number, word in enumerate(_fit_word(found[0])):
            price = cost(word)
            gap = text[end : found.start()] if number == 0 else _seam(pieces[-1])
            if spent and spent + price > CLAUSE_COST:
                gap = gap if gap.strip() else f",{gap or ' '}"
                spent = 0
            pieces += [gap, word]
            spent += price
        end = found.end()
    return "".join(pieces) + text[end:]


def _fit_word(word: str) -> list[str]:
    """A word in pieces that the library can hold; whatever a person sees as one sign stays whole."""
    if word.isalpha() and len(word) <= WORD_LETTERS:
        return [word]
    signs = list(_signs(word))
    pieces, count = [""], 0
    for before, sign in zip(["", *signs], signs, strict=False):
        if count == WORD_LETTERS or (before and _is_picture(before) and _is_picture(sign)):
            pieces.append("")
            count = 0
        pieces[-1] += sign
        count += 1
    return pieces


def _seam(word: str) -> str:
    """What stands between two pieces of one word."""
    if _is_picture(word[-1]):
        return " "
    return "、" if unicodedata.east_asian_width(word[-1]) in ("W", "F") else " "


def _signs(text: str) -> Iterator[str]:
    """What a person sees as one sign: a letter with its marks, a picture with its colour and what is joined to it."""
    sign = ""
    for letter in text:
        joined = letter in _JOINERS or ord(letter) in _SKIN_TONES or unicodedata.category(letter) in _EXTENDS
        if sign and not joined and not sign.endswith("\u200d"):
            yield sign
            sign = ""
        sign += letter
    if sign:
        yield sign


def _is_picture(sign: str) -> bool:
    return unicodedata.category(sign[0]) == "So" or sign[-1] in _JOINERS or ord(sign[0]) >= 0x1F000


@lru_cache(maxsize=4096)
def _letter_cost(letter: str) -> int:
    if letter.isspace():
        return 0
    if letter.isdigit():
        return 10
    if ord(letter) >= 0x1F000:
        return 40
    if not letter.isalpha():
        return 0 if letter in _ENDS or unicodedata.category(letter) in _EXTENDS else 3
    wide = unicodedata.east_asian_width(letter) in ("W", "F")
    return 1 if not wide else 6 if "CJK" in unicodedata.name(letter, "") else 3
