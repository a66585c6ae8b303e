"""Subtitles as a person reads them: two short lines, a few seconds, no mark-up, and every word."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.jobs.speech.chunks import Limits, cut_text
from cosmos_workflow.jobs.speech.subtitles import LINE, LINES, LONGEST, cues_of, readable, webvtt
from cosmos_workflow.jobs.speech.subtitles import subrip as written

LONG = (
    "It was the best of seasons to be out at sea, or so the harbour master said, and nobody who had watched him count the boats "
    "home for thirty years would have thought of doubting him. The wind went round. By noon the last sail was in sight, and the "
    "children ran down to the quay with ropes, and baskets, and a dog that belonged to none of them."
)
CUE = re.compile(r"(\d+)\n(\d\d):(\d\d):(\d\d),(\d{3}) --> (\d\d):(\d\d):(\d\d),(\d{3})\n((?:.+\n)+)")


def subrip(spans: list[tuple[str, float, float]]) -> str:
    """SubRip with the usual lines."""
    return written(cue for span in spans for cue in cues_of(*span))


def read(text: str) -> list[tuple[float, float, list[str]]]:
    found = []
    for number, match in enumerate(CUE.finditer(text), 1):
        assert int(match[1]) == number
        hours, minutes, seconds, part, *last = (int(group) for group in match.groups()[1:9])
        begun, ended = (
            hours * 3600 + minutes * 60 + seconds + part / 1000,
            last[0] * 3600 + last[1] * 60 + last[2] + last[3] / 1000,
        )
        found.append((begun, ended, match[10].splitlines()))
    return found


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (LONG, 24.0),
        (LONG, 54.0),
        ("今天天气很好我们去公园散步。" * 20, 60.0),
        ("오늘은 날씨가 참 좋네요. " * 20, 50.0),
        ("Donaudampfschiff" * 12, 12.0),
    ],
)
def test_a_long_piece_is_shared_out(text: str, seconds: float) -> None:
    cues = read(subrip([(text, 10.0, 10.0 + seconds)]))
    assert len(cues) > 2
    for begun, ended, lines in cues:
        assert len(lines) <= LINES
        assert all(len(line) <= LINE for line in lines)
        assert 0 < ended - begun <= LONGEST + 0.001
    assert cues[0][0] == 10.0
    assert all(cue[1] <= after[0] + 0.001 for cue, after in itertools.pairwise(cues))
    said = "".join("".join(lines) for _, _, lines in cues)
    assert re.sub(r"\s", "", said) == re.sub(r"\s", "", text)


def test_a_cue_ends_with_its_sentence_where_it_can() -> None:
    lines = [" ".join(lines) for _, _, lines in read(subrip([(f"{LONG[:150]}. Short end. {LONG[:60]}", 0.0, 15.0)]))]
    assert any(line.startswith("Short end.") for line in lines)


def test_ssml_and_blank_lines_are_never_shown() -> None:
    ssml = '<speak>Good <emphasis level="strong">morning</emphasis>,<break time="1s"/>\n\nTom &amp; Ann.</speak>'
    assert readable(ssml) == "Good morning , Tom & Ann."
    assert subrip([(ssml, 0.0, 2.0)]) == "1\n00:00:00,000 --> 00:00:02,000\nGood morning , Tom & Ann.\n"
    assert readable("5 < 7, and I <3 you; AT&amp;T") == "5 < 7, and I <3 you; AT&amp;T"


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=60), min_size=1, max_size=60))
def test_no_word_is_lost(words: list[str]) -> None:
    text = readable(" ".join(words))
    cues = read(subrip([(text, 0.0, 30.0)])) if text else []
    said = "".join("".join(lines) for _, _, lines in cues)
    assert re.sub(r"\s", "", said) == re.sub(r"\s", "", text)


HEARD = [("Good", 0.2, 0.5), ("morning", 0.5, 1.0), ("Tom", 2.0, 2.4), ("goes", 3.0, 3.4), ("home", 3.4, 3.9)]


def test_each_word_is_a_cue_where_that_is_asked_for() -> None:
    cues = list(cues_of("\u201cGood morning,\u201d Tom never goes home.", 10.0, 15.0, HEARD, by="word"))
    assert [text for text, _, _ in cues] == ["\u201cGood", "morning,\u201d", "Tom", "never", "goes", "home."]
    assert [start for _, start, _ in cues] == pytest.approx([10.2, 10.5, 12.0, 12.5, 13.0, 13.4], abs=0.11)
    assert cues[-1][2] == pytest.approx(13.9)
    # Nobody heard "never": it is between its neighbours. Without any time, the letters share the piece.
    assert cues[2][2] <= cues[3][1] < cues[3][2] <= cues[4][1]
    assert [start for _, start, _ in cues_of("One two.", 0.0, 8.0, by="word")] == [0.0, 4.0]


@pytest.mark.parametrize("line", [12, 30, 80])
def test_no_line_is_longer_than_asked_for(line: int) -> None:
    cues = list(cues_of(LONG, 0.0, 24.0, line=line))
    assert max(len(row) for text, _, _ in cues for row in text.splitlines()) <= line
    assert " ".join(" ".join(text.splitlines()) for text, _, _ in cues) == LONG


def test_a_browser_reads_the_same_cues_escaped() -> None:
    assert webvtt([*cues_of("R&D <3.", 0.0, 1.5), *cues_of("Bye.", 3661.0, 3662.0)]) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nR&amp;D &lt;3.\n\n01:01:01.000 --> 01:01:02.000\nBye.\n"
    )


def test_a_paragraph_that_was_said_with_its_neighbour_has_a_cue_of_its_own() -> None:
    chunks, _ = cut_text("I\n\nThe road was long.\n\nV", Limits(), shortest=2)
    (chunk,) = chunks
    assert chunk.text == "I. The road was long. V"
    cues = list(cues_of(chunk.text, 1.0, 5.0, borders=chunk.borders))
    assert [text for text, _, _ in cues] == ["I.", "The road was long.", "V"]
    assert all(before[2] <= after[1] for before, after in itertools.pairwise(cues))
    heard = [("I", 0.1, 0.4), ("The", 1.0, 1.2), ("road", 1.2, 1.5), ("was", 1.5, 1.9), ("long", 2.0, 2.5), ("V", 3.0, 3.5)]
    cues = list(cues_of(chunk.text, 1.0, 5.0, heard, borders=chunk.borders))
    assert [(start, end) for _, start, end in cues] == [(1.1, 1.4), (2.0, 3.5), (4.0, 4.5)]
