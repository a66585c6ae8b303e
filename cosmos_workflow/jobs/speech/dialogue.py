"""Quoted speech given to a speaker of its own, by the marks of the text's language. Pure; the text keeps its lines."""

# ruff: noqa: RUF001 - the marks of many scripts look alike

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cosmos_workflow.jobs.speech.chunks import DEFAULT_SPEAKER

_MARKS = {
    "bg": "„“ «»",
    "cs": "„“ »«",
    "da": "»« „“ “”",
    "de": "„“ »« «»",
    **dict.fromkeys(("es", "fr", "it", "pt"), "«» “”"),
    "fi": "”” »«",
    "hu": "„” »«",
    "ja": "「」 『』",
    "nl": "“” „”",
    "pl": "„” «»",
    **dict.fromkeys(("ru", "uk"), "«» „“"),
    "sv": "”” »»",
    "zh": "“” 「」 『』",
}
"""By language, pairs of the mark that opens speech and the one that closes it."""
_DASHED = {"es", "fr", "it", "pt", "ru", "uk", "pl", "bg", "ro", "tr", "el", "sv", "da", "fi"}
"""Languages that open speech with a dash at the beginning of a paragraph."""
_DASH = re.compile(r"[—–―]\s*")
_ASIDE = re.compile(r"\s[—–―]\s?|[—–―][.,;:!?…]*\s")
_PARAGRAPHS = re.compile(r"(\n[^\S\n]*(?:\n[^\S\n]*)+)")
_TAG = re.compile(r"<speaker:[^>\n]*>")


def mark_dialogue(text: str, speaker: str, language: str = "en") -> str:
    """The text with its quoted speech given to `speaker`, and the rest to the task's own voice.

    A quotation that isn't closed in its paragraph goes on only where the next one opens with its mark again, as in novels. A
    paragraph that says its speaker itself stays as it is.
    """
    pairs = [*_MARKS.get(language, "“” «»").split(), '""']
    parts = _PARAGRAPHS.split(text)
    paragraphs = parts[::2]
    marked: list[str] = []
    for number, paragraph in enumerate(paragraphs):
        following = paragraphs[number + 1] if number + 1 < len(paragraphs) else ""
        marked.append(_marked(paragraph, following, speaker, pairs, language in _DASHED))
    between = [*parts[1::2], ""]
    return "".join(paragraph + gap for paragraph, gap in zip(marked, between, strict=True))


def _marked(paragraph: str, following: str, speaker: str, pairs: Sequence[str], dashed: bool) -> str:
    if _TAG.search(paragraph):
        return paragraph
    spans = list(_dashed(paragraph)) if dashed else []
    spans = spans or list(_quoted(paragraph, following, pairs))
    out, at = "", 0
    for start, end in spans:
        out += f"{paragraph[at:start]}<speaker:{speaker}>{paragraph[start:end]}<speaker:{DEFAULT_SPEAKER}>"
        at = end
    return out + paragraph[at:]


def _quoted(paragraph: str, following: str, pairs: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where speech begins and ends, its marks with it."""
    at = 0
    while at < len(paragraph):
        found = [(place, pair) for pair in pairs if (place := paragraph.find(pair[0], at)) >= 0]
        if not found:
            return
        start, (opening, closing) = min(found, key=lambda entry: entry[0])
        end = paragraph.find(closing, start + 1)
        if end < 0:
            if following.lstrip().startswith(opening):
                yield start, len(paragraph.rstrip())
            return
        if any(letter.isalnum() for letter in paragraph[start:end]):
            yield start, end + 1
        at = end + 1


def _dashed(paragraph: str) -> Iterator[tuple[int, int]]:
    """Speech that a dash opens: up to the next dash, behind which it is said who speaks, and from the one after that."""
    lead = len(paragraph) - len(paragraph.lstrip())
    opening = _DASH.match(paragraph, lead)
    if not opening:
        return
    start, speaks = lead, True
    for aside in _ASIDE.finditer(paragraph, opening.end()):
        if speaks:
            yield start, aside.start()
        start, speaks = aside.end(), not speaks
    if speaks and start < len(paragraph.rstrip()):
        yield start, len(paragraph.rstrip())
