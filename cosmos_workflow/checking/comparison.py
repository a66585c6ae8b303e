"""What a text says against what was heard: the words that differ, and the rates. Pure.

The word error rate is that of the literature (missing, added and replaced words by the words of the text), but for one thing:
a replaced word counts by how differently it is written, from 0 to 1. A name or a homophone that a recogniser spells in its own
way so counts less than a word that is gone or comes twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rapidfuzz.distance import Levenshtein

from cosmos_workflow.checking.verdict import Aligned, Difference, HeardWord, Hearing, Kind
from cosmos_workflow.checking.words import Token, divides_words, letters, says_the_same, tokens
from cosmos_workflow.engines.speech_text.normalize import normalize

_FULL = 0.7
"""Share of letters that differ from which a replaced word is another word, and counts fully."""
_REPEATED = 0.8
"""Share of added words that have to come, in pairs, in the text for them to be a repetition."""
_TOLD_TWICE = 0.5
"""The same for what is heard alone after the end, where less can be meant."""
_BESIDE = 2
"""Words on each side of a difference that may be part of another way to write the same."""


@dataclass(frozen=True, slots=True)
class _Comparison:
    """The words of a text beside those that were heard; `found` and `aligned` grow stretch by stretch."""

    said: str
    language: str
    reference: Sequence[Token]
    heard: Sequence[HeardWord]
    found: list[Difference] = field(default_factory=list)
    aligned: list[Aligned] = field(default_factory=list)

    def take(self, first: int, last: int, begin: int, end: int) -> None:
        """Compare a stretch, given as a slice of both."""
        part, others = self.reference[first:last], self.heard[begin:end]
        if [token.word for token in part] == [word.text for word in others]:
            self._align(part, others)
        elif self._same(first, last, begin, end):
            self.aligned.extend(_shared(part, others))
        else:
            self._differ(first, last, begin, end)

    def _align(self, part: Sequence[Token], heard: Sequence[HeardWord]) -> None:
        self.aligned.extend((token.first, token.last, word.start, word.end) for token, word in zip(part, heard, strict=True))

    def _same(self, first: int, last: int, begin: int, end: int) -> bool:
        """Whether a stretch says the same, alone or with equal words beside it ("twenty" and "20" before "five" and "5")."""
        for before, after in itertools.product(range(_BESIDE + 1), repeat=2):
            one = self.reference[max(0, first - before) : last + after]
            other = self.heard[max(0, begin - before) : end + after]
            if says_the_same(self._written(one), _joined(other, self.language), self.language):
                return True
        return False

    def _written(self, part: Sequence[Token]) -> str:
        return self.said[part[0].first : part[-1].last] if part else ""

    def _differ(self, first: int, last: int, begin: int, end: int) -> None:
        """Take the differences of a stretch: one where it sounds alike as a whole ("to last" and "tolast"), else one as long as
        its kind goes on. Words that were replaced are also aligned."""
        part, others = self.reference[first:last], self.heard[begin:end]
        if part and others:
            unlike = _letters_unlike(self._written(part), _joined(others, self.language))
            if unlike < _FULL:
                self.aligned.extend(_shared(part, others))
                self._add(part, others, unlike * max(len(part), len(others)), last, end)
                return
        at, there = first, begin
        groups = itertools.groupby(
            _pairs(part, others, self.language), lambda step: (step[2] > 0, step[0] is None, step[1] is None)
        )
        for (differs, _, _), steps in groups:
            group = list(steps)
            ours, theirs = [token for token, _, _ in group if token], [word for _, word, _ in group if word]
            at, there = at + len(ours), there + len(theirs)
            if ours and theirs:
                self._align(ours, theirs)
            if differs:
                self._add(ours, theirs, sum(cost for _, _, cost in group), at, there)

    def _add(self, ours: Sequence[Token], theirs: Sequence[HeardWord], weight: float, at: int, there: int) -> None:
        """Take one difference; `at` and `there` are the places behind it in both."""
        kind: Kind = "replaced" if ours and theirs else "missing" if ours else "added"
        if kind == "added" and (_comes_in(theirs, [token.word for token in self.reference]) or self._comes_twice(theirs)):
            kind = "repeated"
        border = self.reference[at - 1].last if at > 0 else 0
        before = self.heard[there - len(theirs) - 1].end if there > len(theirs) else 0.0
        after = self.heard[there].start if there < len(self.heard) else before
        self.found.append(
            Difference(
                kind=kind,
                said=self._written(ours),
                heard=_joined(theirs, self.language),
                first=ours[0].first if ours else border,
                last=ours[-1].last if ours else border,
                start=theirs[0].start if theirs else before,
                end=theirs[-1].end if theirs else max(before, after),
                weight=round(weight, 3),
            )
        )

    def _comes_twice(self, words: Sequence[HeardWord]) -> bool:
        """Whether words that are too many were also heard elsewhere, several in a row: misheard the same way twice."""
        return len(words) > 2 and _comes_in(words, [word.text for word in self.heard if word not in words], _TOLD_TWICE)


def compare(said: str, words: Sequence[HeardWord], language: str, model: str = "") -> Hearing:
    """What was heard beside what should be said; texts are as people write them, without marks."""
    reference, heard = tokens(said, language), list(_tokens_of(words, language))
    both = _Comparison(said, language, reference, heard)
    at, there = 0, 0
    for block in Levenshtein.editops([token.word for token in reference], [word.text for word in heard]).as_matching_blocks():
        both.take(at, block.a, there, block.b)
        at, there = block.a + block.size, block.b + block.size
        both.take(block.a, at, block.b, there)
    transcript = "".join(word.text for word in words).strip()
    total = sum(difference.weight for difference in both.found)
    return Hearing(
        model=model,
        language=language,
        said=said,
        transcript=transcript,
        words=tuple(words),
        differences=tuple(both.found),
        word_error_rate=round(total / max(1, len(reference)), 4),
        character_error_rate=_character_errors(said, transcript, language),
        aligned=tuple(both.aligned),
    )


def repetition(said: str, before: Sequence[HeardWord], words: Sequence[HeardWord], language: str) -> Difference | None:
    """Words heard after the text, where they are the text's own, or what was heard of it; None where they are others."""
    heard = list(_tokens_of(words, language))
    known = [token.word for token in tokens(said, language)], [word.text for word in _tokens_of(before, language)]
    if len(heard) < 2 or not any(_comes_in(heard, reference, _TOLD_TWICE) for reference in known):
        return None
    again = _joined(heard, language)
    return Difference("repeated", "", again, len(said), len(said), heard[0].start, heard[-1].end, float(len(heard)))


def _tokens_of(words: Sequence[HeardWord], language: str) -> Iterator[HeardWord]:
    """The words as they are compared, each with its share of the time."""
    for word in words:
        found = tokens(word.text, language)
        share = (word.end - word.start) / max(1, len(found))
        for number, token in enumerate(found):
            start = word.start + number * share
            yield HeardWord(token.word, round(start, 3), round(start + share, 3))


def _joined(words: Sequence[HeardWord], language: str) -> str:
    return (" " if divides_words(language) else "").join(word.text for word in words)


def _shared(part: Sequence[Token], heard: Sequence[HeardWord]) -> list[Aligned]:
    """Words of the text with equal shares of the time of what was heard instead."""
    if not part or not heard:
        return []
    start, share = heard[0].start, (heard[-1].end - heard[0].start) / len(part)
    return [
        (token.first, token.last, round(start + number * share, 3), round(start + (number + 1) * share, 3))
        for number, token in enumerate(part)
    ]


def _comes_in(words: Sequence[HeardWord], other: Sequence[str], share: float = _REPEATED) -> bool:
    """Whether words that are too many are among others, in their order."""
    one = [word.text for word in words]
    if len(one) == 1:
        return one[0] in other
    pairs = set(itertools.pairwise(other))
    return sum(pair in pairs for pair in itertools.pairwise(one)) >= share * (len(one) - 1)


def _pairs(
    part: Sequence[Token], heard: Sequence[HeardWord], language: str
) -> list[tuple[Token | None, HeardWord | None, float]]:
    """The cheapest way from one stretch to the other, word by word, each with what it costs."""
    rows: list[list[float]] = [[float(column) for column in range(len(heard) + 1)]]
    for token in part:
        row = [rows[-1][0] + 1]
        for column, word in enumerate(heard):
            replaced = rows[-1][column] + _unlike(token.word, word.text, language)
            row.append(min(replaced, rows[-1][column + 1] + 1, row[column] + 1))
        rows.append(row)
    steps: list[tuple[Token | None, HeardWord | None, float]] = []
    at, there = len(part), len(heard)
    while at or there:
        here = rows[at][there]
        unlike = _unlike(part[at - 1].word, heard[there - 1].text, language) if at and there else 0.0
        if at and there and abs(rows[at - 1][there - 1] + unlike - here) < 1e-9:
            at, there = at - 1, there - 1
            steps.append((part[at], heard[there], unlike))
        elif at and abs(rows[at - 1][there] + 1 - here) < 1e-9:
            at -= 1
            steps.append((part[at], None, 1.0))
        else:
            there -= 1
            steps.append((None, heard[there], 1.0))
    return steps[::-1]


def _unlike(one: str, other: str, language: str) -> float:
    """How differently two words are written, from 0 to 1; 0 for two ways to write the same."""
    if one == other or says_the_same(one, other, language):
        return 0.0
    share = _letters_unlike(one, other)
    return 1.0 if share >= _FULL else share


def _letters_unlike(one: str, other: str) -> float:
    """The share of letters that differ between two stretches; where words end doesn't count."""
    return Levenshtein.normalized_distance(letters(one), letters(other))


def _character_errors(said: str, transcript: str, language: str) -> float:
    one, other = (letters(normalize(text, language)) for text in (said, transcript))
    return round(Levenshtein.distance(one, other) / len(one), 4) if one else float(bool(other))
