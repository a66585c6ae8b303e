"""Subtitles of spoken pieces, SubRip and WebVTT: cues that a person can read while listening."""

from __future__ import annotations

import html
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

from cosmos_workflow.checking.verdict import TimedWord
from cosmos_workflow.engines.speech_text.marks import without_marks
from cosmos_workflow.media import timecode

LINE = 42
"""Columns of a line; a Chinese or Japanese sign takes two. With two lines and 7 s what broadcasters and platforms ask for."""
LINES = 2
LONGEST = 7.0
"""Seconds that a cue stands at most."""

_UNEVEN = 12
"""Columns by which the parts of a piece may differ, so that words stay whole and no scrap is left."""

_SHORTEST = 0.05
"""Seconds that a cue stands at least."""

_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_PART = re.compile(r"\S+\s*")
_ENDING = re.compile(r"[.!?\u2026\u3002\uff01\uff1f][\"'\u201d\u2019\u00bb)\]]*\s*$")


By = Literal["sentence", "word"]
Cue = tuple[str, float, float]
"""What is shown, and from which second to which."""


def cues_of(
    text: str,
    start: float,
    end: float,
    words: Sequence[TimedWord] = (),
    by: By = "sentence",
    line: int = LINE,
    borders: Sequence[int] = (),
) -> Iterator[Cue]:
    """Cues of a piece, from the second `start` to `end`, with lines of at most `line` columns.

    By sentence, a piece that is too long for one cue is shared out over several, and another begins at each of its `borders`,
    the places of its text where a further paragraph begins; by word, each word is one. A word stands where it was heard, where
    `words` has its time, counted from `start`; what wasn't heard has the time between its neighbours that its share of the
    letters takes.
    """
    import numpy as np

    cut = itertools.pairwise([0, *borders, len(text)])
    paragraphs = [found for first, last in cut if (found := readable(text[first:last]))]
    said = " ".join(paragraphs)
    if not said:
        return
    columns = list(itertools.accumulate(map(_columns, said), initial=0))
    seconds = (end - start) / columns[-1]
    most = min(LINES * line, max(1, int(LONGEST / seconds))) if seconds > 0 else LINES * line
    places, times = _heard_at(said, words, end - start)
    place, shown = 0, start
    shares = (share for paragraph in paragraphs for share in _shares(f"{paragraph} ", most, line))
    for part in _words(said, line) if by == "word" else shares:
        # Where words were heard, the silence behind them belongs to none.
        last_letter = min(place + len(part.rstrip() if words else part), len(said))
        at = [columns[index] for index in (place, last_letter)]
        begun, ended = np.interp(at, [columns[index] for index in places], times)
        first = max(shown, min(start + float(begun), end))
        last = min(max(first + _SHORTEST, min(start + float(ended), end)), first + LONGEST)
        yield "\n".join(_lines(part.strip(), line)), first, last
        place, shown = place + len(part), last


def subrip(cues: Iterable[Cue]) -> str:
    """Cues as SubRip."""
    return "\n".join(
        f"{number}\n{timecode(start, ',')} --> {timecode(end, ',')}\n{text}\n"
        for number, (text, start, end) in enumerate(cues, 1)
    )


def webvtt(cues: Iterable[Cue]) -> str:
    """Cues as WebVTT, which browsers show."""
    blocks = (f"{timecode(start)} --> {timecode(end)}\n{html.escape(text, quote=False)}\n" for text, start, end in cues)
    return "\n".join(["WEBVTT\n", *blocks])


def readable(text: str) -> str:
    """What is said of a text: without marks and SSML, on one line, since a blank line ends a cue."""
    plain = without_marks(text)
    if _TAG.search(plain):
        plain = html.unescape(_TAG.sub(" ", plain))
    return " ".join(plain.split())


def _heard_at(said: str, words: Sequence[TimedWord], seconds: float) -> tuple[list[int], list[float]]:
    """Places in what is said, and when they are heard: both ends, and those of each word with the marks around it."""
    places, times = [0], [0.0]
    for place, word, first, last in placed(said, words):
        left, right = place, place + len(word)
        while left > places[-1] and not said[left - 1].isspace() and not said[left - 1].isalnum():
            left -= 1
        while right < len(said) and not said[right].isspace() and not said[right].isalnum():
            right += 1
        begun = min(max(first, times[-1]), seconds)
        places += [left, right]
        times += [begun, min(max(last, begun), seconds)]
    if places[-1] < len(said):
        places.append(len(said))
        times.append(seconds)
    return places, times


def placed(said: str, words: Sequence[TimedWord]) -> list[tuple[int, str, float, float]]:
    """Words with their place in what is said; one that isn't found there, in this order, is left out."""
    found: list[tuple[int, str, float, float]] = []
    at = 0
    for word, first, last in words:
        place = said.find(word, at)
        if place >= 0:
            found.append((place, word, first, last))
            at = place + len(word)
    return found


def _shares(text: str, most: int, line: int) -> Iterator[str]:
    """The text in parts of at most `most` columns, nearly equal, which end with a sentence where that leaves no scrap."""
    width = _width(text)
    most = min(most, width // -(-width // most) + _UNEVEN)
    share = ""
    for word in _words(text, min(most, line)):
        width_now = _width(share + word.rstrip())
        fits = width_now <= line or (width_now <= most and len(_lines(share + word, line)) <= LINES)
        if share and (not fits or (_ENDING.search(share) and _width(share) >= most / 2)):
            yield share
            share = ""
        share += word
    yield share


def _lines(text: str, most: int) -> list[str]:
    lines = [""]
    for word in _words(text, most):
        if lines[-1] and _width(lines[-1] + word.rstrip()) > most:
            lines.append("")
        lines[-1] += word
    return [line.strip() for line in lines]


def _words(text: str, most: int) -> Iterator[str]:
    """The words with the space behind them; what has no space is cut where it fits."""
    for found in _PART.finditer(text):
        word, width = "", 0
        for letter in found[0]:
            if width + _columns(letter) > most and not letter.isspace():
                yield word
                word, width = "", 0
            word += letter
            width += _columns(letter)
        yield word


def _width(text: str) -> int:
    return len(text) if text.isascii() else sum(map(_columns, text))


@lru_cache(maxsize=4096)
def _columns(letter: str) -> int:
    return 2 if unicodedata.east_asian_width(letter) in ("W", "F") else 1
