"""What the paragraphs of a text are: parted by blank lines, or one a line, or whatever it looks like. Pure.

Books from the web, from Word and from Calibre have a paragraph in each line; books of the last century's net are wrapped at some
width, with blank lines between paragraphs. In the second kind a heading, a list's item or an indented line still stands apart.
"""

# ruff: noqa: RUF001 - the marks of many scripts look alike

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal

Paragraphs = Literal["blank_line", "every_line", "auto"]

UNWRAPPED = 120
"""Characters of a usual line above which nobody wrapped it."""

_BLANK = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+")
_LINE = re.compile(r"[^\n]+")
_ENDED = re.compile(r"[.!?…。！？؟।:：][\"'”’»“‘›」』)\]*_]*\s*$")
_ITEM = re.compile(r"\s*(?:[-*+•·‣]\s+|\d{1,3}[.)]\s+|\(?[a-zA-Z][.)]\s+|#{1,6}\s)")
_SPEECH = re.compile(r"\s*[–—]")
_HEADING = re.compile(r"\s*#{1,6}\s")
_FULL = 0.75
"""Share of the text's width that a wrapped line fills at least, together with the word that is next."""
_MOST_LINES = 20_000


@dataclass(frozen=True, slots=True)
class Rule:
    """How a text is parted: at every line, or at blank lines and, with a `width`, where a line stands apart."""

    every_line: bool = False
    width: int = 0


def rule_for(text: str, paragraphs: Paragraphs) -> Rule:
    """The rule for a text; for `auto` by looking at its beginning."""
    if paragraphs != "auto":
        return Rule(paragraphs == "every_line")
    lines = [line.rstrip() for line in text.split("\n", _MOST_LINES)[:_MOST_LINES]]
    broken = [(line, after) for line, after in pairwise(lines) if line and after]
    if not broken:
        return Rule()
    plain = [pair for pair in broken if not _ITEM.match(pair[0]) and not _ITEM.match(pair[1])] or broken
    ended = sum(bool(_ENDED.search(line)) for line, _ in plain) / len(plain)
    if ended > 0.5 or median(len(line) for line, _ in plain) > UNWRAPPED:
        return Rule(every_line=True)
    return Rule(width=max(len(line) for line, _ in broken))


def paragraphs_of(text: str, rule: Rule) -> Iterator[tuple[int, int]]:
    """Where each paragraph of a text begins and ends, in order; some may be empty."""
    start = 0
    for blank in [*_BLANK.finditer(text), None]:
        end = blank.start() if blank else len(text)
        yield from _within(text, start, end, rule)
        start = blank.end() if blank else end


def _within(text: str, start: int, end: int, rule: Rule) -> Iterator[tuple[int, int]]:
    """The paragraphs of a block without a blank line."""
    if not rule.every_line and not rule.width:
        yield start, end
        return
    last: re.Match[str] | None = None
    for line in _LINE.finditer(text, start, end):
        if last and (rule.every_line or _stands_apart(last[0], line[0], rule.width)):
            yield start, last.end()
            start = line.start()
        last = line
    yield start, end


def _stands_apart(before: str, line: str, width: int) -> bool:
    """Whether a line begins anew within a text that is wrapped at `width`."""
    if _ITEM.match(line) or _HEADING.match(before) or (_SPEECH.match(line) and _ENDED.search(before)):
        return True
    if _indent(line) > 1 and _indent(line) > _indent(before) and not _ITEM.match(before):
        return True
    word = line.split(maxsplit=1)[0] if line.strip() else ""
    # Whoever wraps a text takes the next word along where there is room for it.
    room = len(before.rstrip()) + 1 + len(word) < _FULL * width
    return room and not word[:1].islower() and not _ITEM.match(before)


def _indent(line: str) -> int:
    lead = line[: len(line) - len(line.lstrip())]
    return sum(4 if letter == "\t" else 2 if letter == "\u3000" else 1 for letter in lead)
