"""Subtitles of spoken pieces: SubRip cues that a person can read while listening."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from cosmos_workflow.checking.verdict import TimedWord
from cosmos_workflow.engines.speech_text.marks import without_marks

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


def subrip(
    spans: Iterable[tuple[str, float, float]],
    words: Sequence[Sequence[TimedWord]] = (),
    borders: Sequence[Sequence[int]] = (),
) -> str:
    """SubRip text from pieces as (text, start, end) in seconds.

    A piece that is too long for one cue is shared out over several, and a new one begins at each of its `borders`, the places of
    its text where another paragraph begins. Each stands from its first word to its last where `words` has their times, piece by
    piece, counted from the piece's start; else it has the time that its share of the letters takes.
    """
    timed = list(spans)
    known = zip(timed, words or [()] * len(timed), borders or [()] * len(timed), strict=True)
    cues = [cue for (text, start, end), heard, places in known for cue in _cues(text, start, end, heard, places)]
    return "\n".join(
        f"{number}\n{_clock(start)} --> {_clock(end)}\n{text}\n" for number, (text, start, end) in enumerate(cues, 1)
    )


def readable(text: str) -> str:
    """What is said of a text: without marks and SSML, on one line, since a blank line ends a cue."""
    plain = without_marks(text)
    if _TAG.search(plain):
        plain = html.unescape(_TAG.sub(" ", plain))
    return " ".join(plain.split())


def _cues(
    text: str, start: float, end: float, words: Sequence[TimedWord], borders: Sequence[int]
) -> Iterator[tuple[str, float, float]]:
    paragraphs = [readable(text[first:last]) for first, last in pairwise([0, *borders, len(text)])]
    said = " ".join(filter(None, paragraphs))
    if not said:
        return
    seconds = (end - start) / _width(said)
    most = min(LINES * LINE, max(1, int(LONGEST / seconds))) if seconds > 0 else LINES * LINE
    begun, place, shown = start, 0, start
    measured = _placed(said, words)
    for part in (part for paragraph in paragraphs if paragraph for part in _shares(f"{paragraph} ", most)):
        until = begun + seconds * _width(part)
        inside = [(first, last) for at, first, last in measured if place <= at < place + len(part)]
        first, last = (start + inside[0][0], start + inside[-1][1]) if inside else (begun, until)
        # Cues follow one another, whatever was heard.
        first = max(shown, min(first, end))
        last = max(first + _SHORTEST, min(last, end))
        yield "\n".join(_lines(part.strip())), first, min(last, first + LONGEST)
        begun, place, shown = until, place + len(part), min(last, first + LONGEST)


def _placed(said: str, words: Sequence[TimedWord]) -> list[tuple[int, float, float]]:
    """Words with their place in what is said; one that isn't found there, in this order, is left out."""
    found: list[tuple[int, float, float]] = []
    at = 0
    for word, first, last in words:
        place = said.find(word, at)
        if place >= 0:
            found.append((place, first, last))
            at = place + len(word)
    return found


def _shares(text: str, most: int) -> Iterator[str]:
    """The text in parts of at most `most` columns, nearly equal, which end with a sentence where that leaves no scrap."""
    width = _width(text)
    most = min(most, width // -(-width // most) + _UNEVEN)
    share = ""
    for word in _words(text, min(most, LINE)):
        fits = _width(share + word.rstrip()) <= most and len(_lines(share + word)) <= LINES
        if share and (not fits or (_ENDING.search(share) and _width(share) >= most / 2)):
            yield share
            share = ""
        share += word
    yield share


def _lines(text: str) -> list[str]:
    lines = [""]
    for word in _words(text, LINE):
        if lines[-1] and _width(lines[-1] + word.rstrip()) > LINE:
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


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d},{rest % 1000:03d}"
