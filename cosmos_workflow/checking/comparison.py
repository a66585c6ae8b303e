"""What a text says against what was heard: the words that differ, and the rates. Pure.

The word error rate is that of the literature (missing, added and replaced words by the words of the text), but for one thing:
a replaced word counts by how differently it is written, from 0 to 1. A name or a homophone that a recogniser spells in its own
way so counts less than a word that is gone or comes twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cosmos_workflow.checking.verdict import Difference, HeardWord, Hearing, Kind
from cosmos_workflow.checking.words import Token, divides_words, letters, says_the_same, tokens

_FULL = 0.7
"""Share of letters that differ from which a replaced word is another word, and counts fully."""
_REPEATED = 0.8
"""Share of added words that have to come, in pairs, in the text for them to be a repetition."""
_TOLD_TWICE = 0.5
"""The same for what is heard alone after the end, where less can be meant."""
_BESIDE = 2
"""Words on each side of a difference that may be part of another way to write the same."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """A word of the transcript and its time."""

    token: Token
    start: float
    end: float


def compare(said: str, words: Sequence[HeardWord], language: str, model: str = "") -> Hearing:
    """What was heard beside what should be said; texts are as people write them, without marks."""
    reference = tokens(said, language)
    heard = list(_tokens_of(words, language))
    joint = "" if not divides_words(language) else " "
    transcript = "".join(word.text for word in words).strip()
    found: list[Difference] = []
    aligned: list[tuple[int, int, float, float]] = []
    for first, last, begin, end in _regions(reference, heard):
        if first == last and begin == end:
            continue
        part = reference[first:last], heard[begin:end]
        if [token.word for token in part[0]] == [word.token.word for word in part[1]]:
            aligned += [(token.first, token.last, word.start, word.end) for token, word in zip(*part, strict=True)]
        elif _same(reference, heard, (first, last, begin, end), said, joint, language):
            aligned += _shared(*part)
        else:
            found += _differences(reference, heard, (first, last, begin, end), said, joint, language, aligned)
    total = sum(difference.weight for difference in found)
    return Hearing(
        model=model,
        language=language,
        said=said,
        transcript=transcript,
        words=tuple(words),
        differences=tuple(found),
        word_error_rate=round(total / max(1, len(reference)), 4) if reference or total else 0.0,
        character_error_rate=_character_errors(said, transcript, language),
        aligned=tuple(aligned),
    )


def repetition(said: str, before: Sequence[HeardWord], words: Sequence[HeardWord], language: str) -> Difference | None:
    """Words heard after the text, where they are the text's own, or what was heard of it; None where they are others."""
    heard = list(_tokens_of(words, language))
    first = [word.token for word in _tokens_of(before, language)]
    if len(heard) < 2 or not any(_comes_in(heard, reference, _TOLD_TWICE) for reference in (tokens(said, language), first)):
        return None
    joint = " " if divides_words(language) else ""
    again = joint.join(word.token.word for word in heard)
    return Difference("repeated", "", again, len(said), len(said), heard[0].start, heard[-1].end, float(len(heard)))


def _tokens_of(words: Sequence[HeardWord], language: str) -> Iterator[_Heard]:
    for word in words:
        found = tokens(word.text, language)
        share = (word.end - word.start) / max(1, len(found))
        for number, token in enumerate(found):
            start = word.start + number * share
            yield _Heard(token, round(start, 3), round(start + share, 3))


def _regions(reference: Sequence[Token], heard: Sequence[_Heard]) -> Iterator[tuple[int, int, int, int]]:
    """Stretches that are equal, and those between them that aren't, as slices of both."""
    from rapidfuzz.distance import Levenshtein

    one, other = [token.word for token in reference], [word.token.word for word in heard]
    at, there = 0, 0
    for block in Levenshtein.editops(one, other).as_matching_blocks():
        yield at, block.a, there, block.b
        yield block.a, block.a + block.size, block.b, block.b + block.size
        at, there = block.a + block.size, block.b + block.size


def _same(
    reference: Sequence[Token], heard: Sequence[_Heard], place: tuple[int, int, int, int], said: str, joint: str, language: str
) -> bool:
    """Whether a stretch says the same, alone or with equal words beside it ("twenty" and "20" before "five" and "5")."""
    first, last, begin, end = place
    if first == last and begin == end:
        return True
    for before in range(_BESIDE + 1):
        for after in range(_BESIDE + 1):
            one = slice(max(0, first - before), last + after)
            other = slice(max(0, begin - before), end + after)
            written = _written(reference[one], said)
            if says_the_same(written, joint.join(word.token.word for word in heard[other]), language):
                return True
    return False


def _written(part: Sequence[Token], said: str) -> str:
    return said[part[0].first : part[-1].last] if part else ""


def _shared(part: Sequence[Token], heard: Sequence[_Heard]) -> list[tuple[int, int, float, float]]:
    """Words of the text with equal shares of the time of what was heard instead."""
    if not part or not heard:
        return []
    start, share = heard[0].start, (heard[-1].end - heard[0].start) / len(part)
    return [
        (token.first, token.last, round(start + number * share, 3), round(start + (number + 1) * share, 3))
        for number, token in enumerate(part)
    ]


def _differences(
    reference: Sequence[Token],
    heard: Sequence[_Heard],
    place: tuple[int, int, int, int],
    said: str,
    joint: str,
    language: str,
    aligned: list[tuple[int, int, float, float]],
) -> Iterator[Difference]:
    """The differences of a stretch: one where it sounds alike as a whole ("to last" and "tolast"), else one as long as its kind
    goes on. Words that were replaced are also aligned."""
    first, last, begin, end = place
    part, others = reference[first:last], heard[begin:end]
    if part and others:
        unlike = _letters_unlike(_written(part, said), joint.join(word.token.word for word in others))
        if unlike < _FULL:
            weight = unlike * max(len(part), len(others))
            aligned += _shared(part, others)
            group_of = [*((token, None) for token in part), *((None, word) for word in others)]
            yield _difference(reference, heard, group_of, weight, said, joint, last, end)
            return
    group: list[tuple[Token | None, _Heard | None]] = []
    weights: list[float] = []

    def close() -> Iterator[Difference]:
        if group:
            yield _difference(reference, heard, group, sum(weights), said, joint, at, there)
            group.clear()
            weights.clear()

    at, there = first, begin
    for token, word, cost in _pairs(part, others, language):
        kind = token is None, word is None
        if cost == 0 or (group and (group[-1][0] is None, group[-1][1] is None) != kind):
            yield from close()
        if cost:
            group.append((token, word))
            weights.append(cost)
        at, there = at + (token is not None), there + (word is not None)
        if token is not None and word is not None:
            aligned.append((token.first, token.last, word.start, word.end))
    yield from close()


def _difference(
    reference: Sequence[Token],
    heard: Sequence[_Heard],
    group: Sequence[tuple[Token | None, _Heard | None]],
    weight: float,
    said: str,
    joint: str,
    at: int,
    there: int,
) -> Difference:
    """One difference; `at` and `there` are the places behind it in both."""
    ours = [token for token, _ in group if token]
    theirs = [word for _, word in group if word]
    kind: Kind = "replaced" if ours and theirs else "missing" if ours else "added"
    if kind == "added" and (_comes_in(theirs, reference) or _comes_twice(theirs, heard)):
        kind = "repeated"
    border = reference[at - 1].last if at > 0 else 0
    before = heard[there - len(theirs) - 1].end if there > len(theirs) else 0.0
    after = heard[there].start if there < len(heard) else before
    return Difference(
        kind=kind,
        said=_written(ours, said),
        heard=joint.join(word.token.word for word in theirs),
        first=ours[0].first if ours else border,
        last=ours[-1].last if ours else border,
        start=theirs[0].start if theirs else before,
        end=theirs[-1].end if theirs else max(before, after),
        weight=round(weight, 3),
    )


def _comes_in(words: Sequence[_Heard], reference: Sequence[Token], share: float = _REPEATED) -> bool:
    """Whether words that are too many are words of the text, in its order."""
    one, other = [word.token.word for word in words], [token.word for token in reference]
    if len(one) == 1:
        return one[0] in other
    pairs = set(itertools.pairwise(other))
    return sum(pair in pairs for pair in itertools.pairwise(one)) >= share * (len(one) - 1)


def _comes_twice(words: Sequence[_Heard], heard: Sequence[_Heard]) -> bool:
    """Whether words that are too many were also heard elsewhere, several in a row: a text that is misheard the same way twice."""
    others = [word.token for word in heard if word not in words]
    return len(words) > 2 and _comes_in(words, others, _TOLD_TWICE)


def _pairs(part: Sequence[Token], heard: Sequence[_Heard], language: str) -> list[tuple[Token | None, _Heard | None, float]]:
    """The cheapest way from one stretch to the other, word by word, each with what it costs."""
    rows: list[list[float]] = [[float(column) for column in range(len(heard) + 1)]]
    for token in part:
        row = [rows[-1][0] + 1]
        for column, word in enumerate(heard):
            replaced = rows[-1][column] + _unlike(token.word, word.token.word, language)
            row.append(min(replaced, rows[-1][column + 1] + 1, row[column] + 1))
        rows.append(row)
    steps: list[tuple[Token | None, _Heard | None, float]] = []
    at, there = len(part), len(heard)
    while at or there:
        here = rows[at][there]
        unlike = _unlike(part[at - 1].word, heard[there - 1].token.word, language) if at and there else 0.0
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
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.normalized_distance(letters(one), letters(other))


def _character_errors(said: str, transcript: str, language: str) -> float:
    from rapidfuzz.distance import Levenshtein

    from cosmos_workflow.engines.speech_text.normalize import normalize

    one, other = (letters(normalize(text, language)) for text in (said, transcript))
    return round(Levenshtein.distance(one, other) / len(one), 4) if one else float(bool(other))
